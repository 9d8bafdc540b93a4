//! What the app remembers of a client from one request to the next.
//!
//! The client has a cookie with a random id; everything else stays here. A request that touches no
//! session costs nothing, and a client that nothing is remembered of gets no cookie.

mod id;
mod store;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cookie::{Cookie, SameSite, time};
use http::HeaderMap;
use http::header::HeaderValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cookies;
use crate::error::{Error, Result};
use id::Id;
pub(crate) use store::Store;

/// The session of a client: values by name, kept in memory until the session ends.
///
/// ```
/// use nova_core::{Reply, Request, Result, redirect};
///
/// async fn log_in(request: Request) -> Result<Reply> {
///     let session = request.session();
///     session.rotate().await?;
///     session.insert("user", "ann").await?;
///     Ok(redirect("/"))
/// }
///
/// async fn log_out(request: Request) -> Result<Reply> {
///     request.session().end().await?;
///     Ok(redirect("/"))
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let request = nova_core::testing::request("POST", "/").build();
/// # let session = request.session().clone();
/// # log_in(request).await.unwrap();
/// # assert_eq!(session.get::<String>("user").await.unwrap().as_deref(), Some("ann"));
/// # }
/// ```
///
/// It begins when a value is [inserted](Self::insert): then the answer has a cookie,
/// `session_id=…; HttpOnly; SameSite=Lax; Path=/`, with an id of 256 random bits from the operating
/// system. An id that a client invents is never taken over. A session ends after 2 h without use,
/// after 14 d in any case, with [`end`](Self::end), and when the app stops; the
/// [`[session]`](crate::SessionConfig) table has the settings.
///
/// Changes count at once, for requests that are under way, too, and whatever becomes of this one.
/// Once the answer is on its way, as it is for the messages of a socket, a session can be read and
/// changed, but neither begun nor rotated: the client would not learn its id.
///
/// # Cancel safety
/// Each call is done, or not done at all.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    /// A std mutex: no guard lives across an `.await`.
    state: Mutex<State>,
    /// Whether it is too late for a cookie.
    answered: AtomicBool,
}

/// What this request knows of the session.
enum State {
    /// The client has sent these ids; nobody has looked yet whether one is a session's.
    Sent(Vec<Id>),
    /// The client has none.
    None,
    /// The client has one, and while this request was on its way, it got a new id.
    Retired,
    /// The client's own id.
    Known(Id),
    /// The answer brings this id.
    New(Id),
    /// The answer takes the client's cookie away.
    Ended,
}

impl Session {
    /// The session that the cookies in `headers` name; it is looked up when it is first used.
    ///
    /// `answered` says that it is too late for a cookie.
    pub(crate) fn of(store: &Arc<Store>, headers: &HeaderMap, answered: bool) -> Self {
        let name = &*store.config.cookie;
        let ids = cookies::sent(headers)
            .filter(|(sent, _)| *sent == name)
            .filter_map(|(_, value)| Id::parse(value));
        let state = State::Sent(ids.collect());
        Session(Arc::new(Inner {
            store: Arc::clone(store),
            state: Mutex::new(state),
            answered: AtomicBool::new(answered),
        }))
    }

    /// The value of that name.
    ///
    /// # Errors
    /// The value is no `T`.
    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(json) = self.id().and_then(|id| self.0.store.get(&id, name)) else {
            return Ok(None);
        };
        let value = serde_json::from_str(&json);
        value.map(Some).map_err(|error| {
            Error::internal(format!("`{name}` in the session is another type: {error}"))
        })
    }

    /// Sets the value of that name, and begins the session if there is none.
    ///
    /// # Errors
    /// 409 if the session has got another id while the request was on its way, as by a login in
    /// another window; 500 if the value does not serialise, if the session would have more than
    /// 64 KiB with it, if the operating system gives no random numbers, and if there is no session
    /// and the answer has gone.
    pub async fn insert<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<()> {
        let json = serde_json::to_string(value)?;
        let store = &self.0.store;
        let mut state = self.state();
        if let Some(id) = state.id(store)
            && let Some(inserted) = store.insert(&id, name, &json)
        {
            return inserted;
        }
        if state.is_retired(store) {
            return Err(Error::new(
                409,
                "the session has just changed: send the request again",
            ));
        }
        self.may_have_a_cookie("begins")?;
        let id = store.begin()?;
        let inserted = store.insert(&id, name, &json);
        *state = State::New(id);
        inserted.unwrap_or_else(|| Err(Error::internal("there is no room for the session")))
    }

    /// Takes the value of that name away.
    ///
    /// # Errors
    /// None while sessions are in memory.
    pub async fn remove(&self, name: &str) -> Result<()> {
        if let Some(id) = self.id() {
            self.0.store.remove(&id, name);
        }
        Ok(())
    }

    /// Goes on under a new id, and makes the old one worthless. Do it when somebody logs in: who
    /// has seen the id before does not get in with it.
    ///
    /// # Errors
    /// The operating system gives no random numbers, or the answer has gone.
    pub async fn rotate(&self) -> Result<()> {
        self.may_have_a_cookie("gets a new id")?;
        let store = &self.0.store;
        let mut state = self.state();
        match state.id(store) {
            Some(id) => {
                if let Some(new) = store.rotate(&id)? {
                    *state = State::New(new);
                }
            }
            // The answer with the new id was lost, and whoever logs in tries again.
            None if state.is_retired(store) => *state = State::New(store.begin()?),
            None => {}
        }
        Ok(())
    }

    /// Forgets everything, and takes the cookie away.
    ///
    /// # Errors
    /// None while sessions are in memory.
    pub async fn end(&self) -> Result<()> {
        let mut state = self.state();
        if let Some(id) = state.id(&self.0.store) {
            self.0.store.end(&id);
            *state = State::Ended;
        }
        Ok(())
    }

    fn may_have_a_cookie(&self, wish: &str) -> Result<()> {
        match self.0.answered.load(Ordering::Acquire) {
            false => Ok(()),
            true => Err(Error::internal(format!(
                "no session {wish} once the answer has gone: the client would not learn its id"
            ))),
        }
    }

    /// What the answer sets, if it has to tell the client something. There is no other time.
    pub(crate) fn cookie(&self) -> Option<HeaderValue> {
        self.0.answered.store(true, Ordering::Release);
        let config = &self.0.store.config;
        let cookie = Cookie::build(&*config.cookie)
            .http_only(true)
            .same_site(SameSite::Lax)
            .path("/")
            .secure(config.secure);
        let cookie = match &*self.state() {
            State::Sent(_) | State::None | State::Retired | State::Known(_) => return None,
            State::New(id) => {
                let mut cookie = cookie.build();
                cookie.set_value(id.to_string());
                cookie
            }
            State::Ended => cookie.max_age(time::Duration::ZERO).build(),
        };
        HeaderValue::try_from(cookie.to_string()).ok()
    }

    fn id(&self) -> Option<Id> {
        self.state().id(&self.0.store)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn id(&mut self, store: &Store) -> Option<Id> {
        if let State::Sent(ids) = self {
            *self = match ids.iter().copied().find(|id| store.has(id)) {
                Some(known) => State::Known(known),
                None if ids.iter().any(|id| store.is_retired(id)) => State::Retired,
                None => State::None,
            };
        }
        match self {
            State::Known(id) | State::New(id) => Some(*id),
            State::Sent(_) | State::None | State::Retired | State::Ended => None,
        }
    }

    fn is_retired(&self, store: &Store) -> bool {
        match self {
            State::Retired => true,
            State::Known(id) | State::New(id) => store.is_retired(id),
            State::Sent(_) | State::None | State::Ended => false,
        }
    }
}

/// Without the id, which is a secret.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
