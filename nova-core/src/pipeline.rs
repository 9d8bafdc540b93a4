//! The path of one request: router, plugins, controller, reply, plugins, response.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tracing::{Instrument, debug, error};

use crate::app::Core;
use crate::body::RequestBody;
use crate::error::{Error, Result};
use crate::life::Life;
use crate::log::{self, RequestLine};
use crate::panic;
use crate::plugin::{Chain, Flow};
use crate::protocol::{Opening, ProtocolHandler, Switch, Upgraded};
use crate::reply::Rendering;
use crate::request::{Head, Request};
use crate::response::{self, Response};
use crate::router::{Endpoint, Found, Target};
use crate::security::Access;

impl Core {
    /// Answers one request. Whatever the app's code does, there is an answer.
    pub(crate) async fn respond(
        &self,
        request: http::Request<Incoming>,
        peer: Option<SocketAddr>,
        life: &Life,
    ) -> Response {
        let line = RequestLine::begin(&self.config.log, &request);
        let answer = async {
            // Within the span, so that the line has the correlation id.
            let line = line;
            let response = self.answer(request, peer, life).await;
            if let Some(line) = line {
                line.answered(response.status());
            }
            response
        };
        answer.instrument(log::request_span()).await
    }

    async fn answer(
        &self,
        request: http::Request<Incoming>,
        peer: Option<SocketAddr>,
        life: &Life,
    ) -> Response {
        let (parts, body) = request.into_parts();
        let body = RequestBody::arriving(body, self.config.server.body_limit);
        let mut request = Request::new(parts, body, peer, Arc::clone(&self.shared));

        let (chain, next) = match self.table.find(&request) {
            Found::Endpoint(endpoint, bindings) => {
                request.bindings = bindings;
                (&endpoint.chain, Next::Endpoint(endpoint))
            }
            Found::Options(allow, chain) => (chain, Next::Answer(options(allow))),
            other => (&self.table.global, Next::Answer(no_route(other))),
        };
        let name = match &next {
            Next::Endpoint(endpoint) => &endpoint.name,
            Next::Answer(_) => "no route",
        };

        let mut before = run_before(chain, &mut request).await;
        if let (Ok(Flow::Continue), Next::Endpoint(endpoint)) = (&before, &next) {
            before = admit(endpoint, &mut request).await;
        }
        let head = Arc::clone(request.head());
        let rendering = Rendering {
            head: &head,
            views: &self.views,
            replies: &self.replies,
            view: next.view(),
        };
        let answer = match before {
            Ok(Flow::Continue) => next.answer(request, rendering).await,
            Ok(Flow::Stop(reply)) => reply.render(rendering).await.map(Answer::from),
            Err(error) => Err(error),
        };
        let mut answer = answer.unwrap_or_else(|error| Answer::from(failed(&error, name, &head)));
        run_after(chain, &head, &mut answer.response, name).await;
        keep_sound(&mut answer, name, &head);
        answer.response.body_mut().sent_by(name, &head);
        if let Some((switch, upgrade)) = answer.switch {
            let socket = switch_protocols(switch, upgrade, &answer.response, life.clone());
            life.track_socket(socket.in_current_span());
        }
        answer.response
    }
}

/// What comes between the plugins.
enum Next<'t> {
    Endpoint(&'t Endpoint),
    Answer(Response),
}

/// A response, and what follows it on the connection.
struct Answer {
    response: Response,
    switch: Option<(Switch, OnUpgrade)>,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Answer {
            response,
            switch: None,
        }
    }
}

impl<'t> Next<'t> {
    /// The view that has its name from who answers.
    fn view(&self) -> &'t str {
        match self {
            Next::Endpoint(endpoint) => &endpoint.view,
            Next::Answer(_) => "",
        }
    }

    async fn answer(self, request: Request, rendering: Rendering<'_>) -> Result<Answer> {
        match self {
            Next::Answer(response) => Ok(response.into()),
            Next::Endpoint(endpoint) => match &endpoint.target {
                Target::Action(action) => {
                    // The call itself is inside: what an action does before its first await may
                    // panic too.
                    let reply = held(Stage::Controller, async { action.call(request).await });
                    reply.await?.render(rendering).await.map(Answer::from)
                }
                Target::Protocol(handler) => open(&**handler, request, rendering).await,
            },
        }
    }
}

async fn open(
    handler: &dyn ProtocolHandler,
    mut request: Request,
    rendering: Rendering<'_>,
) -> Result<Answer> {
    let upgrade = request.upgrade.take();
    match held(Stage::Handler, async { handler.open(request).await }).await? {
        Opening::Refused(reply) => reply.render(rendering).await.map(Answer::from),
        Opening::Switch(switch) => {
            let Some(upgrade) = upgrade else {
                return Err(Error::new(400, "this connection cannot switch protocols"));
            };
            let mut response = response::empty(StatusCode::SWITCHING_PROTOCOLS);
            *response.headers_mut() = switch.headers.clone();
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            Ok(Answer {
                response,
                switch: Some((switch, upgrade)),
            })
        }
    }
}

/// Waits until hyper has sent the 101 and hands the connection over.
fn switch_protocols(
    switch: Switch,
    upgrade: OnUpgrade,
    response: &Response,
    life: Life,
) -> impl Future<Output = ()> + Send + 'static {
    let agreed = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    async move {
        let upgraded = if agreed {
            upgrade.await.map_err(std::io::Error::other)
        } else {
            drop(upgrade);
            Err(std::io::Error::other("a plugin changed the answer"))
        };
        let upgraded = upgraded.map(|io| Upgraded::new(io, life.sockets_stopping()));
        let run = switch.run(upgraded);
        if let Err(panic) = panic::catch(run).await {
            error!("a connection panicked: {panic}");
        }
    }
}

async fn run_before(chain: &Chain, request: &mut Request) -> Result<Flow> {
    for plugin in chain.iter() {
        let before = async { plugin.code.pre_request(request).await };
        let flow = held(Stage::Plugin(&plugin.name), before).await?;
        if let Flow::Stop(_) = flow {
            return Ok(flow);
        }
    }
    Ok(Flow::Continue)
}

/// Asks the security function of the route, if its group has one.
async fn admit(endpoint: &Endpoint, request: &mut Request) -> Result<Flow> {
    let Some(security) = &endpoint.security else {
        return Ok(Flow::Continue);
    };
    let check = async { security.code.check(request).await };
    match held(Stage::Security(&security.name), check).await? {
        Access::Granted => Ok(Flow::Continue),
        Access::GrantedAs(data) => {
            request.auth_data = Some(data);
            Ok(Flow::Continue)
        }
        Access::Denied(reply) => Ok(Flow::Stop(reply)),
    }
}

async fn run_after(chain: &Chain, head: &Head, response: &mut Response, name: &str) {
    for plugin in chain.iter() {
        let after = async { plugin.code.post_request(head, response).await };
        if let Err(error) = held(Stage::Plugin(&plugin.name), after).await {
            *response = failed(&error, name, head);
        }
    }
}

/// Puts right what a plugin has put into a response that would break the connection.
fn keep_sound(answer: &mut Answer, name: &str, head: &Head) {
    let headers = answer.response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    if let Some(cookie) = head.session_cookie() {
        headers.append(header::SET_COOKIE, cookie);
    }
    let status = answer.response.status();
    if status.is_informational() && answer.switch.is_none() {
        let error = Error::internal(format!("a plugin answered with {status}"));
        answer.response = failed(&error, name, head);
    }
}

/// Whose code runs.
enum Stage<'s> {
    Plugin(&'s str),
    Security(&'s str),
    Controller,
    Handler,
}

impl fmt::Display for Stage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Plugin(name) => write!(f, "the plugin `{name}`"),
            Stage::Security(name) => write!(f, "the security function `{name}`"),
            Stage::Controller => f.write_str("the controller"),
            Stage::Handler => f.write_str("the handler"),
        }
    }
}

/// Runs a stage of the app's code; a panic in it is an error.
async fn held<T>(stage: Stage<'_>, work: impl Future<Output = Result<T>>) -> Result<T> {
    match panic::catch(work).await {
        Ok(result) => result,
        Err(message) => Err(Error::internal(format!("{stage} panicked: {message}"))),
    }
}

/// The answer to an error; what the client does not learn is logged.
fn failed(error: &Error, name: &str, head: &Head) -> Response {
    let (method, path, status) = (head.method(), head.path(), error.status().as_u16());
    if error.status().is_server_error() {
        error!(%method, path, status, route = name, "{error}");
    } else {
        debug!(%method, path, status, route = name, "{error}");
    }
    Response::from(error)
}

fn options(allow: &HeaderValue) -> Response {
    with_allow(response::empty(StatusCode::NO_CONTENT), allow)
}

fn no_route(found: Found<'_>) -> Response {
    match found {
        Found::MethodNotAllowed(allow) => {
            let detail = format!(
                "the methods here are {}",
                allow.to_str().unwrap_or_default()
            );
            let problem = response::problem(StatusCode::METHOD_NOT_ALLOWED, Some(&detail));
            with_allow(problem, allow)
        }
        Found::BadEncoding => response::problem(
            StatusCode::BAD_REQUEST,
            Some("the path is badly encoded: a `%` begins two hexadecimal digits"),
        ),
        _ => response::problem(StatusCode::NOT_FOUND, None),
    }
}

fn with_allow(mut response: Response, allow: &HeaderValue) -> Response {
    response.headers_mut().insert(header::ALLOW, allow.clone());
    response
}
