//! The HTTP core of Nova: routes, the plugin chain and controllers.
//!
//! Start at [`App::builder`]; [`AppBuilder::build`] checks the whole app before it is served, and
//! [`run`] serves it. A request takes one way: the router finds its route, the plugins of the
//! route look at it, the action answers with a [`Reply`], and the plugins look at the response.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use nova_core::{App, Reply, Request, Result, controller, json};
//!
//! fn main() -> ExitCode {
//!     nova_core::run(app)
//! }
//!
//! async fn app() -> Result<App> {
//!     Ok(App::builder().root("my_app").controller(Greeter).build()?)
//! }
//!
//! struct Greeter;
//!
//! controller!("greeter" => Greeter { greet });
//!
//! impl Greeter {
//!     async fn greet(&self, request: Request) -> Result<Reply> {
//!         let name: String = request.binding("name")?;
//!         request.pubsub().broadcast("greetings", "greeted", &name);
//!         Ok(json(&format!("hello, {name}")))
//!     }
//! }
//! ```
//!
//! with `my_app/router.toml`:
//!
//! ```toml
//! [[group]]
//! routes = [
//!     ["/greet/{name}", "greeter::greet", { methods = ["get"] }],
//! ]
//! ```

mod accept;
mod app;
mod authorization;
mod bindings;
mod body;
mod build_error;
mod command;
mod config;
mod controller;
mod cookies;
pub mod deserialize;
mod dev_facts;
mod document;
mod error;
mod error_mapping;
mod error_page;
mod failure;
mod fallback;
mod forwarded;
mod layer;
mod life;
mod log;
mod mounted;
mod multipart;
mod origin;
pub mod panic;
mod params;
pub mod password;
mod peer;
mod pipeline;
mod plugin;
mod problem;
mod protocol;
mod reload;
mod reply;
mod request;
mod response;
mod router;
mod run;
mod security;
mod serve_error;
mod server;
mod service;
mod session;
mod static_files;
mod stopping;
pub mod testing;
mod upload;
mod views;

pub use cookie;
pub use nova_pubsub as pubsub;

pub use app::{App, AppBuilder};
pub use authorization::{BasicAuth, constant_time_eq};
pub use body::{ArrivingBody, BodyStream};
pub use build_error::{BuildError, BuildErrors, NameKind};
pub use command::Command;
pub use config::{
    Config, Environment, ForwardedHeader, ListenAddress, LogConfig, LogFormat, Secret,
    SecureCookie, ServerConfig, SessionConfig, TlsConfig, TrustedProxy,
};
#[doc(hidden)]
pub use controller::ActionMethod;
pub use controller::{Action, ActionFn, Controller};
pub use error::{Error, FieldError, Result, ResultExt};
pub use fallback::{Failure, Fallback, Resolver};
pub use layer::{AppService, Layered};
pub use multipart::{Multipart, Part};
pub use origin::Origin;
pub use plugin::{
    AccessLogFormat, AccessLogOptions, AccessLogPlugin, Algorithm, CompressionOptions,
    CompressionPlugin, CorrelationOptions, CorrelationPlugin, CorsOptions, CorsPlugin, CsrfOptions,
    CsrfPlugin, CsrfTokenPolicy, Flow, Frames, ListedPlugin, Plugin, PluginContext, PluginFailed,
    PluginInfo, RateLimitKey, RateLimitOptions, RateLimitPlugin, RequestOptions, RequestPlugin,
    SecureHeadersOptions, SecureHeadersPlugin, TimeoutOptions, TimeoutPlugin,
};
pub use protocol::{
    BoxFuture, Extension, Opening, ProtocolHandler, ProtocolLimits, ProtocolRoute, Streaming,
    Switch, Upgraded, UpgradedTcp,
};
pub use reply::{
    IntoError, IntoReply, Reply, bytes, html, json, redirect, sendfile, status, stream, text,
    value, view,
};
pub use request::{Head, Request};
pub use response::{Response, ResponseBody, ResponseExt};
pub use router::{
    Explanation, Group, Handler, IntoHandler, IntoRoute, NearRoute, Outcome, PathOrStatus, Route,
    RouteChanges, RouteInfo, RouteOptions, Router, methods, protocol,
};
pub use run::run;
pub use security::{Access, AuthData, Security};
pub use serve_error::ServeError;
pub use server::{ListenErrors, Listeners};
pub use service::{Service, ServiceContext, ServiceFailed};
pub use session::{SeenSession, Session, SessionKey, SessionRecord, SessionStore, SessionsEnded};
pub use static_files::{StaticFiles, file, files};
pub use stopping::Stopping;
pub use upload::UploadedFile;
