//! Replies of the app's own types: the value that a controller returns, and what renders it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::header::SET_COOKIE;

use super::{Content, IntoReply, Rendering, Reply};
use crate::build_error::{BuildError, NameKind};
use crate::error::{Error, Result};
use crate::fallback::Failure;
use crate::origin::Origin;
use crate::panic;
use crate::protocol::BoxFuture;
use crate::request::Head;

/// A value that waits for the handler of its type.
pub(crate) struct Value {
    value: Box<dyn Any + Send + Sync>,
    /// For messages.
    type_name: &'static str,
}

impl Value {
    pub(super) fn new<T: Send + Sync + 'static>(value: T) -> Self {
        Value {
            value: Box::new(value),
            type_name: std::any::type_name::<T>(),
        }
    }

    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    pub(super) fn answers_a_value(&self) -> Error {
        let type_name = self.type_name;
        Error::internal(format!(
            "a reply handler answers with a `{type_name}`, which needs a handler, too"
        ))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({})", self.type_name)
    }
}

/// What renders values, by their type.
#[derive(Default)]
pub(crate) struct ReplyHandlers(HashMap<TypeId, (Handler, Origin)>);

type Handler = Box<
    dyn Fn(Box<dyn Any + Send + Sync>, Arc<Head>) -> BoxFuture<'static, Result<Reply>>
        + Send
        + Sync,
>;

impl ReplyHandlers {
    pub(crate) fn add<T, F, Fut>(
        &mut self,
        handler: F,
        origin: Origin,
        errors: &mut Vec<BuildError>,
    ) where
        T: Send + Sync + 'static,
        F: Fn(T, Arc<Head>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoReply> + Send + 'static,
    {
        if let Some((_, first)) = self.0.get(&TypeId::of::<T>()) {
            errors.push(BuildError::DuplicateName {
                kind: NameKind::ReplyHandler,
                name: std::any::type_name::<T>().to_owned(),
                origin,
                first: first.clone(),
            });
            return;
        }
        let handler: Handler = Box::new(move |value, head| {
            let value = value.downcast::<T>();
            let value = value.expect("handlers are kept by the type of their values");
            let reply = handler(*value, head);
            Box::pin(async move { reply.await.into_reply() })
        });
        self.0.insert(TypeId::of::<T>(), (handler, origin));
    }
}

impl Reply {
    /// What is wrong with a reply whose value nobody renders.
    pub(crate) fn without_handler(&self) -> Error {
        let Content::Value(Value { type_name, .. }) = &self.content else {
            return Error::internal("a fallback has handed on a reply that is no value");
        };
        Error::internal(format!(
            "nothing renders a `{type_name}`: register what does with \
             `.reply_handler(|value: {type_name}, head| async …)`"
        ))
    }

    /// What the handler makes of `value`, with the status and the headers of this reply.
    ///
    /// # Errors
    /// The type has no handler, and so the reply comes back. Or the handler fails or panics.
    pub(super) async fn handled(
        mut self,
        value: Value,
        with: Rendering<'_>,
    ) -> Result<Reply, Failure> {
        let Some((handler, _)) = with.replies.0.get(&(*value.value).type_id()) else {
            let again = self.with_content(Content::Value(value));
            return Err(Failure::Value(Box::new(again)));
        };
        let Value { value, type_name } = value;
        let head = Arc::clone(with.head);
        let made = panic::catch(async { handler(value, head).await }).await;
        let mut reply = made.unwrap_or_else(|message| {
            Err(Error::internal(format!(
                "the reply handler for `{type_name}` panicked: {message}"
            )))
        })?;
        if let Some(status) = self.status {
            reply = reply.with_status(status.as_u16());
        }
        reply.usual = self.usual.or(reply.usual);
        // All cookies are set; of other headers, the controller has the last word.
        if self.headers.contains_key(SET_COOKIE) {
            for cookie in reply.headers.get_all(SET_COOKIE) {
                self.headers.append(SET_COOKIE, cookie.clone());
            }
        }
        if let Some(headers) = self.headers.into_map() {
            reply.headers.extend(headers);
        }
        Ok(reply)
    }
}
