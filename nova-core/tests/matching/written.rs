//! Random routes and requests, of so few words that they collide.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::model::{self, Route};

/// What routes and requests both have in their paths. Some are the beginning of others, and one is
/// another in disguise.
const WORDS: [&str; 5] = ["a", "b", "ab", "a.b", "%61"];

/// What only requests have: values, encodings right and wrong, and what means something in a
/// route.
const VALUES: [&str; 12] = [
    "7", "%20", "%C3%A9", "a%2Fb", "%", "%4", "%zz", "%ff", "..", ":x", "{x0}", "*",
];

const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "DELETE", "OPTIONS"];

/// Up to eight routes, of which some may be for the same requests.
pub(crate) fn routes() -> impl Strategy<Value = Vec<Route>> {
    vec(route(), 1..=8)
}

/// Up to eight routes without a conflict.
pub(crate) fn sound_routes() -> impl Strategy<Value = Vec<Route>> {
    routes().prop_map(|routes| {
        let mut sound: Vec<Route> = Vec::new();
        for route in routes {
            sound.push(route);
            if model::conflict(&sound) {
                sound.pop();
            }
        }
        sound
    })
}

fn route() -> impl Strategy<Value = Route> {
    let segments = vec((slash(), segment()), 0..=4);
    let rest = option::of(select(&["/{*rest}", "/[...]"][..]));
    let methods = option::of(vec(select(&METHODS[..]).prop_map(str::to_owned), 1..3));
    (segments, any::<Index>(), rest, end(), methods).prop_map(
        |(segments, split, rest, end, methods)| {
            let texts: Vec<String> = (0..)
                .zip(segments)
                .map(|(at, (slash, text))| slash.to_owned() + &text.replace('x', &format!("x{at}")))
                .collect();
            let (prefix, path) = texts.split_at(split.index(texts.len() + 1));
            let path = path.concat() + rest.unwrap_or_default() + end;
            let path = if path.is_empty() {
                "/".to_owned()
            } else {
                path
            };
            Route::new(prefix.concat(), path, methods)
        },
    )
}

/// A word or a binding, in either notation. The place in the path becomes a part of the name: none
/// stands twice in a path, and paths of one shape have different ones.
fn segment() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => select(&WORDS[..3]),
        1 => select(&WORDS[3..]),
        4 => select(&["{x}", "{ax}", ":x"][..]),
    ]
}

fn slash() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        8 => Just("/"),
        1 => Just("//"),
    ]
}

fn end() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        6 => Just(""),
        1 => Just("/"),
        1 => Just("//"),
    ]
}

/// A request before it is known whom it is for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    /// The route whose path it follows, where it does.
    route: Option<Index>,
    /// Slash and text of each segment.
    segments: Vec<(&'static str, &'static str)>,
    end: &'static str,
}

impl Request {
    /// Its path: all of its segments, or where it follows one of the routes, the words of that, and
    /// its own segments in place of what the route binds.
    pub(crate) fn path(&self, routes: &[Route]) -> String {
        let mut own = self.segments.iter();
        let mut path = String::new();
        if let Some(route) = self.route {
            let route = route.get(routes);
            for segment in route.before_rest() {
                match (segment, own.next()) {
                    (Some(word), _) => path.extend(["/", word]),
                    (None, Some((slash, text))) => path.extend([*slash, *text]),
                    (None, None) => break,
                }
            }
            if !route.has_rest() {
                own = [].iter();
            }
        }
        path.extend(own.flat_map(|(slash, text)| [*slash, *text]));
        path.push_str(self.end);
        if path.is_empty() {
            "/".to_owned()
        } else {
            path
        }
    }
}

/// A dozen requests.
pub(crate) fn requests() -> impl Strategy<Value = Vec<Request>> {
    vec(request(), 12)
}

fn request() -> impl Strategy<Value = Request> {
    let method = prop_oneof![
        3 => Just("GET"),
        2 => select(&METHODS[..]),
        1 => Just("INVENTED"),
    ];
    let text = prop_oneof![
        4 => select(&WORDS[..]),
        1 => select(&VALUES[..]),
    ];
    let segments = vec((slash(), text), 0..6);
    (method, option::of(any::<Index>()), segments, end()).prop_map(
        |(method, route, segments, end)| Request {
            method,
            route,
            segments,
            end,
        },
    )
}
