//! The path of one request: router, plugins, controller, reply, plugins, response.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use http_body::Body;
use hyper::upgrade::OnUpgrade;
use tracing::{Instrument, debug, error};

use crate::app::Core;
use crate::body::{ArrivingBody, RequestBody};
use crate::config::Environment;
use crate::error::{Error, Result};
use crate::failure::Failed;
use crate::life::Life;
use crate::log::{self, RequestLine};
use crate::panic;
use crate::plugin::{Chain, Deadline, Flow, within};
use crate::protocol::{Opening, ProtocolHandler, Switch, Upgraded};
use crate::reply::Rendering;
use crate::request::{Head, Request};
use crate::response::{self, Response};
use crate::router::{Endpoint, Found, StatusPage, Table, Target};
use crate::security::Access;

impl Core {
    /// Answers one request. Whatever the app's code does, there is an answer.
    pub(crate) async fn respond<B: Into<ArrivingBody>>(
        &self,
        request: http::Request<B>,
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

    async fn answer<B: Into<ArrivingBody>>(
        &self,
        request: http::Request<B>,
        peer: Option<SocketAddr>,
        life: &Life,
    ) -> Response {
        let (parts, body) = request.into_parts();
        let body = RequestBody::arriving(body.into(), self.config.server.body_limit);
        let mut request = Request::new(parts, body, peer, Arc::clone(&self.shared));

        let table = self.shared.router.table();
        let (chain, next) = match table.find(&request) {
            Found::Endpoint(endpoint, bindings) => {
                request.bindings = bindings;
                request.extra.clone_from(&endpoint.extra);
                if let Some(bytes) = endpoint.limits.body_limit {
                    request.limit_body(bytes);
                }
                (&endpoint.chain, Next::Endpoint(endpoint))
            }
            Found::Options(allow, chain) => (chain, Next::Options(allow)),
            other => (&table.global, Next::NoRoute(other)),
        };
        let mut before = run_before(chain, &mut request).await;
        if let (Ok(Flow::Continue), Next::Endpoint(endpoint)) = (&before, &next) {
            let deadline = Deadline::of(&request);
            before = within(deadline, admit(endpoint, &mut request)).await;
        }
        let deadline = Deadline::of(&request);
        let asked = Asked {
            core: self,
            table: &table,
            head: Arc::clone(request.head()),
            endpoint: next.endpoint(),
        };
        let answer = match before {
            Ok(Flow::Continue | Flow::Break) => {
                within(deadline, next.answer(request, &asked)).await
            }
            Ok(Flow::Stop(reply)) => reply.render(asked.rendering()).await.map(Answer::from),
            Err(error) => Err(error),
        };
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => Box::pin(asked.failed(error)).await.into(),
        };
        if asked.lacks_page(&answer.response) {
            Box::pin(asked.give_page(&mut answer.response)).await;
        }
        run_after(chain, &asked, &mut answer.response).await;
        keep_sound(&mut answer, &asked).await;
        let body = answer.response.body_mut();
        body.sent_by(asked.route(), &asked.head);
        if let Some((switch, upgrade)) = answer.switch {
            let socket = switch_protocols(switch, upgrade, &answer.response, life.clone());
            life.track_socket(socket.in_current_span());
        }
        answer.response
    }
}

/// A request that is being answered, without its body.
struct Asked<'a> {
    core: &'a Core,
    table: &'a Table,
    head: Arc<Head>,
    /// The route that answers, if one does.
    endpoint: Option<&'a Endpoint>,
}

impl Asked<'_> {
    fn rendering(&self) -> Rendering<'_> {
        Rendering {
            head: &self.head,
            views: &self.core.views,
            replies: &self.core.replies,
            view: self.endpoint.map_or("", |endpoint| &endpoint.view),
        }
    }

    /// The answer to an error; what the client does not learn is logged.
    async fn failed(&self, error: Error) -> Response {
        self.log(&error);
        match self.table.status_page(&self.head, error.status()) {
            Some(page) => self.page(page, error).await,
            None => self.without_page(&error),
        }
    }

    fn without_page(&self, error: &Error) -> Response {
        let environment = self.core.config.environment;
        let is_lost = self.endpoint.is_none() && environment == Environment::Dev;
        let failed = Failed {
            environment,
            head: &self.head,
            error,
            route: self.endpoint.map(|endpoint| &endpoint.info),
            near: match is_lost {
                true => self.table.near(&self.head),
                false => Vec::new(),
            },
        };
        failed.response()
    }

    /// Whether an answer is one that a status page may be for.
    fn lacks_page(&self, response: &Response) -> bool {
        let status = response.status();
        (status.is_client_error() || status.is_server_error())
            && response.body().size_hint().exact() == Some(0)
    }

    /// Gives an answer that has no body the page for its status, if there is one.
    async fn give_page(&self, response: &mut Response) {
        let Some(page) = self.table.status_page(&self.head, response.status()) else {
            return;
        };
        let mut error = Error::from_status(response.status().as_u16());
        for (name, value) in response.headers() {
            error = error.with_header(name, value);
        }
        *response = self.page(page, error).await;
    }

    /// What a status page says of an error; one that fails itself says nothing.
    async fn page(&self, page: &StatusPage, error: Error) -> Response {
        let error = Arc::new(error);
        let request = Request::again(Arc::clone(&self.head), Arc::clone(&error));
        let reply = held(Stage::StatusPage, async { page.action.call(request).await });
        let rendering = Rendering {
            view: &page.view,
            ..self.rendering()
        };
        let rendered = match reply.await {
            Ok(reply) => reply.or_status(error.status()).render(rendering).await,
            Err(error) => Err(error),
        };
        match rendered {
            Ok(mut response) => {
                // What the answer has said beside its body, such as `www-authenticate`, is still so.
                for name in error.headers().keys() {
                    if name != header::CONTENT_TYPE && !response.headers().contains_key(name) {
                        for value in error.headers().get_all(name) {
                            response.headers_mut().append(name, value.clone());
                        }
                    }
                }
                response
            }
            Err(error) => {
                self.log(&error);
                self.without_page(&error)
            }
        }
    }

    /// For the log.
    fn route(&self) -> &dyn fmt::Display {
        match self.endpoint {
            Some(endpoint) => &endpoint.info,
            None => &"no route",
        }
    }

    fn log(&self, error: &Error) {
        let (method, path) = (self.head.method(), self.head.path());
        let status = error.status().as_u16();
        let route = self.route();
        if error.status().is_server_error() {
            error!(%method, path, status, %route, "{error}");
        } else {
            debug!(%method, path, status, %route, "{error}");
        }
    }
}

/// What comes between the plugins.
enum Next<'t> {
    Endpoint(&'t Endpoint),
    Options(&'t HeaderValue),
    NoRoute(Found<'t>),
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
    fn endpoint(&self) -> Option<&'t Endpoint> {
        match self {
            Next::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    async fn answer(self, request: Request, asked: &Asked<'_>) -> Result<Answer> {
        match self {
            Next::Options(allow) => {
                let mut response = response::empty(StatusCode::NO_CONTENT);
                response.headers_mut().insert(header::ALLOW, allow.clone());
                Ok(response.into())
            }
            Next::NoRoute(found) => Err(no_route(&found)),
            Next::Endpoint(endpoint) => match &endpoint.target {
                Target::Action(action) => {
                    // The call itself is inside: what an action does before its first await may
                    // panic too.
                    let reply = held(Stage::Controller, async { action.call(request).await });
                    reply
                        .await?
                        .render(asked.rendering())
                        .await
                        .map(Answer::from)
                }
                Target::Protocol(handler) => open(&**handler, request, asked).await,
            },
        }
    }
}

async fn open(
    handler: &dyn ProtocolHandler,
    mut request: Request,
    asked: &Asked<'_>,
) -> Result<Answer> {
    let upgrade = request.upgrade.take();
    match held(Stage::Handler, async { handler.open(request).await }).await? {
        Opening::Refused(reply) => reply.render(asked.rendering()).await.map(Answer::from),
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
        let deadline = Deadline::of(request);
        let before = async { plugin.code.pre_request(request).await };
        let before = held(Stage::Plugin(&plugin.name), before);
        match within(deadline, before).await? {
            Flow::Continue => {}
            Flow::Break => break,
            stop @ Flow::Stop(_) => return Ok(stop),
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

async fn run_after(chain: &Chain, asked: &Asked<'_>, response: &mut Response) {
    for plugin in chain.iter() {
        let after = async { plugin.code.post_request(&asked.head, response).await };
        match held(Stage::Plugin(&plugin.name), after).await {
            Ok(Flow::Continue) => {}
            Ok(Flow::Break) => break,
            Ok(Flow::Stop(reply)) => {
                match Box::pin(reply.render(asked.rendering())).await {
                    Ok(reply) => *response = reply,
                    Err(error) => *response = Box::pin(asked.failed(error)).await,
                }
                break;
            }
            Err(error) => *response = Box::pin(asked.failed(error)).await,
        }
    }
}

/// Puts right what a plugin has put into a response that would break the connection.
async fn keep_sound(answer: &mut Answer, asked: &Asked<'_>) {
    let status = answer.response.status();
    if status.is_informational() && answer.switch.is_none() {
        let error = Error::internal(format!("a plugin answered with {status}"));
        answer.response = Box::pin(asked.failed(error)).await;
    }
    let headers = answer.response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    if let Some(cookie) = asked.head.session_cookie() {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// Whose code runs.
enum Stage<'s> {
    Plugin(&'s str),
    Security(&'s str),
    Controller,
    Handler,
    StatusPage,
}

impl fmt::Display for Stage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Plugin(name) => write!(f, "the plugin `{name}`"),
            Stage::Security(name) => write!(f, "the security function `{name}`"),
            Stage::Controller => f.write_str("the controller"),
            Stage::Handler => f.write_str("the handler"),
            Stage::StatusPage => f.write_str("the status page"),
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

/// Why no route answers.
fn no_route(found: &Found<'_>) -> Error {
    match found {
        Found::MethodNotAllowed(allow) => {
            let methods = allow.to_str().unwrap_or_default();
            Error::new(405, format!("the methods here are {methods}"))
                .with_header(header::ALLOW, *allow)
        }
        Found::BadEncoding => Error::new(
            400,
            "the path is badly encoded: a `%` begins two hexadecimal digits",
        ),
        _ => Error::from_status(404),
    }
}
