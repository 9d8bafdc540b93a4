//! The path of one request: router, plugins, controller, reply, plugins, response.

mod stage;

use std::fmt;
use std::sync::Arc;

use futures_util::future::Either;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body;
use hyper::upgrade::OnUpgrade;
use tracing::{Instrument, debug, error};

use crate::app::Core;
use crate::body::{ArrivingBody, RequestBody};
use crate::config::Environment;
use crate::error::{Error, Result};
use crate::failure::Failed;
use crate::fallback::{Failure, Resolver};
use crate::life::Life;
use crate::log::{self, RequestLine};
use crate::mounted::Parts;
use crate::panic;
use crate::plugin::{Chain, Deadline, Flow};
use crate::protocol::{Opening, ProtocolHandler, Switch, Upgraded};
use crate::reply::{Rendering, Reply};
use crate::request::{Head, Request, Via};
use crate::response::{self, Response};
use crate::router::{Endpoint, Found, StatusPage, Table, Target};
use crate::security::{Access, NamedSecurity};
use stage::Stage;

/// A request as it comes from its connection.
///
/// It is made before the future that answers it: hyper moves that future, and what a future is given,
/// it has room for twice.
pub(crate) struct Received {
    request: Request,
    /// Where requests get one.
    line: Option<Box<RequestLine>>,
}

impl Core {
    pub(crate) fn receive<B: Into<ArrivingBody>>(
        &self,
        request: http::Request<B>,
        via: Arc<Via>,
    ) -> Received {
        let line = RequestLine::begin(&self.config.log, &request);
        let (parts, body) = request.into_parts();
        let server = &self.config.server;
        let body = RequestBody::arriving(body.into(), server.body_limit, server.body_timeout);
        Received {
            request: Request::new(parts, body, via),
            line: line.map(Box::new),
        }
    }

    /// Answers one request. Whatever the app's code does, there is an answer.
    #[inline]
    pub(crate) fn respond<'a>(
        &'a self,
        received: Received,
        life: &'a Life,
    ) -> impl Future<Output = Response> + Send + use<'a> {
        let Received { request, line } = received;
        let span = log::request_span();
        let answer = self.answer(request, life);
        if line.is_none() && span.is_disabled() {
            return Either::Left(answer);
        }
        let answer = async move {
            // Within the span, so that the line has the correlation id.
            let line = line;
            let response = answer.await;
            if let Some(line) = line {
                line.answered(response.status());
            }
            response
        };
        Either::Right(Box::pin(answer.instrument(span)))
    }

    /// What is rare here is behind a pointer, and little is held while something is waited for: hyper
    /// moves this future for each request. For the same reason it is no `async fn`.
    #[inline]
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` has room for its arguments twice"
    )]
    fn answer<'a>(
        &'a self,
        mut request: Request,
        life: &'a Life,
    ) -> impl Future<Output = Response> + Send + use<'a> {
        async move {
            let table = self.shared.router.table();
            let (chain, next) = next(&table, &mut request);
            let security = next.security();
            let stop = match chain.is_empty() && security.is_empty() {
                true => Ok(None),
                false => run_before(chain, security, &mut request).await,
            };
            let stop = match stop {
                Ok(None) if request.is_too_long() => Box::pin(request.body()).await.map(|_| None),
                stop => stop,
            };
            let deadline = Deadline::of(&request);
            let asked = Asked {
                core: self,
                table: &table,
                head: Arc::clone(request.head()),
                endpoint: next.endpoint(),
                life,
            };
            let answer = match (stop, next) {
                (Ok(Some(reply)), _) => Ok(Answer::Reply(*reply)),
                (Err(error), _) => Err(error.into()),
                (
                    Ok(None),
                    Next::Endpoint(Endpoint {
                        target: Target::Action(action),
                        ..
                    }),
                ) => {
                    let reply = Stage::Controller.run(|| action.call(request));
                    let reply = match deadline {
                        None => reply.await,
                        Some(deadline) => Box::pin(deadline.within(reply)).await,
                    };
                    reply.map(Answer::Reply).map_err(Into::into)
                }
                (Ok(None), next) => Box::pin(within(deadline, next.answer(request, &asked))).await,
            };
            let mut switch = None;
            let rendered = match answer {
                Ok(Answer::Reply(reply)) => reply.render_now(asked.rendering()),
                Ok(Answer::Response(response)) => Ok(Ok(response)),
                Ok(Answer::Switch(agreed)) => Ok(Ok(switch.insert(agreed).response())),
                Err(failure) => Ok(Err(failure)),
            };
            let mut response = match rendered {
                Ok(Ok(response)) if !asked.lacks_page(&response) => response,
                rendered => Box::pin(asked.settled(rendered, deadline)).await,
            };
            if !chain.is_empty() {
                run_after(chain, &asked, &mut response).await;
                if response.status().is_informational() && switch.is_none() {
                    let told = format!("a plugin answered with {}", response.status());
                    response = Box::pin(asked.failed(Error::internal(told).into())).await;
                }
            }
            if !chain.is_empty() || switch.is_some() {
                remove_framing(&mut response);
            }
            if let Some(cookie) = asked.head.session_cookie() {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response.body_mut().sent_by(asked.route(), &asked.head);
            if let Some(switch) = switch {
                let socket = switch_protocols(*switch, &response, life.clone());
                life.track_socket(socket.in_current_span());
            }
            response
        }
    }
}

/// A request that is being answered, without its body.
struct Asked<'a> {
    core: &'a Core,
    table: &'a Table,
    head: Arc<Head>,
    /// The route that answers, if one does.
    endpoint: Option<&'a Endpoint>,
    life: &'a Life,
}

impl Asked<'_> {
    fn rendering(&self) -> Rendering<'_> {
        let of_route = self.endpoint.and_then(|endpoint| endpoint.app.as_ref());
        Rendering {
            view: self.endpoint.map_or("", |endpoint| &endpoint.view),
            ..self.rendering_of(of_route)
        }
    }

    /// With what a mounted app, or the whole app, renders.
    fn rendering_of<'r>(&'r self, app: Option<&'r Arc<Parts>>) -> Rendering<'r> {
        let parts = app.unwrap_or(&self.core.parts);
        Rendering {
            head: &self.head,
            views: &parts.views,
            replies: &parts.replies,
            view: "",
        }
    }

    /// The mounted app of the route, if it is of one, and the whole app.
    fn apps(&self) -> impl Iterator<Item = &Arc<Parts>> {
        let of_route = self.endpoint.and_then(|endpoint| endpoint.app.as_ref());
        of_route.into_iter().chain([&self.core.parts])
    }

    /// The answer that is to be waited for: for a file or a handler, or since the reply is a failure, or
    /// lacks a page.
    async fn settled(
        &self,
        rendered: Result<Result<Response, Failure>, Reply>,
        deadline: Option<Deadline>,
    ) -> Response {
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(waiting) => within(deadline, waiting.render(self.rendering())).await,
        };
        let mut response = match rendered {
            Ok(response) => response,
            Err(failure) => self.failed(failure).await,
        };
        if self.lacks_page(&response) {
            self.give_page(&mut response).await;
        }
        response
    }

    /// The answer to a failure: that of the nearest fallback that has one, or the framework's.
    async fn failed(&self, mut failure: Failure) -> Response {
        for fallback in self.fallbacks() {
            match self.resolved(fallback, self.mapped(failure)).await {
                Ok(response) => return response,
                Err(handed_on) => failure = handed_on,
            }
        }
        self.unresolved(self.mapped(failure).into_error()).await
    }

    /// From the controller outwards.
    fn fallbacks(&self) -> impl Iterator<Item = &Resolver> {
        let of_controller = match self.endpoint.map(|endpoint| &endpoint.target) {
            Some(Target::Action(action)) => action.fallback.as_ref(),
            _ => None,
        };
        let of_group = self
            .endpoint
            .and_then(|endpoint| endpoint.fallback.as_ref());
        let of_group = of_group.map(|fallback| &fallback.code);
        let of_apps = self.apps().filter_map(|app| app.fallback.as_ref());
        of_controller.into_iter().chain(of_group).chain(of_apps)
    }

    /// What an error of the app's own types means.
    fn mapped(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Error(error) => self
                .apps()
                .fold(error, |error, app| app.error_mappings.apply(error))
                .into(),
            value => value,
        }
    }

    /// What a fallback makes of a failure; what it hands on, or comes to itself, is a failure again.
    async fn resolved(&self, fallback: &Resolver, failure: Failure) -> Result<Response, Failure> {
        let error = failure.error();
        let error = error.map(|error| (error.status(), error.to_string(), error.headers().clone()));
        let (status, told, headers) = match error {
            Some((status, told, headers)) => (Some(status), told, headers),
            None => (None, String::new(), HeaderMap::new()),
        };
        let log = |answer: StatusCode| {
            if status.is_some() {
                self.log(answer, &told);
            }
        };
        let failed = |failure: Failure| {
            log(StatusCode::INTERNAL_SERVER_ERROR);
            failure
        };
        let resolve = panic::catch(async { fallback.resolve(failure, &self.head).await });
        let mut reply = match resolve.await {
            Ok(reply) => reply?,
            Err(message) => {
                let panicked = format!("the fallback `{}` panicked: {message}", fallback.name());
                return Err(failed(Error::internal(panicked).into()));
            }
        };
        if let Some(status) = status {
            reply = reply.or_status(status);
        }
        let mut response = reply.render(self.rendering()).await.map_err(failed)?;
        log(response.status());
        keep_headers(&mut response, &headers);
        Ok(response)
    }

    /// The answer to an error that no fallback has answered; what the client does not learn is
    /// logged.
    async fn unresolved(&self, error: Error) -> Response {
        self.log(error.status(), &error);
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
        let error = Error::from_status(response.status().as_u16());
        let error = error.with_headers_of(response.headers());
        *response = self.page(page, error).await;
    }

    /// What a status page says of an error; one that fails itself says nothing.
    async fn page(&self, page: &StatusPage, error: Error) -> Response {
        let error = Arc::new(error);
        let request = Request::again(Arc::clone(&self.head), Arc::clone(&error));
        let reply = Stage::StatusPage.run(|| page.action.call(request));
        let rendering = Rendering {
            view: &page.view,
            ..self.rendering_of(page.app.as_ref())
        };
        let rendered = match reply.await {
            Ok(reply) => reply.or_status(error.status()).render(rendering).await,
            Err(error) => Err(error.into()),
        };
        match rendered {
            Ok(mut response) => {
                keep_headers(&mut response, error.headers());
                response
            }
            Err(failure) => {
                let error = failure.into_error();
                self.log(error.status(), &error);
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

    /// The level goes by the status of the answer: what is the client's is for those who look.
    fn log(&self, status: StatusCode, told: &dyn fmt::Display) {
        let (method, path) = (self.head.method(), self.head.path());
        let (code, route) = (status.as_u16(), self.route());
        if status.is_server_error() {
            error!(%method, path, status = code, %route, "{told}");
        } else {
            debug!(%method, path, status = code, %route, "{told}");
        }
    }
}

/// Adds what an error says beside its body, such as `www-authenticate`, to the answer that takes the
/// place of the error's. What the answer says itself stays; cookies are set by both.
fn keep_headers(response: &mut Response, headers: &HeaderMap) {
    for name in headers.keys() {
        if name == header::SET_COOKIE || !response.headers().contains_key(name) {
            for value in headers.get_all(name) {
                response.headers_mut().append(name, value.clone());
            }
        }
    }
}

/// What comes between the plugins.
enum Next<'t> {
    Endpoint(&'t Endpoint),
    Options(&'t HeaderValue),
    NoRoute(Error),
}

/// Who answers, and the plugins around it.
fn next<'t>(table: &'t Table, request: &mut Request) -> (&'t Chain, Next<'t>) {
    match table.find(request) {
        Found::Endpoint(endpoint, bindings) => {
            // Where there is something to say: the head looks each time whether it is shared.
            if !bindings.is_empty() || endpoint.extra.is_some() || endpoint.app.is_some() {
                let head = &mut **request;
                head.bindings = bindings;
                head.extra.clone_from(&endpoint.extra);
                head.mounted.clone_from(&endpoint.app);
            }
            if let Some(bytes) = endpoint.limits.body {
                request.limit_body(bytes);
            }
            (&endpoint.chain, Next::Endpoint(endpoint))
        }
        Found::Options(allow, chain) => (chain, Next::Options(allow)),
        other => (&table.global, Next::NoRoute(no_route(&other))),
    }
}

/// What comes of it.
enum Answer {
    Reply(Reply),
    Response(Response),
    Switch(Box<Agreed>),
}

/// A switch of protocols that the handler has agreed to.
struct Agreed {
    switch: Switch,
    upgrade: OnUpgrade,
}

impl Agreed {
    fn response(&self) -> Response {
        let mut response = response::empty(StatusCode::SWITCHING_PROTOCOLS);
        *response.headers_mut() = self.switch.headers.clone();
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        response
    }
}

impl<'t> Next<'t> {
    fn endpoint(&self) -> Option<&'t Endpoint> {
        match self {
            Next::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    fn security(&self) -> &'t [NamedSecurity] {
        self.endpoint().map_or(&[], |endpoint| &endpoint.security)
    }

    async fn answer(self, request: Request, asked: &Asked<'_>) -> Result<Answer, Failure> {
        match self {
            Next::Options(allow) => {
                let mut response = response::empty(StatusCode::NO_CONTENT);
                response.headers_mut().insert(header::ALLOW, allow.clone());
                Ok(Answer::Response(response))
            }
            // What status pages are for; the app's fallbacks are for what its own code gives.
            Next::NoRoute(error) => Ok(Answer::Response(asked.unresolved(error).await)),
            Next::Endpoint(endpoint) => match &endpoint.target {
                Target::Action(action) => {
                    let reply = Stage::Controller.run(|| action.call(request));
                    Ok(Answer::Reply(reply.await?))
                }
                Target::Protocol(handler) => Ok(open(&**handler, request, asked.life).await?),
            },
        }
    }
}

async fn open(handler: &dyn ProtocolHandler, mut request: Request, life: &Life) -> Result<Answer> {
    let upgrade = request.upgrade.take();
    match Stage::Handler.run(|| handler.open(request)).await? {
        Opening::Refused(reply) => Ok(Answer::Reply(reply)),
        Opening::Switch(switch) => match upgrade {
            Some(upgrade) => Ok(Answer::Switch(Box::new(Agreed { switch, upgrade }))),
            None => Err(Error::new(400, "this connection cannot switch protocols")),
        },
        Opening::Stream(streaming) => {
            let (reply, run) = streaming.begin(life.stopping());
            life.track_socket(guarded(run).in_current_span());
            Ok(Answer::Reply(reply))
        }
    }
}

/// A handler's work in a task of its own, where a panic shall not go unheard.
async fn guarded(run: impl Future<Output = ()>) {
    if let Err(panic) = panic::catch(run).await {
        error!("a connection panicked: {panic}");
    }
}

/// Waits until hyper has sent the 101 and hands the connection over.
fn switch_protocols(
    agreed: Agreed,
    response: &Response,
    life: Life,
) -> impl Future<Output = ()> + Send + 'static {
    let Agreed { switch, upgrade } = agreed;
    let is_sent = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    async move {
        let stopping = life.sockets_stopping();
        drop(life);
        let upgraded = if is_sent {
            upgrade.await.map_err(std::io::Error::other)
        } else {
            drop(upgrade);
            Err(std::io::Error::other("a plugin changed the answer"))
        };
        let upgraded = upgraded.map(|io| Upgraded::new(io, stopping));
        if let Some(run) = switch.run(upgraded) {
            guarded(run).await;
        }
    }
}

/// `work`, in time if there is a deadline.
async fn within<T, E: From<Error>>(
    deadline: Option<Deadline>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match deadline {
        None => work.await,
        Some(deadline) => deadline.within(work).await,
    }
}

/// Runs the plugins, then asks the security functions of the route. A reply is the end; it is behind a
/// pointer, because most requests go on.
async fn run_before(
    chain: &Chain,
    security: &[NamedSecurity],
    request: &mut Request,
) -> Result<Option<Box<Reply>>> {
    for plugin in chain.iter() {
        let deadline = Deadline::of(request);
        let before = Stage::Plugin(&plugin.name).run(|| plugin.code.pre_request(request));
        let flow = match deadline {
            None => before.await?,
            Some(deadline) => Box::pin(deadline.within(before)).await?,
        };
        match flow {
            Flow::Continue => {}
            Flow::Break => break,
            Flow::Stop(reply) => return Ok(Some(Box::new(reply))),
        }
    }
    for security in security {
        let deadline = Deadline::of(request);
        let check = Stage::Security(&security.name).run(|| security.code.check(request));
        let access = match deadline {
            None => check.await?,
            Some(deadline) => Box::pin(deadline.within(check)).await?,
        };
        match access {
            Access::Granted => {}
            Access::GrantedAs(data) => request.auth_data = Some(data),
            // Else a refusal that has only a text would be taken for a success.
            Access::Denied(reply) => {
                let refusal = reply.or_status(StatusCode::UNAUTHORIZED);
                return Ok(Some(Box::new(refusal)));
            }
        }
    }
    Ok(None)
}

async fn run_after(chain: &Chain, asked: &Asked<'_>, response: &mut Response) {
    for plugin in chain.iter() {
        let stage = Stage::Plugin(&plugin.name);
        let after = stage.run(|| plugin.code.post_request(&asked.head, response));
        match after.await {
            Ok(Flow::Continue) => {}
            Ok(Flow::Break) => break,
            Ok(Flow::Stop(reply)) => {
                let rendered = Box::pin(reply.render(asked.rendering())).await;
                *response = match rendered {
                    Ok(instead) => instead,
                    Err(failure) => Box::pin(asked.failed(failure)).await,
                };
                break;
            }
            Err(error) => {
                let mut instead = Box::pin(asked.failed(error.into())).await;
                let mut kept = beside_content(response.headers());
                // It varies by what plugins look at, and by what the error is negotiated by.
                for by in instead.headers().get_all(header::VARY) {
                    kept.append(header::VARY, by.clone());
                }
                instead.headers_mut().remove(header::VARY);
                keep_headers(&mut instead, &kept);
                *response = instead;
            }
        }
    }
}

/// Of these headers, those that stay when an error takes the place of the content: what plugins have
/// said, such as who may read the answer. What the content is, and where it is, goes with it.
fn beside_content(headers: &HeaderMap) -> HeaderMap {
    let policies = [CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY];
    let of_content = [
        header::ACCEPT_RANGES,
        header::AGE,
        header::ALLOW,
        header::CACHE_CONTROL,
        header::ETAG,
        header::EXPIRES,
        header::LAST_MODIFIED,
        header::LOCATION,
        header::REFRESH,
        header::RETRY_AFTER,
        header::WWW_AUTHENTICATE,
    ];
    let stays = |name: &HeaderName| match name.as_str().starts_with("content-") {
        true => policies.contains(name),
        false => !of_content.contains(name),
    };
    let headers = headers.iter().filter(|(name, _)| stays(name));
    headers
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Takes away what a plugin, or the handler of a protocol, may have put into a response and what would
/// break the connection. A reply has no such headers.
fn remove_framing(response: &mut Response) {
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
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
