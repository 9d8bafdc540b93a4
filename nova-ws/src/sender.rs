//! How the rest of the app reaches a connection.

use nova_core::pubsub::{MemberId, Message, PubSub, Report};
use nova_core::{SessionKey, SessionsEnded};
use serde::{Deserialize, Serialize};

use crate::close::Close;
use crate::connection::Connection;

/// Where a connection hears that it has to close, besides what is sent to it alone.
const OF_SESSION: &str = "nova:session:";
const TOPIC: &str = "nova:disconnect";

/// A way to one connection, for any task: [`Connection::sender`](crate::Connection::sender) gives it.
///
/// It goes on to work, and to reach nobody, when the connection has ended.
///
/// ```
/// use nova_core::{Request, Result};
/// use nova_ws::{Accept, Connection, Frame, Info, Outcome, WebSocket, ok, reply};
///
/// #[derive(Clone)]
/// struct Report;
///
/// impl WebSocket for Report {
///     async fn started(&mut self, conn: &mut Connection) -> Outcome {
///         let sender = conn.sender();
///         tokio::spawn(async move {
///             // … some long work …
///             sender.send("ready", "42 pages");
///         });
///         ok()
///     }
///
///     async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
///         match info {
///             Info::Sent(message) => match message.decode::<String>() {
///                 Ok(text) => reply(Frame::text(&**text)),
///                 Err(_) => ok(),
///             },
///             _ => ok(),
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Sender {
    pubsub: PubSub,
    id: MemberId,
}

impl Sender {
    pub(crate) fn new(pubsub: PubSub, id: MemberId) -> Self {
        Sender { pubsub, id }
    }

    /// The name of the connection, under which it is a member of channels.
    pub fn id(&self) -> MemberId {
        self.id
    }

    /// Sends a value to the connection's [`info`](crate::WebSocket::info), as
    /// [`Info::Sent`](crate::Info::Sent), and says whether the connection is still there.
    ///
    /// It waits its turn among the messages of channels, and is bounded with them.
    pub fn send<T>(&self, topic: &str, payload: &T) -> bool
    where
        T: ToOwned + ?Sized,
        T::Owned: Serialize + Send + Sync + 'static,
    {
        self.pubsub.send_to(self.id, topic, payload).members > 0
    }

    /// Closes the connection with this code and reason, after what was sent to it before, and says
    /// whether it is still there. What [`stop_with`](crate::stop_with) says about codes holds here.
    pub fn close(&self, code: u16, reason: &str) -> bool {
        disconnect(&self.pubsub, Whom::Connection(self.id), code, reason).members > 0
    }
}

/// Whose connections to [close](disconnect).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Whom {
    /// This one; it is the sender of what its handler broadcasts, and a member of its channels.
    Connection(MemberId),
    /// All of this user: those whose `init` has called
    /// [`set_user`](crate::Connection::set_user), and those with a session in which the user had
    /// logged in, if the security function or `init` asked for it.
    User(String),
    /// All that were opened with this session, if the security function or `init` asked for it.
    Session(SessionKey),
}

/// Closes connections with this code and reason, after what was sent to them before. The report says
/// how many were told, and they close at once, unless their handlers are busy.
///
/// What [`stop_with`](crate::stop_with) says about codes holds here.
///
/// ```
/// use nova_core::{Request, Result};
/// use nova_ws::{Whom, disconnect};
///
/// /// `/ban/{user}`
/// async fn ban(request: Request) -> Result<String> {
///     let user: String = request.binding("user")?;
///     request.session().end_all_of(&user).await?;
///     let told = disconnect(request.pubsub(), Whom::User(user), 4403, "you are banned");
///     Ok(format!("{} connections", told.members))
/// }
/// ```
pub fn disconnect(pubsub: &PubSub, whom: Whom, code: u16, reason: &str) -> Report {
    let order = Order {
        code,
        reason: reason.to_owned(),
    };
    match whom {
        Whom::Connection(id) => pubsub.send_to(id, TOPIC, &order),
        Whom::User(user) => pubsub.broadcast(&SessionsEnded::channel_of(&user), TOPIC, &order),
        Whom::Session(key) => pubsub.broadcast(&of_session(&key), TOPIC, &order),
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    code: u16,
    reason: String,
}

pub(crate) fn of_session(key: &SessionKey) -> String {
    format!("{OF_SESSION}{key}")
}

/// Whether `message` may mean something for connections themselves: see [`control`].
pub(crate) fn concerns_connections(message: &Message) -> bool {
    let channel = message.channel();
    channel.starts_with(SessionsEnded::OF_USER) || channel.starts_with(OF_SESSION)
}

/// What `message` means for the connection itself. The handler does not see such a message.
pub(crate) enum Control {
    /// To close with this.
    Close(Close),
    /// It was for others.
    Nothing,
}

/// What `message` means for the connection itself, if it is no message for the handler: an order to
/// close, or word that sessions have ended.
pub(crate) fn control(message: &Message, conn: &Connection) -> Option<Control> {
    let channel = message.channel();
    let is_of_user = channel.starts_with(SessionsEnded::OF_USER);
    match message.topic() {
        TOPIC if message.is_direct() || is_of_user || channel.starts_with(OF_SESSION) => {
            let order = message.decode::<Order>().ok()?;
            Some(Control::Close(Close::chosen(order.code, &order.reason)))
        }
        SessionsEnded::TOPIC if is_of_user => {
            let ended = message.decode::<SessionsEnded>().ok()?;
            let own = conn.session_user().zip(conn.session());
            let is_own = own.is_some_and(|(user, key)| ended.includes(user, Some(*key)));
            Some(match is_own {
                true => Control::Close(Close::new(Close::LOGGED_OUT, "logged out")),
                false => Control::Nothing,
            })
        }
        _ => None,
    }
}
