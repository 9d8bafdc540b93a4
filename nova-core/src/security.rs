//! Who may pass: the security function of a group of routes.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use http::header::WWW_AUTHENTICATE;

use crate::authorization::quoted;
use crate::error::Result;
use crate::protocol::BoxFuture;
use crate::reply::{Reply, status};
use crate::request::Request;

/// Code that decides who may pass to the routes of a group.
///
/// It is registered under a name, which groups name: `security = "auth::session"` in the router
/// file. It runs after the plugins and before the controller, or before the upgrade of a socket. A
/// group without `security`, or with `security = false`, is open.
///
/// ```
/// use nova_core::{Access, Request, Result, Security, redirect};
///
/// #[derive(Debug)]
/// struct User {
///     name: String,
/// }
///
/// struct SignedIn;
///
/// impl Security for SignedIn {
///     async fn check(&self, request: &mut Request) -> Result<Access> {
///         Ok(match request.session().user().await? {
///             Some(name) => Access::granted_as(User { name }),
///             None => Access::Denied(redirect("/login")),
///         })
///     }
/// }
///
/// // In a controller of the group:
/// async fn hello(request: Request) -> Result<String> {
///     let user: &User = request.auth_data()?;
///     Ok(format!("hello, {}", user.name))
/// }
/// ```
///
/// It fails closed: with an error or a panic, neither the controller nor the upgrade is reached. It
/// is not asked about requests that no route answers, nor about `OPTIONS` where the router answers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no security function",
    label = "a security function is a value that implements `nova_core::Security`",
    note = "write `impl Security for` a struct of yours, with `async fn check(&self, request: &mut Request) -> Result<Access>`"
)]
pub trait Security: Send + Sync + 'static {
    /// Whether `request` may pass.
    ///
    /// # Errors
    /// An error is the answer, as it is when a controller returns it. So is a panic, as a 500.
    ///
    /// # Cancel safety
    /// The future is dropped when the client hangs up.
    fn check(&self, request: &mut Request) -> impl Future<Output = Result<Access>> + Send;
}

/// What a [`Security`] function says.
#[derive(Debug)]
pub enum Access {
    /// The request may pass.
    Granted,
    /// The request may pass, and the controller learns who sent it: see
    /// [`Head::auth_data`](crate::Head::auth_data).
    GrantedAs(AuthData),
    /// The request may not pass, and this is the answer: `status(403)`, with headers or a body as
    /// you like, or `redirect("/login")`. It is a 401 unless it sets a status.
    Denied(Reply),
}

impl Access {
    /// Lets the request pass with `data` about who sent it.
    pub fn granted_as<T: Send + Sync + 'static>(data: T) -> Self {
        Access::GrantedAs(AuthData(Arc::new(data)))
    }

    /// Refuses the request with an empty 401.
    pub fn denied() -> Self {
        Access::Denied(status(401))
    }

    /// Refuses the request with a 401 that asks for name and password (RFC 7617); browsers show a
    /// window for them. [`Head::basic_auth`](crate::Head::basic_auth) has what the client sends then.
    ///
    /// The `realm` says what they are for; what is not ASCII in it becomes `?`.
    pub fn unauthorized_basic(realm: &str) -> Self {
        challenge(format!("Basic realm={}, charset=\"UTF-8\"", quoted(realm)))
    }

    /// Refuses a request without a token, with a 401 that asks for one (RFC 6750 §3).
    /// [`Head::bearer_token`](crate::Head::bearer_token) has the one that the client sends then.
    ///
    /// The `realm` says what it is for; what is not ASCII in it becomes `?`.
    pub fn unauthorized_bearer(realm: &str) -> Self {
        challenge(format!("Bearer realm={}", quoted(realm)))
    }

    /// Refuses a request whose token is wrong or no longer good: the client may get another one (RFC
    /// 6750 §3.1).
    pub fn invalid_bearer(realm: &str) -> Self {
        challenge(format!(
            "Bearer realm={}, error=\"invalid_token\"",
            quoted(realm)
        ))
    }
}

fn challenge(challenge: String) -> Access {
    Access::Denied(status(401).header(WWW_AUTHENTICATE, challenge))
}

/// What a security function knows of who sent a request.
#[derive(Clone)]
pub struct AuthData(Arc<dyn Any + Send + Sync>);

impl AuthData {
    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// Not what is in it: it may be secret.
impl fmt::Debug for AuthData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthData")
    }
}

/// A security function as a route holds it.
#[derive(Clone)]
pub(crate) struct NamedSecurity {
    /// For the log.
    pub(crate) name: Arc<str>,
    pub(crate) code: Arc<dyn ErasedSecurity>,
}

/// [`Security`] with its future boxed.
pub(crate) trait ErasedSecurity: Send + Sync {
    fn check<'r>(&'r self, request: &'r mut Request) -> BoxFuture<'r, Result<Access>>;
}

impl<S: Security> ErasedSecurity for S {
    fn check<'r>(&'r self, request: &'r mut Request) -> BoxFuture<'r, Result<Access>> {
        Box::pin(Security::check(self, request))
    }
}
