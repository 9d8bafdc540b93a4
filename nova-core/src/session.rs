//! What the app remembers of a client from one request to the next.
//!
//! The client has a cookie with a random id; everything else is in a [`SessionStore`]. A request that
//! touches no session costs nothing, and a client that nothing is remembered of gets no cookie.

mod clock;
mod cookie;
mod data;
mod ended;
mod id;
mod memory;
mod sessions;
mod store;
mod sweep;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use http::header::HeaderValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::app::Shared;
use crate::cookies;
use crate::error::{Error, Result};
pub(crate) use data::CSRF_TOKEN;
use data::Data;
pub use ended::SessionsEnded;
use id::Id;
pub(crate) use sessions::Sessions;
use sessions::{Found, Live};
pub(crate) use store::ErasedStore;
pub use store::{SessionKey, SessionRecord, SessionStore};
pub(crate) use sweep::Sweep;

/// The most sessions that a request is asked about: it may have several cookies of the name, for
/// other paths or domains, all signed by this app.
const MOST_COOKIES: usize = 4;

/// The session of a client: values by name, kept until the session ends.
///
/// ```
/// use nova_core::{Reply, Request, Result, redirect};
///
/// async fn log_in(request: Request) -> Result<Reply> {
///     let session = request.session();
///     session.log_in("ann").await?;
///     session.flash("notice", "Welcome back.").await?;
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
/// # assert_eq!(session.user().await.unwrap().as_deref(), Some("ann"));
/// # }
/// ```
///
/// It begins when somebody [logs in](Self::log_in) or a value is [inserted](Self::insert): then the
/// answer has a cookie, `session_id=…; HttpOnly; SameSite=Lax; Path=/`, with an id of 256 random bits
/// from the operating system, and the app's signature. An id that a client invents is never taken
/// over, and not looked up. A session ends after 2 h without use (within a minute), after 14 d in any
/// case, and with [`end`](Self::end); the [`[session]`](crate::SessionConfig) table has the settings.
/// Sessions are in memory and end with the app, unless the builder's
/// [`session_store`](crate::AppBuilder::session_store) keeps them elsewhere.
///
/// Each call asks the store. Changes count at once, for requests that are under way, too, and
/// whatever becomes of this one. Once the answer is on its way, as it is for the messages of a socket,
/// a session can be read and changed, but neither begun nor rotated: the client would not learn its
/// id.
///
/// # Errors
/// Every call can fail with a 503: the store fails, or others change the session all the time. So no
/// error is a lost login, and a security function that hands it on lets nobody pass.
///
/// # Cancel safety
/// A call that is dropped may have been carried out, as a whole. One that ends sessions, or gives one
/// a new id, is carried out: who has to hear of it does, though the client hangs up.
///
/// # Panics
/// Those calls run in a task of their own, and so only in a tokio runtime.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    app: Arc<Shared>,
    /// The ids that the client has sent.
    sent: Vec<Id>,
    /// A std mutex: no guard lives across an `.await`.
    state: Mutex<State>,
    /// Held by who changes the session: two parts of a request do not begin two of them.
    turn: tokio::sync::Mutex<()>,
    /// Whether it is too late for a cookie.
    answered: AtomicBool,
    /// What the store has said last.
    seen: Mutex<Option<SeenSession>>,
    /// Whether it is no longer the one that the request came with: somebody has logged in, or out.
    changed_hands: AtomicBool,
}

/// A session as a request has [seen](Session::seen) it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenSession {
    /// What the store knows it by.
    pub key: SessionKey,
    /// Who had logged in.
    pub user: Option<String>,
}

/// What this request knows of the session.
#[derive(Clone, Copy)]
enum State {
    /// Nobody has looked yet whether an id that the client has sent is a session's.
    Sent,
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
    pub(crate) fn of(app: &Arc<Shared>, headers: &HeaderMap, answered: bool) -> Self {
        let sessions = &app.sessions;
        let ids = cookies::sent(headers)
            .filter(|(sent, _)| *sent == sessions.config.cookie)
            .filter_map(|(_, value)| sessions.signer.verified(value))
            .take(MOST_COOKIES);
        Session(Arc::new(Inner {
            app: Arc::clone(app),
            sent: ids.collect(),
            state: Mutex::new(State::Sent),
            turn: tokio::sync::Mutex::default(),
            answered: AtomicBool::new(answered),
            seen: Mutex::default(),
            changed_hands: AtomicBool::new(false),
        }))
    }

    /// The value of that name.
    ///
    /// # Errors
    /// 500 if the value is no `T`, and those of [all calls](Self).
    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let live = self.live().await?;
        let json = live.as_ref().and_then(|live| live.data.values.get(name));
        json.map(|json| data::decoded(name, json)).transpose()
    }

    /// Sets the value of that name, and begins the session if there is none.
    ///
    /// # Errors
    /// 409 if the session has got another id while the request was on its way, as by a login in
    /// another window; 500 if the value does not serialise, if the session would have more than
    /// 64 KiB with it, if the operating system gives no random numbers, and if there is no session
    /// and the answer has gone; and those of [all calls](Self).
    pub async fn insert<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<()> {
        let json = serde_json::value::to_raw_value(value)?;
        self.write(|data| {
            data.values.insert(name.to_owned(), json.clone());
        })
        .await
    }

    /// Takes the value of that name away.
    ///
    /// # Errors
    /// Those of [all calls](Self).
    pub async fn remove(&self, name: &str) -> Result<()> {
        let _turn = self.0.turn.lock().await;
        if let Some(live) = self.live().await?
            && live.data.values.contains_key(name)
        {
            let remove = |data: &mut Data| drop(data.values.remove(name));
            self.sessions().change(live, remove).await?;
        }
        Ok(())
    }

    /// Leaves a message for the next page that [asks](Self::take_flashes), as after a redirect:
    /// "The note was saved." Another one of that name takes its place.
    ///
    /// # Errors
    /// Those of [`insert`](Self::insert).
    pub async fn flash<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<()> {
        let json = serde_json::value::to_raw_value(value)?;
        self.write(|data| {
            data.flash.insert(name.to_owned(), json.clone());
        })
        .await
    }

    /// The messages that were left, by name. They are given once.
    ///
    /// ```
    /// use nova_core::{Reply, Request, Result, view};
    /// use serde_json::json;
    ///
    /// async fn index(request: Request) -> Result<Reply> {
    ///     let flash = request.session().take_flashes().await?;
    ///     Ok(view(&json!({ "flash": flash }))) // {% if flash.notice %}<p>{{ flash.notice }}</p>
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of [all calls](Self).
    pub async fn take_flashes(&self) -> Result<BTreeMap<String, serde_json::Value>> {
        let _turn = self.0.turn.lock().await;
        let Some(live) = self.live().await? else {
            return Ok(BTreeMap::new());
        };
        if live.data.flash.is_empty() {
            return Ok(BTreeMap::new());
        }
        // What the change that counts has taken: another request may have been first.
        let taken = Mutex::new(data::Values::new());
        let take = |data: &mut Data| {
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            *taken = std::mem::take(&mut data.flash);
        };
        let Found::Live(_) = self.sessions().change(live, take).await? else {
            return Ok(BTreeMap::new());
        };
        let taken = taken.into_inner().unwrap_or_else(PoisonError::into_inner);
        let values = taken.into_iter().map(|(name, json): (_, Box<RawValue>)| {
            let value = data::decoded(&name, &json)?;
            Ok((name, value))
        });
        values.collect()
    }

    /// Begins or goes on as the session of `user`, whatever the app knows its users by, under a new
    /// id: who has seen the id before does not get in with it.
    ///
    /// The values stay, as those of a cart, unless they are another user's; the token of the `csrf`
    /// plugin does not. The session may last for the whole `absolute` time again. Open sockets of
    /// who was logged in before hear of it as [`SessionsEnded`].
    ///
    /// # Errors
    /// 500 if the operating system gives no random numbers, or the answer has gone; and those of
    /// [all calls](Self).
    pub async fn log_in(&self, user: &str) -> Result<()> {
        self.renew(Some(user)).await?;
        self.0.changed_hands.store(true, Ordering::Release);
        Ok(())
    }

    /// Who has [logged in](Self::log_in), if anybody has.
    ///
    /// # Errors
    /// Those of [all calls](Self).
    pub async fn user(&self) -> Result<Option<String>> {
        let live = self.live().await?;
        Ok(live.and_then(|live| live.user().map(str::to_owned)))
    }

    /// Goes on under a new id, and makes the old one worthless. [`log_in`](Self::log_in) does it;
    /// so should whatever else gives the client more rights. Open sockets that belong to the old id
    /// hear of it as [`SessionsEnded`].
    ///
    /// # Errors
    /// 409 if another request has just done it, and those of [`log_in`](Self::log_in).
    pub async fn rotate(&self) -> Result<()> {
        self.renew(None).await
    }

    /// Forgets everything, and takes the cookie away: a log-out. Open sockets of the user who had
    /// logged in hear of it as [`SessionsEnded`].
    ///
    /// # Errors
    /// 409 if the session has got another id while the request was on its way: it goes on, and the
    /// client has to ask again. And those of [all calls](Self).
    pub async fn end(&self) -> Result<()> {
        let session = self.clone();
        self.complete(async move { session.end_now().await }).await
    }

    async fn end_now(&self) -> Result<()> {
        let _turn = self.0.turn.lock().await;
        let live = match self.find().await? {
            Found::Live(live) => live,
            Found::Retired => return Err(overtaken()),
            Found::None => return Ok(()),
        };
        // A browser has several where the path or the domain of the cookie was another once: the next
        // request would be one of those.
        for &id in self.0.sent.iter().filter(|id| **id != live.id) {
            if let Found::Live(other) = self.sessions().find(id).await? {
                self.end_live(*other).await?;
            }
        }
        if !self.end_live(*live).await? {
            return Err(overtaken());
        }
        self.has_ended();
        Ok(())
    }

    /// Ends a session of the client, and says whether it has; it may have got another id.
    async fn end_live(&self, live: Live) -> Result<bool> {
        let (user, key) = (live.user().map(str::to_owned), live.id.key());
        let has_ended = self.sessions().end_live(live).await?;
        if let Some(user) = user.filter(|_| has_ended) {
            self.tell(&SessionsEnded::one(&user, key));
        }
        Ok(has_ended)
    }

    /// Ends the other sessions of the user who has logged in to this one, in all browsers, and says
    /// how many those were: for a changed password. Open sockets hear of it as
    /// [`SessionsEnded`].
    ///
    /// # Errors
    /// 500 if nobody has logged in to this session, and those of [all calls](Self).
    pub async fn end_others(&self) -> Result<u64> {
        let session = self.clone();
        let end = async move { session.end_others_now().await };
        self.complete(end).await
    }

    async fn end_others_now(&self) -> Result<u64> {
        let live = self.live().await?;
        let Some((id, user)) = live.as_ref().and_then(|live| Some((live.id, live.user()?))) else {
            let nobody = "nobody has logged in to this session: `log_in` says who it belongs to";
            return Err(Error::internal(nobody));
        };
        let ended = self.sessions().end_all_of(user, Some(id)).await?;
        self.tell(&SessionsEnded::all_of(user, Some(id.key())));
        Ok(ended)
    }

    /// Ends all sessions of this user, in all browsers, and says how many those were: "log out
    /// everywhere", or somebody who may not get in any more. If it is the user of this session, it
    /// ends, too. Open sockets hear of it as [`SessionsEnded`].
    ///
    /// # Errors
    /// Those of [all calls](Self).
    pub async fn end_all_of(&self, user: &str) -> Result<u64> {
        let (session, user) = (self.clone(), user.to_owned());
        let end = async move { session.end_all_now(&user).await };
        self.complete(end).await
    }

    async fn end_all_now(&self, user: &str) -> Result<u64> {
        let _turn = self.0.turn.lock().await;
        let is_own = matches!(self.live().await?, Some(live) if live.user() == Some(user));
        let ended = self.sessions().end_all_of(user, None).await?;
        if is_own {
            self.has_ended();
        }
        self.tell(&SessionsEnded::all_of(user, None));
        Ok(ended)
    }

    /// What the store and [`SessionsEnded`] know this session by, if there is one. It changes when
    /// the session gets a new id, and is no secret.
    ///
    /// # Errors
    /// Those of [all calls](Self).
    pub async fn key(&self) -> Result<Option<SessionKey>> {
        Ok(self.live().await?.map(|live| live.id.key()))
    }

    /// The session as it was when this request last asked for it, without asking the store again;
    /// `None` if it has not asked, or if there was none.
    ///
    /// It tells whom an answer is for, and decides nothing: a session may have ended since.
    pub fn seen(&self) -> Option<SeenSession> {
        let seen = self.0.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the session, or begins it.
    async fn write(&self, change: impl Fn(&mut Data)) -> Result<()> {
        let _turn = self.0.turn.lock().await;
        let found = match self.find().await? {
            Found::Live(live) => self.sessions().change(*live, &change).await?,
            other => other,
        };
        match found {
            Found::Live(_) => Ok(()),
            Found::Retired => Err(overtaken()),
            Found::None => self.begin(None, change).await,
        }
    }

    async fn begin(&self, user: Option<&str>, change: impl Fn(&mut Data)) -> Result<()> {
        self.may_have_a_cookie("begins")?;
        let id = self.sessions().begin(user, change).await?;
        self.give(id, "begins").await
    }

    async fn renew(&self, user: Option<&str>) -> Result<()> {
        let (session, user) = (self.clone(), user.map(str::to_owned));
        let renew = async move { session.renew_now(user.as_deref()).await };
        self.complete(renew).await
    }

    async fn renew_now(&self, user: Option<&str>) -> Result<()> {
        self.may_have_a_cookie("gets a new id")?;
        let _turn = self.0.turn.lock().await;
        let mut found = self.find().await?;
        if let Found::Live(live) = found {
            let (before, key) = (live.user().map(str::to_owned), live.id.key());
            if let Some(id) = self.sessions().rotate(*live, user).await? {
                self.give(id, "gets a new id").await?;
                if let Some(before) = before {
                    self.tell(&SessionsEnded::one(&before, key));
                }
                return Ok(());
            }
            found = self.find().await?;
        }
        match (user, found) {
            // Where the answer with the new id was lost, whoever logs in tries again.
            (Some(_), _) => self.begin(user, |_| ()).await,
            (None, Found::None) => Ok(()),
            (None, _) => Err(overtaken()),
        }
    }

    /// Lets the answer bring this id.
    async fn give(&self, id: Id, wish: &str) -> Result<()> {
        let given = {
            let mut state = self.state();
            let in_time = self.may_have_a_cookie(wish);
            if in_time.is_ok() {
                *state = State::New(id);
            }
            in_time
        };
        if given.is_err() {
            self.sessions().end_one(id).await?;
        }
        given
    }

    /// Runs what ends sessions to its end, also when the client hangs up in the middle: else they
    /// would have ended, and what belongs to them never heard of it.
    async fn complete<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.0.app.complete(work).await
    }

    async fn live(&self) -> Result<Option<Live>> {
        Ok(match self.find().await? {
            Found::Live(live) => Some(*live),
            Found::Retired | Found::None => None,
        })
    }

    /// The session as it is now.
    async fn find(&self) -> Result<Found> {
        let found = self.ask().await?;
        let seen = match &found {
            Found::Live(live) => Some(SeenSession {
                key: live.id.key(),
                user: live.user().map(str::to_owned),
            }),
            Found::Retired | Found::None => None,
        };
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(found)
    }

    async fn ask(&self) -> Result<Found> {
        let state = *self.state();
        let (sent, known) = match state {
            State::Known(id) | State::New(id) => return self.sessions().find(id).await,
            State::Retired => return Ok(Found::Retired),
            State::None | State::Ended => return Ok(Found::None),
            State::Sent => self.find_sent().await?,
        };
        let mut state = self.state();
        if matches!(*state, State::Sent) {
            *state = known;
        }
        Ok(sent)
    }

    /// The first of the ids that is a session's.
    async fn find_sent(&self) -> Result<(Found, State)> {
        let mut best = (Found::None, State::None);
        for &id in &self.0.sent {
            match self.sessions().find(id).await? {
                Found::Live(live) => return Ok((Found::Live(live), State::Known(id))),
                Found::Retired => best = (Found::Retired, State::Retired),
                Found::None => {}
            }
        }
        Ok(best)
    }

    fn may_have_a_cookie(&self, wish: &str) -> Result<()> {
        match self.0.answered.load(Ordering::Acquire) {
            false => Ok(()),
            true => Err(Error::internal(format!(
                "no session {wish} once the answer has gone: the client would not learn its id"
            ))),
        }
    }

    fn has_ended(&self) {
        *self.state() = State::Ended;
        self.0.changed_hands.store(true, Ordering::Release);
    }

    fn tell(&self, ended: &SessionsEnded) {
        let pubsub = &self.0.app.pubsub;
        for channel in [
            SessionsEnded::CHANNEL,
            &SessionsEnded::channel_of(&ended.user),
        ] {
            pubsub.broadcast(channel, SessionsEnded::TOPIC, ended);
        }
    }

    /// Whether somebody has logged in, or out, in this request: what was known of the session when it
    /// came is not so any more.
    pub(crate) fn has_changed_hands(&self) -> bool {
        self.0.changed_hands.load(Ordering::Acquire)
    }

    /// What the answer sets, if it has to tell the client something. There is no other time.
    pub(crate) fn cookie(&self, is_https: impl FnOnce() -> bool) -> Option<HeaderValue> {
        self.0.answered.store(true, Ordering::Release);
        let Sessions { config, signer, .. } = self.sessions();
        match &*self.state() {
            State::Sent | State::None | State::Retired | State::Known(_) => None,
            State::New(id) => cookie::given(config, is_https(), signer.signed(id)),
            State::Ended => cookie::taken(config, is_https()),
        }
    }

    fn sessions(&self) -> &Sessions {
        &self.0.app.sessions
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn overtaken() -> Error {
    Error::new(409, "the session has just changed: send the request again")
}

/// Without the id, which is a secret.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
