//! The slow, obvious model of matching: every route is held against the path, and the most
//! particular one of those that fit is taken.
//!
//! It knows nothing of trees, of backtracking and of the router's code. The fuzz target
//! `path_match` includes it, too.

use std::collections::BTreeSet;
use std::fmt;

/// A route: as it is declared, and what that means.
#[derive(Clone)]
pub(crate) struct Route {
    /// The prefix of its group; empty for none.
    pub(crate) prefix: String,
    pub(crate) path: String,
    /// `None` for all.
    pub(crate) methods: Option<Vec<String>>,
    segments: Vec<Segment>,
}

/// A part of a route's path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Static(String),
    Binding(String),
    Rest(String),
}

/// What a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This route answers, with these names and values.
    Route(usize, Vec<(String, String)>),
    /// A 204 with these methods in `allow`.
    Options(BTreeSet<String>),
    /// A 405 with these methods in `allow`.
    MethodNotAllowed(BTreeSet<String>),
    /// A 404.
    NotFound,
    /// A 400.
    BadEncoding,
}

/// What a request gets from these routes, which have no [`conflict`].
pub(crate) fn answer(routes: &[Route], method: &str, path: &str) -> Answer {
    let Some(path) = segments(path) else {
        return Answer::NotFound;
    };
    let fitting = routes.iter().filter(|route| route.fits(&path));
    let Some(kinds) = fitting.map(Route::kinds).min() else {
        return Answer::NotFound;
    };
    let of_path = || {
        let all = routes.iter().enumerate();
        all.filter(|(_, route)| route.fits(&path) && route.kinds() == kinds)
    };
    let named = |wanted: &str| of_path().find(|(_, route)| route.names_method(wanted));
    let found = match method {
        "HEAD" => named("HEAD").or_else(|| named("GET")),
        other => named(other),
    };
    let for_all = of_path().find(|(_, route)| route.methods.is_none());
    match found.or(for_all) {
        Some((index, route)) => match route.values(&path) {
            Some(values) => Answer::Route(index, values),
            None => Answer::BadEncoding,
        },
        None => {
            let declared = of_path().flat_map(|(_, route)| route.methods.iter().flatten());
            let mut allow: BTreeSet<String> = declared.cloned().collect();
            if allow.contains("GET") {
                allow.insert("HEAD".to_owned());
            }
            allow.insert("OPTIONS".to_owned());
            match method {
                "OPTIONS" => Answer::Options(allow),
                _ => Answer::MethodNotAllowed(allow),
            }
        }
    }
}

/// Whether two of the routes are for the same requests: they differ in the names of their bindings
/// at most, and share a method.
pub(crate) fn conflict(routes: &[Route]) -> bool {
    let mut pairs = (0..routes.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    pairs.any(|(a, b)| {
        let (a, b) = (&routes[a], &routes[b]);
        let share_method = match (&a.methods, &b.methods) {
            (Some(a), Some(b)) => a.iter().any(|method| b.contains(method)),
            _ => true,
        };
        share_method && a.shape() == b.shape()
    })
}

/// The segments of a path: repeated slashes and one at the end count for nothing. A path with two
/// at its end is nobody's.
fn segments(path: &str) -> Option<Vec<&str>> {
    if path.ends_with("//") {
        return None;
    }
    Some(path.split('/').filter(|text| !text.is_empty()).collect())
}

/// The text with each `%xx` as the byte that it stands for; `None` if a `%` stands for none, or if
/// the bytes are no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let high = char::from(*rest.next()?).to_digit(16)?;
                let low = char::from(*rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

impl Route {
    /// A route with this declaration, which is a right one.
    pub(crate) fn new(prefix: String, path: String, methods: Option<Vec<String>>) -> Self {
        let segments = [&prefix, &path]
            .into_iter()
            .flat_map(|text| text.split('/'));
        Route {
            segments: segments.filter_map(Segment::read).collect(),
            prefix,
            path,
            methods,
        }
    }

    /// Its static segments by their text, `None` for a binding, up to the rest, if it has one.
    pub(crate) fn before_rest(&self) -> impl Iterator<Item = Option<&str>> {
        self.segments.iter().map_while(|segment| match segment {
            Segment::Static(text) => Some(Some(text.as_str())),
            Segment::Binding(_) => Some(None),
            Segment::Rest(_) => None,
        })
    }

    pub(crate) fn has_rest(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Rest(_)))
    }

    /// Whether the route matches the path, if it were the only one.
    fn fits(&self, path: &[&str]) -> bool {
        let mut path = path.iter();
        for segment in &self.segments {
            let fits = match segment {
                Segment::Static(text) => path.next() == Some(&text.as_str()),
                Segment::Binding(_) => path.next().is_some(),
                Segment::Rest(_) => return true,
            };
            if !fits {
                return false;
            }
        }
        path.next().is_none()
    }

    /// What goes before what, among routes that fit the same path: segment by segment, static
    /// before binding before rest, and no rest before one that is empty.
    fn kinds(&self) -> Vec<u8> {
        let kind = |segment: &Segment| match segment {
            Segment::Static(_) => 0,
            Segment::Binding(_) => 1,
            Segment::Rest(_) => 2,
        };
        self.segments.iter().map(kind).collect()
    }

    /// The path without the names of its bindings.
    fn shape(&self) -> Vec<Segment> {
        let unnamed = |segment: &Segment| match segment {
            Segment::Static(text) => Segment::Static(text.clone()),
            Segment::Binding(_) => Segment::Binding(String::new()),
            Segment::Rest(_) => Segment::Rest(String::new()),
        };
        self.segments.iter().map(unnamed).collect()
    }

    fn names_method(&self, wanted: &str) -> bool {
        self.methods.iter().flatten().any(|method| method == wanted)
    }

    /// What the route binds of a path that it fits.
    fn values(&self, path: &[&str]) -> Option<Vec<(String, String)>> {
        let mut values = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let (name, value) = match segment {
                Segment::Static(_) => continue,
                Segment::Binding(name) => (name, path[at].to_owned()),
                Segment::Rest(name) => (name, path[at..].join("/")),
            };
            values.push((name.clone(), decoded(&value)?));
        }
        Some(values)
    }

    /// The names of what it binds.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |segment: &Segment| match segment {
            Segment::Static(_) => None,
            Segment::Binding(name) | Segment::Rest(name) => Some(name.clone()),
        };
        self.segments.iter().filter_map(name).collect()
    }
}

impl Segment {
    /// `None` for what stands between two slashes.
    fn read(text: &str) -> Option<Self> {
        let braced = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        Some(if text.is_empty() {
            return None;
        } else if text == "[...]" {
            Segment::Rest("pathinfo".to_owned())
        } else if let Some(name) = braced.and_then(|text| text.strip_prefix('*')) {
            Segment::Rest(name.to_owned())
        } else if let Some(name) = braced.or(text.strip_prefix(':')) {
            Segment::Binding(name.to_owned())
        } else {
            Segment::Static(text.to_owned())
        })
    }
}

/// Short, for the message of a test that fails: `["GET"] /prefix + /path`.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.methods {
            Some(methods) => write!(f, "{methods:?}")?,
            None => f.write_str("all")?,
        }
        write!(f, " {} + {}", self.prefix, self.path)
    }
}
