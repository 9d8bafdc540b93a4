//! Controllers and their actions: the code that a route names.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt;

use crate::error::Result;
use crate::fallback::Resolver;
use crate::reply::{IntoReply, Reply};
use crate::request::Request;
use crate::router::Route;

/// A struct whose methods answer requests. [`controller!`](crate::controller!) implements it.
///
/// A controller holds what its actions need, such as a repository; one value serves all requests
/// at once. A test builds it, calls an action with a request made by hand and looks at the reply:
///
/// ```
/// use nova_core::{Reply, Request, Result, controller, json, testing};
///
/// struct Greeter {
///     word: String,
/// }
///
/// controller!("greeter" => Greeter { greet });
///
/// impl Greeter {
///     async fn greet(&self, request: Request) -> Result<Reply> {
///         let name: String = request.binding("name")?;
///         Ok(json(&format!("{}, {name}", self.word)))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let greeter = Greeter { word: "hello".into() };
/// let request = testing::request("GET", "/greet/ann").binding("name", "ann").build();
/// let reply = greeter.greet(request).await.unwrap();
/// assert_eq!(reply.body(), br#""hello, ann""#);
/// # }
/// ```
///
/// # Cancel safety
/// An action's future is dropped when the client hangs up. One that has only closed its side of the
/// connection may still read, and counts as gone after [`half_closed_timeout`](crate::ServerConfig::half_closed_timeout).
/// Work that has to finish regardless belongs in [`Head::complete`](crate::Head::complete).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no controller",
    note = "list its actions: `controller!(\"name\" => {Self} {{ index, show }});`"
)]
pub trait Controller: Send + Sync + Sized + 'static {
    /// What routes call the controller: `notes_api` in `notes_api::index`.
    const NAME: &'static str;

    /// Its actions, by name.
    fn actions(self: Arc<Self>) -> Vec<(&'static str, Action)>;

    /// The routes that it brings itself, for an app that need not name them: see
    /// [`controller!`](crate::controller!). **Default:** none.
    fn routes(&self) -> Vec<Route> {
        Vec::new()
    }

    /// What answers when one of its actions does not: see [`Fallback`](crate::Fallback).
    /// **Default:** nothing.
    fn fallback(&self) -> Option<Resolver> {
        None
    }
}

/// Something that answers a request: an `async fn` of it, with its type erased.
#[derive(Clone)]
pub struct Action {
    code: Arc<dyn Fn(Request) -> ActionFuture + Send + Sync>,
    /// That of its controller.
    pub(crate) fallback: Option<Resolver>,
}

/// The one boxed future that a request costs.
type ActionFuture = Pin<Box<dyn Future<Output = Result<Reply>> + Send>>;

impl Action {
    /// An action from an `async fn` or a closure.
    ///
    /// ```
    /// use nova_core::{Action, Request, status};
    ///
    /// let heartbeat = Action::new(|_: Request| async { status(200) });
    /// ```
    pub fn new<F>(action: F) -> Self
    where
        F: ActionFn + Send + Sync + 'static,
        F::Future: Future<Output: IntoReply> + Send + 'static,
    {
        Action {
            code: Arc::new(move |request| Box::pin(action(request).map(IntoReply::into_reply))),
            fallback: None,
        }
    }

    pub(crate) fn call(&self, request: Request) -> ActionFuture {
        (self.code)(request)
    }
}

/// The code of an [`Action`]: an `async fn(Request)`, or such a closure. What it returns is a reply
/// ([`IntoReply`]).
///
/// ```
/// use nova_core::{ActionFn, Reply, Request, status};
///
/// async fn heartbeat(_request: Request) -> Reply {
///     status(200)
/// }
///
/// fn check(_code: impl ActionFn) {}
/// check(heartbeat);
/// check(|_: Request| async { status(200) });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no action",
    label = "an action is an `async fn` that takes a `Request` and returns a reply",
    note = "write `async fn index(request: Request) -> Result<Reply>`, or the closure `|request: Request| async move {{ … }}`"
)]
pub trait ActionFn: Fn(Request) -> Self::Future {
    /// What a call gives.
    type Future: Future;
}

// The compiler is to say what an action is, instead of which `Fn` is missing.
#[diagnostic::do_not_recommend]
impl<F, Fut> ActionFn for F
where
    F: Fn(Request) -> Fut,
    Fut: Future,
{
    type Future = Fut;
}

/// A method that [`controller!`](crate::controller!) lists, for its expansion only.
///
/// There are two kinds, and no method is of the second: with only one to choose from, the compiler
/// would say what that misses, a certain `FnOnce`, and not what an action is.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this method of `{C}` is no action",
    label = "an action is an `async fn` that takes `&self` and a `Request`, and returns a reply",
    note = "write `async fn index(&self, request: Request) -> Result<Reply>`"
)]
pub trait ActionMethod<'c, C: 'c, Kind> {
    type Future: Future;

    fn call(self, controller: &'c C, request: Request) -> Self::Future;
}

/// The kind of the methods that are actions.
#[derive(Debug)]
pub struct AsyncMethod;

impl<'c, C: 'c, F, Fut> ActionMethod<'c, C, AsyncMethod> for F
where
    F: FnOnce(&'c C, Request) -> Fut,
    Fut: Future,
{
    type Future = Fut;

    fn call(self, controller: &'c C, request: Request) -> Fut {
        self(controller, request)
    }
}

/// The kind of no method.
trait Nothing {}

impl<'c, C: 'c, F: Nothing> ActionMethod<'c, C, ()> for F {
    type Future = Ready<()>;

    fn call(self, _: &'c C, _: Request) -> Ready<()> {
        ready(())
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Action")
    }
}

/// Makes a struct a [`Controller`]: says what routes call it, and lists its actions.
///
/// Each action is a method `async fn(&self, Request) -> impl IntoReply`. A name that is no such
/// method does not compile, and neither does a return type that is no reply.
///
/// Behind the list may stand the routes that the controller brings itself, as the tuples of
/// [`Group::route`](crate::Group::route), where an action is named without its controller: an app
/// has them as soon as it registers the controller, with its global plugins and without a prefix. Behind
/// that may stand what answers when the actions do not, `fallback` and a
/// [`Fallback`](crate::Fallback).
///
/// ```
/// use nova_core::{App, Request, Result, controller, methods};
///
/// struct Greeter;
///
/// controller!("greeter" => Greeter { greet, wave } routes [
///     ("/greet/{name}", "greet", methods(["get"]).name("greet")),
///     ("/wave", "wave"),
/// ]);
///
/// impl Greeter {
///     async fn greet(&self, request: Request) -> Result<String> {
///         request.binding("name")
///     }
///
///     async fn wave(&self, _request: Request) -> &'static str {
///         "~"
///     }
/// }
///
/// let app = App::builder().controller(Greeter).build().unwrap();
/// assert_eq!(app.router().routes().len(), 2);
/// ```
#[macro_export]
macro_rules! controller {
    // Actions are `tt`, for these keep their own place in the errors of the compiler.
    (
        $name:literal => $controller:ty { $($action:tt),+ $(,)? }
        $(routes [$($route:expr),* $(,)?])?
        $(fallback $fallback:expr)?
    ) => {
        impl $crate::Controller for $controller {
            const NAME: &'static str = $name;

            fn actions(
                self: ::std::sync::Arc<Self>,
            ) -> ::std::vec::Vec<(&'static str, $crate::Action)> {
                ::std::vec![$({
                    let controller = ::std::sync::Arc::clone(&self);
                    let $action = move |request: $crate::Request| {
                        let controller = ::std::sync::Arc::clone(&controller);
                        async move {
                            let $action = Self::$action;
                            let answer =
                                $crate::ActionMethod::<Self, _>::call($action, &controller, request);
                            let $action = answer.await;
                            $crate::IntoReply::into_reply($action)
                        }
                    };
                    (::std::stringify!($action), $crate::Action::new($action))
                }),+]
            }

            $(fn routes(&self) -> ::std::vec::Vec<$crate::Route> {
                ::std::vec![$($crate::IntoRoute::into_route($route)),*]
            })?

            $(fn fallback(&self) -> ::std::option::Option<$crate::Resolver> {
                ::std::option::Option::Some($crate::Resolver::new($fallback))
            })?
        }
    };
}
