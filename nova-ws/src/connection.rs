//! The connection, as its handler sees it.

use std::net::IpAddr;
use std::sync::Arc;

use nova_core::pubsub::{MemberId, PubSub};
use nova_core::{Error, Request, Result, SeenSession, SessionKey, SessionsEnded};

use crate::handshake::offered_protocols;
use crate::membership::Membership;
use crate::sender::{self, Sender};

/// One client's connection: what it has joined, who is there, and who it is when it broadcasts.
#[derive(Debug)]
pub struct Connection {
    pub(crate) membership: Membership,
    path: Box<str>,
    client_ip: Option<IpAddr>,
    user: Option<Arc<str>>,
    session: Option<SeenSession>,
    pub(crate) offered: Box<[String]>,
    pub(crate) protocol: Option<Box<str>>,
}

impl Connection {
    pub(crate) fn new(request: &Request, membership: Membership) -> Self {
        Connection {
            membership,
            path: request.path().into(),
            client_ip: request.client_ip(),
            user: None,
            session: None,
            offered: offered_protocols(request).map(str::to_owned).collect(),
            protocol: None,
        }
    }

    /// The name under which this connection is a member of channels.
    pub fn id(&self) -> MemberId {
        self.membership.id()
    }

    /// Joins `channel`, and says whether the connection was not a member before. What is
    /// broadcast from now on reaches the handler; what is broadcast before the client has its
    /// 101 waits until then. The membership ends with the connection.
    pub fn join(&mut self, channel: &str) -> bool {
        self.membership.join(channel)
    }

    /// Joins `channel` for these topics of it: others do not arrive. Who joins again changes its topics.
    pub fn join_topics(&mut self, channel: &str, topics: &[&str]) -> bool {
        self.membership.join_topics(channel, topics)
    }

    /// Leaves `channel`, and says whether the connection was a member. What has arrived is still
    /// delivered.
    pub fn leave(&mut self, channel: &str) -> bool {
        self.membership.leave(channel)
    }

    /// The pub/sub, with this connection as the sender.
    pub fn pubsub(&self) -> &PubSub {
        self.membership.pubsub()
    }

    /// A way to this connection, for other tasks.
    pub fn sender(&self) -> Sender {
        Sender::new(self.pubsub().clone(), self.id())
    }

    /// The path of the request that opened the connection.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The address of the client, as the request [had](nova_core::Head::client_ip) it.
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.client_ip
    }

    /// The sub-protocols that the client offers, in its order; none from `started` on. A security function
    /// has [`offered_protocols`](crate::offered_protocols).
    pub fn offered_protocols(&self) -> impl Iterator<Item = &str> {
        self.offered.iter().map(String::as_str)
    }

    /// The sub-protocol that was chosen. In `init`, it is the one that the limits
    /// [have](crate::WsLimits::protocols) chosen.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Who is there: [`set_user`](Self::set_user) has said so, or the session in which they had
    /// logged in, from after `init` on.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Says who is there, so that [`disconnect`](crate::disconnect) by user finds the connection:
    /// for users who log in otherwise than by a session. Called again, it forgets the one before.
    pub fn set_user(&mut self, user: &str) {
        self.membership.join(&SessionsEnded::channel_of(user)); // first: no order falls between
        if let Some(before) = self.user.replace(user.into())
            && *before != *user
            && self.session_user() != Some(&before)
        {
            self.membership.leave(&SessionsEnded::channel_of(&before));
        }
    }

    /// The session that the connection was opened with, if the security function or `init` has asked
    /// for it. When it [ends](nova_core::SessionsEnded) by a log-out, in this browser or everywhere,
    /// the connection is closed with 4401.
    pub fn session(&self) -> Option<&SessionKey> {
        self.session.as_ref().map(|session| &session.key)
    }

    pub(crate) fn session_user(&self) -> Option<&str> {
        self.session.as_ref()?.user.as_deref()
    }

    /// Lets the connection hear of the end of the session that somebody has asked for, if that has
    /// not come already: then it is a 401.
    pub(crate) async fn hear_of_its_session(&mut self, request: &Request) -> Result<()> {
        let session = request.session();
        let Some(seen) = session.seen() else {
            return Ok(());
        };
        self.membership.join(&sender::of_session(&seen.key));
        if let Some(user) = &seen.user {
            self.membership.join(&SessionsEnded::channel_of(user));
            self.user.get_or_insert_with(|| user.as_str().into());
        }
        let is_live = session.key().await? == Some(seen.key);
        self.session = Some(seen);
        match is_live {
            true => Ok(()),
            false => Err(Error::from_status(401)),
        }
    }
}
