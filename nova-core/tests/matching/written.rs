//! Random routes and requests, of so few words that they collide.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::model::{self, Route, Segment};

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
    let methods = option::of(vec(select(&METHODS[..]).prop_map(str::to_owned), 1..3));
    (
        vec(segment(), 0..5),
        option::of(any::<bool>()),
        any::<Index>(),
        methods,
    )
        .prop_map(|(mut segments, rest, split, methods)| {
            number(&mut segments);
            let path = segments.split_off(split.index(segments.len() + 1));
            let rest =
                rest.map(|nova| Segment::Rest(if nova { "pathinfo" } else { "rest" }.to_owned()));
            Route {
                prefix: segments,
                path: path.into_iter().chain(rest).collect(),
                methods,
            }
        })
}

fn segment() -> impl Strategy<Value = Segment> {
    let word = |text: &str| Segment::Static(text.to_owned());
    let name = |name: &str| Segment::Binding(name.to_owned());
    prop_oneof![
        4 => select(&WORDS[..3]).prop_map(word),
        1 => select(&WORDS[3..]).prop_map(word),
        4 => select(&["x", "y"][..]).prop_map(name),
    ]
}

/// No name stands twice in a path, and paths of one shape have different ones.
fn number(segments: &mut [Segment]) {
    for (at, segment) in segments.iter_mut().enumerate() {
        if let Segment::Binding(name) = segment {
            *name = format!("{name}{at}");
        }
    }
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
            for segment in route.get(routes).segments() {
                match (segment, own.next()) {
                    (Segment::Static(text), _) => path.extend(["/", text]),
                    (Segment::Binding(_), Some((slash, text))) => path.extend([*slash, *text]),
                    _ => break,
                }
            }
            if !matches!(route.get(routes).segments().last(), Some(Segment::Rest(_))) {
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
    let slash = prop_oneof![
        8 => Just("/"),
        1 => Just("//"),
    ];
    let end = prop_oneof![
        6 => Just(""),
        1 => Just("/"),
        1 => Just("//"),
    ];
    let parts = (
        method,
        option::of(any::<Index>()),
        vec((slash, text), 0..6),
        end,
    );
    parts.prop_map(|(method, route, segments, end)| Request {
        method,
        route,
        segments,
        end,
    })
}
