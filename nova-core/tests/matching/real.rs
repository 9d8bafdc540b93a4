//! The real router, asked what the [model](crate::model) is asked.

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};

use nova_core::testing::TestClient;
use nova_core::{
    App, BuildError, BuildErrors, Group, Outcome, Reply, Request, Result, Router, methods, status,
};

use crate::model::{Answer, Route};

/// An app of routes that say who they are and what they have bound.
#[derive(Debug)]
pub(crate) struct Real {
    client: TestClient,
    router: Router,
    said: Said,
}

/// What the route that was asked last says: no header can carry it, for it is any text.
type Said = Arc<Mutex<Option<Answer>>>;

impl Real {
    /// Starts an app of these routes.
    ///
    /// # Errors
    /// What the app is refused for.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn new(routes: &[Route]) -> Result<Self, BuildErrors> {
        let said = Said::default();
        let app = app(routes, &said)?;
        Ok(Real {
            router: app.router().clone(),
            client: TestClient::new(app),
            said,
        })
    }

    /// What a request gets.
    ///
    /// # Panics
    /// If it is none of the [`Answer`]s, or if the router explains another.
    pub(crate) async fn answer(&self, method: &str, path: &str) -> Answer {
        let response = self.client.request(method, path).await;
        let allow = response.header("allow").unwrap_or_default();
        let answer = match response.status().as_u16() {
            200 => {
                let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                said.clone().expect("a route has answered")
            }
            204 => Answer::Options(list(allow)),
            405 => Answer::MethodNotAllowed(list(allow)),
            404 => Answer::NotFound,
            400 => Answer::BadEncoding,
            other => panic!("{method} {path} is answered with {other}"),
        };
        let explained = explained(self.router.explain(method, path).outcome);
        assert_eq!(explained, answer, "{method} {path} is explained otherwise");
        answer
    }
}

/// The outcome as an answer. The routes of the [`app`] are called by their numbers.
fn explained(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Answered {
            handler, bindings, ..
        } => {
            let index = handler.parse().expect("it is a number");
            Answer::Route(index, bindings)
        }
        Outcome::Options(allow) => Answer::Options(list(&allow)),
        Outcome::MethodNotAllowed(allow) => Answer::MethodNotAllowed(list(&allow)),
        Outcome::BadEncoding => Answer::BadEncoding,
        Outcome::NotFound => Answer::NotFound,
        other => panic!("{other:?} is new"),
    }
}

fn list(allow: &str) -> BTreeSet<String> {
    allow.split(", ").map(str::to_owned).collect()
}

/// Whether it is conflicts that an app is refused for, and nothing else.
pub(crate) fn are_conflicts(errors: &BuildErrors) -> bool {
    let mut errors = errors.iter();
    errors.all(|error| matches!(error, BuildError::Conflict { .. }))
}

fn app(routes: &[Route], said: &Said) -> Result<App, BuildErrors> {
    let mut app = App::builder();
    for (index, route) in routes.iter().enumerate() {
        let mut group = Group::new();
        if !route.prefix.is_empty() {
            group = group.prefix(&route.prefix);
        }
        let (path, name) = (route.path.as_str(), index.to_string());
        app = app.action(&name, action(index, route.names(), Arc::clone(said)));
        group = match &route.methods {
            None => group.route((path, &*name)),
            Some(named) => group.route((path, &*name, methods(named))),
        };
        app = app.group(group);
    }
    app.build()
}

fn action(
    index: usize,
    names: Vec<String>,
    said: Said,
) -> impl Fn(Request) -> Ready<Result<Reply>> {
    move |request| {
        let values: Result<Vec<(String, String)>> = names
            .iter()
            .map(|name| Ok((name.clone(), request.binding(name)?)))
            .collect();
        ready(values.map(|values| {
            let answer = Answer::Route(index, values);
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            status(200)
        }))
    }
}
