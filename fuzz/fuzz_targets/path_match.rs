//! Any routes, and any requests to them: there is no panic, and the model of the tests agrees.
//!
//! A line is a route, `GET,POST /prefix /path`, with `*` for all methods and `-` for no prefix. An
//! empty line ends the routes; each line behind it is a request, `GET /path`.

#![no_main]

use std::str::FromStr;

use libfuzzer_sys::{Corpus, fuzz_target};
use tokio::runtime::Builder;

#[expect(dead_code, reason = "the tests make requests with the rest")]
#[path = "../../nova-core/tests/matching/model.rs"]
mod model;
#[path = "../../nova-core/tests/matching/real.rs"]
mod real;

use model::Route;
use real::Real;

fuzz_target!(|text: &str| -> Corpus { check(text) });

fn check(text: &str) -> Corpus {
    let (routes, requests) = text.split_once("\n\n").unwrap_or((text, ""));
    let Some(routes) = routes.lines().map(route).collect::<Option<Vec<Route>>>() else {
        return Corpus::Reject;
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        match Real::new(&routes) {
            Ok(real) => {
                assert!(
                    !model::conflict(&routes),
                    "a conflict is not noticed: {routes:?}"
                );
                for (method, path) in requests.lines().filter_map(request) {
                    let expected = model::answer(&routes, method, path);
                    let answer = real.answer(method, path).await;
                    assert_eq!(answer, expected, "{method} {path} of {routes:?}");
                }
            }
            Err(errors) if real::are_conflicts(&errors) => {
                assert!(model::conflict(&routes), "there is no conflict: {errors}");
            }
            // A path or a method is none: nothing was compiled that could be compared.
            Err(errors) => assert!(!errors.to_string().is_empty()),
        }
    });
    Corpus::Keep
}

fn route(line: &str) -> Option<Route> {
    let mut words = line.split(' ');
    let (methods, prefix, path) = (words.next()?, words.next()?, words.next()?);
    let methods = match methods {
        "*" => None,
        some => Some(some.split(',').map(str::to_uppercase).collect()),
    };
    let prefix = if prefix == "-" { "" } else { prefix };
    Some(Route::new(prefix.to_owned(), path.to_owned(), methods))
}

/// What a client can send. `CONNECT` has no path, and the router explains methods in capitals.
fn request(line: &str) -> Option<(&str, &str)> {
    let (method, path) = line.split_once(' ')?;
    let uri = http::Uri::from_str(path).ok()?;
    let sent = http::Method::from_str(method).is_ok_and(|method| method != http::Method::CONNECT)
        && method == method.to_ascii_uppercase()
        && path.starts_with('/')
        && uri.path() == path;
    sent.then_some((method, path))
}
