//! Why a route matched a request, or did not: by comparing every route, slowly and in words.

use std::fmt;

use http::{Method, Uri};
use serde::Serialize;

use super::info::NearRoute;
use super::path::{Endpoint, Target};
use super::pattern::{Pattern, Segment};
use super::table::{Found, Table, segments};
use crate::request::Head;

/// How many routes are named that nearly match.
const MOST: usize = 5;

/// How far a path that is a segment longer is from one that is shorter. A wholly different segment
/// is 1.
const LENGTH: f64 = 0.5;

/// Which route answers a request, or why none does: see [`Router::explain`](crate::Router::explain).
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The method that was asked for.
    pub method: String,
    /// The path that was asked for.
    pub path: String,
    /// What becomes of the request.
    pub outcome: Outcome,
    /// The routes nearest to it that do not answer, and why each does not.
    pub others: Vec<NearRoute>,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// A route answers.
    Answered {
        /// What it answers, as [`RouteInfo::requests`](crate::RouteInfo::requests) shows it.
        requests: String,
        /// Who answers.
        handler: String,
        /// Where the route stands.
        origin: String,
        /// What its path binds, decoded.
        bindings: Vec<(String, String)>,
    },
    /// The router lists the methods: 204, with `allow`.
    Options(String),
    /// No route of this path has the method: 405, with `allow`.
    MethodNotAllowed(String),
    /// The path is badly encoded: 400.
    BadEncoding,
    /// No route has the path: 404.
    NotFound,
}

/// One request, as it is compared.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    host: Option<&'a str>,
    /// Whether it asks for another protocol; `None` if that is not known.
    upgrade: Option<bool>,
}

pub(super) fn explain(table: &Table, method: &str, target: &str) -> Explanation {
    // A path whose slash was left out would be read as a host.
    let slash = if target.contains("://") || target.starts_with('/') {
        ""
    } else {
        "/"
    };
    let target = format!("{slash}{target}");
    let uri: Uri = target.parse().unwrap_or_default();
    let path = match target.starts_with('/') {
        true => target.split(['?', '#']).next().unwrap_or_default(),
        false => uri.path(),
    };
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap_or_default();
    let host = uri.host().map(super::host::normalized);
    let asked = Asked {
        method: &method,
        path,
        host: host.as_deref(),
        upgrade: Some(matches!(uri.scheme_str(), Some("ws" | "wss"))),
    };
    let matcher = table.matcher(asked.host);
    let found = matcher.find(&method, path, None, |_| asked.upgrade == Some(true));
    let (outcome, answering) = match found {
        Found::Endpoint(endpoint, bindings) => {
            let names = bindings.names().iter();
            let bindings = names.map(|name| {
                let value = bindings.get(name, path).unwrap_or_default();
                (name.to_string(), value.to_owned())
            });
            let outcome = Outcome::Answered {
                requests: endpoint.info.requests(),
                handler: endpoint.info.handler.clone(),
                origin: endpoint.info.origin.to_string(),
                bindings: bindings.collect(),
            };
            (outcome, Some(&**endpoint))
        }
        Found::Options(allow, _) => (Outcome::Options(text(allow)), None),
        Found::MethodNotAllowed(allow) => (Outcome::MethodNotAllowed(text(allow)), None),
        Found::BadEncoding => (Outcome::BadEncoding, None),
        Found::Nothing => (Outcome::NotFound, None),
    };
    Explanation {
        method: method.to_string(),
        path: path.to_owned(),
        outcome,
        others: near(table, &asked, answering),
    }
}

fn text(allow: &http::HeaderValue) -> String {
    allow.to_str().unwrap_or_default().to_owned()
}

impl Table {
    /// The routes nearest to a request that none of them answers.
    pub(crate) fn near(&self, head: &Head) -> Vec<NearRoute> {
        let host = super::host::host_of(head);
        let asked = Asked {
            method: head.method(),
            path: head.path(),
            host: host.as_deref(),
            upgrade: None,
        };
        near(self, &asked, None)
    }
}

fn near(table: &Table, asked: &Asked<'_>, answering: Option<&Endpoint>) -> Vec<NearRoute> {
    let others = table.routes.iter().filter(|route| {
        let answering = answering.map(std::ptr::from_ref);
        answering != Some(std::ptr::from_ref(&***route))
    });
    let compared = others.filter_map(|route| {
        let (distance, reason) = compare(route, asked, answering)?;
        Some((distance, route, reason))
    });
    let mut compared: Vec<_> = compared.collect();
    compared.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    let nearest = compared.into_iter().take(MOST);
    nearest
        .map(|(_, route, reason)| NearRoute {
            route: route.info.clone(),
            reason,
        })
        .collect()
}

/// How far `route` is from answering, and what is missing first; `None` if they have nothing to do
/// with each other.
fn compare(
    route: &Endpoint,
    asked: &Asked<'_>,
    answering: Option<&Endpoint>,
) -> Option<(f64, String)> {
    let segments = segments(asked.path);
    let (distance, reason) = distance(&route.pattern, &segments);
    // The more of the path is another one, the less does it tell.
    if distance > 0.6 * segments.len().max(1) as f64 {
        return None;
    }
    if let Some(reason) = reason {
        return Some((distance, reason));
    }
    if asked.path.len() > 1 && asked.path.ends_with("//") {
        let reason = "two slashes at the end make it another path, which nobody has";
        return Some((0.2, reason.to_owned()));
    }
    if let Some(host) = &route.info.host
        && !super::host::Host::parse(host)
            .is_ok_and(|own| asked.host.is_some_and(|asked| own.matches(asked)))
    {
        let reason = match asked.host {
            Some(asked) => format!("it is for the host `{host}`, and not `{asked}`"),
            None => format!("it is for the host `{host}`, and the request names none"),
        };
        return Some((0.3, reason));
    }
    if let Target::Protocol(handler) = &route.target {
        let protocol = &route.info.protocol;
        let reason = match handler.switches() {
            true => format!("it answers upgrades to `{protocol}` only"),
            false => format!("it answers requests for `{protocol}` only"),
        };
        if asked.upgrade != Some(true) || asked.method != Method::GET {
            return Some((0.1, reason));
        }
    }
    let methods = &route.info.methods;
    let is_head = asked.method == Method::HEAD && methods.iter().any(|one| one == "GET");
    let has = methods.is_empty() || methods.iter().any(|one| asked.method == one.as_str());
    if !has && !is_head {
        let reason = format!(
            "it answers {}, and not {}",
            methods.join(", "),
            asked.method
        );
        return Some((0.1, reason));
    }
    let first = answering?;
    Some((
        0.0,
        format!("`{}` is more particular and comes first", first.pattern),
    ))
}

/// How many segments differ, a slip of the pen counting less, and the first difference.
fn distance(pattern: &Pattern, segments: &[&str]) -> (f64, Option<String>) {
    let (mut distance, mut reason) = (0.0, None);
    let mut given = segments.iter().enumerate();
    for segment in pattern.segments() {
        match (segment, given.next()) {
            (Segment::Rest(_), _) => return (distance, reason),
            (Segment::Binding(name), None) => {
                distance += LENGTH;
                reason.get_or_insert_with(|| format!("it goes on with `/{{{name}}}`"));
            }
            (Segment::Static(text), None) => {
                distance += LENGTH;
                reason.get_or_insert_with(|| format!("it goes on with `/{text}`"));
            }
            (Segment::Binding(_), Some(_)) => {}
            (Segment::Static(text), Some((at, given))) if text != given => {
                distance += 1.0 - strsim::normalized_damerau_levenshtein(text, given) * 0.9;
                let number = at + 1;
                reason.get_or_insert_with(|| match text.eq_ignore_ascii_case(given) {
                    true => format!(
                        "segment {number} is `{text}`, and here `{given}`: upper and lower case differ"
                    ),
                    false => format!("segment {number} is `{text}`, and here `{given}`"),
                });
            }
            (Segment::Static(_), Some(_)) => {}
        }
    }
    let rest: Vec<&str> = given.map(|(_, segment)| *segment).collect();
    if !rest.is_empty() {
        distance += LENGTH * rest.len() as f64;
        reason.get_or_insert_with(|| format!("it ends before `/{}`", rest.join("/")));
    }
    (distance, reason)
}

/// For people: who answers, and then the other routes.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method, self.path)?;
        match &self.outcome {
            Outcome::Answered {
                requests,
                handler,
                origin,
                bindings,
            } => {
                write!(
                    f,
                    "`{handler}` answers, by the route `{requests}` at {origin}"
                )?;
                for (name, value) in bindings {
                    write!(f, "\n  {name} = {value:?}")?;
                }
            }
            Outcome::Options(allow) => write!(f, "204, as no route answers OPTIONS: {allow}")?,
            Outcome::MethodNotAllowed(allow) => write!(f, "405, as the methods here are {allow}")?,
            Outcome::BadEncoding => write!(f, "400, as a `%` in it encodes nothing")?,
            Outcome::NotFound => write!(f, "404, as no route has the path")?,
        }
        if !self.others.is_empty() {
            write!(f, "\nother routes near it:")?;
        }
        for NearRoute { route, reason } in &self.others {
            write!(f, "\n  {route}: {reason}")?;
        }
        Ok(())
    }
}

impl Outcome {
    /// The route that answers, if one does.
    pub fn is_answered(&self) -> bool {
        matches!(self, Outcome::Answered { .. })
    }
}
