//! The real router, asked what the [model](crate::model) is asked.

use std::sync::{Arc, Mutex, PoisonError};

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{Action, App, BuildError, BuildErrors, Group, Request, Result, methods, status};

use crate::model::{Answer, Route};

/// An app of routes that say who they are and what they have bound.
#[derive(Debug)]
pub(crate) struct Router {
    client: TestClient,
    said: Said,
}

/// What the route that was asked last says: no header can carry it, for it is any text.
type Said = Arc<Mutex<Option<Answer>>>;

impl Router {
    /// Starts an app of these routes.
    ///
    /// # Errors
    /// What the app is refused for.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn new(routes: &[Route]) -> Result<Self, BuildErrors> {
        let said = Said::default();
        let client = TestClient::new(app(routes, &said)?);
        Ok(Router { client, said })
    }

    /// What a request gets.
    ///
    /// # Panics
    /// If it is none of the [`Answer`]s.
    pub(crate) async fn answer(&self, method: &str, path: &str) -> Answer {
        let response = self.client.request(method, path).await;
        match response.status().as_u16() {
            200 => {
                let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                said.clone().expect("a route has answered")
            }
            204 => Answer::Options(allowed(&response)),
            405 => Answer::MethodNotAllowed(allowed(&response)),
            404 => Answer::NotFound,
            400 => Answer::BadEncoding,
            other => panic!("{method} {path} is answered with {other}"),
        }
    }
}

/// Whether it is conflicts that an app is refused for, and nothing else.
pub(crate) fn are_conflicts(errors: &BuildErrors) -> bool {
    let mut errors = errors.iter();
    errors.all(|error| matches!(error, BuildError::Conflict { .. }))
}

fn allowed(response: &TestResponse) -> std::collections::BTreeSet<String> {
    let allow = response.header("allow").expect("it has an `allow`");
    allow.split(", ").map(str::to_owned).collect()
}

fn app(routes: &[Route], said: &Said) -> Result<App, BuildErrors> {
    let mut app = App::builder();
    for (index, route) in routes.iter().enumerate() {
        let mut group = Group::new();
        if !route.prefix.is_empty() {
            group = group.prefix(&route.prefix);
        }
        let path = route.path.as_str();
        let action = action(index, route.names(), Arc::clone(said));
        group = match &route.methods {
            None => group.route((path, action)),
            Some(named) => group.route((path, action, methods(named))),
        };
        app = app.group(group);
    }
    app.build()
}

fn action(index: usize, names: Vec<String>, said: Said) -> Action {
    Action::new(move |request: Request| {
        let values: Result<Vec<(String, String)>> = names
            .iter()
            .map(|name| Ok((name.clone(), request.binding(name)?)))
            .collect();
        let said = Arc::clone(&said);
        async move {
            let answer = Answer::Route(index, values?);
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Ok::<_, nova_core::Error>(status(200))
        }
    })
}
