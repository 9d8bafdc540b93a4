//! Controllers and their actions: the code that a route names.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::Result;
use crate::fallback::Resolver;
use crate::reply::{IntoReply, Reply};
use crate::request::Request;

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
/// An action's future is dropped when the client hangs up. Work that has to finish regardless
/// belongs in [`Head::complete`](crate::Head::complete).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no controller",
    note = "list its actions: `controller!(\"name\" => {Self} {{ index, show }});`"
)]
pub trait Controller: Send + Sync + Sized + 'static {
    /// What routes call the controller: `notes_api` in `notes_api::index`.
    const NAME: &'static str;

    /// Its actions, by name.
    fn actions(self: Arc<Self>) -> Vec<(&'static str, Action)>;

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
    pub fn new<F, Fut>(action: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoReply> + Send + 'static,
    {
        Action {
            code: Arc::new(move |request| {
                let answer = action(request);
                Box::pin(async move { answer.await.into_reply() })
            }),
            fallback: None,
        }
    }

    pub(crate) fn call(&self, request: Request) -> ActionFuture {
        (self.code)(request)
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
/// method does not compile, and neither does a return type that is no reply. Behind the list may
/// stand what answers when they do not: `fallback`, and a [`Fallback`](crate::Fallback).
#[macro_export]
macro_rules! controller {
    (
        $name:literal => $controller:ty { $($action:ident),+ $(,)? }
        $(fallback $fallback:expr)?
    ) => {
        impl $crate::Controller for $controller {
            const NAME: &'static str = $name;

            fn actions(
                self: ::std::sync::Arc<Self>,
            ) -> ::std::vec::Vec<(&'static str, $crate::Action)> {
                ::std::vec![$({
                    let controller = ::std::sync::Arc::clone(&self);
                    let action = $crate::Action::new(move |request: $crate::Request| {
                        let controller = ::std::sync::Arc::clone(&controller);
                        async move {
                            $crate::IntoReply::into_reply(controller.$action(request).await)
                        }
                    });
                    (::std::stringify!($action), action)
                }),+]
            }

            $(fn fallback(&self) -> ::std::option::Option<$crate::Resolver> {
                ::std::option::Option::Some($crate::Resolver::new($fallback))
            })?
        }
    };
}
