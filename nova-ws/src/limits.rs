//! What connections may do and cost, as apps, groups and routes have it.

use std::net::IpAddr;
use std::time::Duration;

use nova_core::deserialize::{optional_bytes, optional_duration};
use nova_core::{ProtocolLimits, ProtocolRoute};
use serde::Deserialize;

use crate::close::Close;
use crate::codec;
use crate::open::{Count, Permit, Places, TooMany};

const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The limits of WebSockets: `limits = { ws = { … } }` at the top of `router.toml`, in a group, or in
/// the options of a route.
///
/// An inner limit takes the place of an outer one, but for [`connections`](Self::connections) and
/// [`connections_per_address`](Self::connections_per_address), of which each counts for itself.
///
/// ```
/// use nova_core::{App, Group, protocol};
/// use nova_ws::{AppBuilderExt, WebSocket, WsLimits};
///
/// #[derive(Clone)]
/// struct Silent;
/// impl WebSocket for Silent {}
///
/// let group = Group::new()
///     .limits(WsLimits {
///         message_bytes: Some(4 * 1024),
///         connections_per_address: Some(20),
///         ..WsLimits::default()
///     })
///     .route(("/silent", "silent", protocol("ws")));
/// let app = App::builder().websocket("silent", Silent).group(group).build().unwrap();
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WsLimits {
    /// The longest message of a client's, all its fragments together. A longer one is 1009.
    /// **Default:** 64 KiB.
    #[serde(deserialize_with = "optional_bytes")]
    pub message_bytes: Option<usize>,
    /// The longest frame of a client's. A longer one is 1009. **Default:** 64 KiB.
    #[serde(deserialize_with = "optional_bytes")]
    pub frame_bytes: Option<usize>,
    /// How many bytes may wait for a client that does not read. With more, it is closed with 1013.
    /// When nothing waits, a longer frame is taken, and so are up to 16 KiB of frames that leave together.
    /// **Default:** 1 MiB.
    #[serde(deserialize_with = "optional_bytes")]
    pub outgoing_bytes: Option<usize>,
    /// After how long without a message, in either direction, a connection is closed with 1001.
    /// Pings are none. **Default:** never; a client that only listens stays.
    #[serde(deserialize_with = "optional_duration")]
    pub idle_timeout: Option<Duration>,
    /// How often a client is pinged. **Default:** 25 s.
    #[serde(deserialize_with = "optional_duration")]
    pub ping_interval: Option<Duration>,
    /// How long after a ping something has to come from the client, or it is gone. **Default:** 20 s.
    #[serde(deserialize_with = "optional_duration")]
    pub pong_timeout: Option<Duration>,
    /// How many messages and pings a client may send in a second; so many may come at once. With
    /// more, it is closed with 1008. **Default:** any number.
    pub messages_per_second: Option<u32>,
    /// How many connections may be open at a time on all routes that have this limit from this
    /// place. One more is 503. After a reload of the routes, those from before are not counted.
    /// **Default:** any number.
    pub connections: Option<usize>,
    /// How many of them may be from one [address](nova_core::Head::client_ip), or of IPv6 from one
    /// network of 64 bits. One more is 429. **Default:** any number.
    pub connections_per_address: Option<usize>,
    /// The sub-protocols that the handler speaks, the best first: the first one that the client
    /// offers is chosen, unless `init` chooses. A client that offers only others is refused with
    /// 400. **Default:** what `init` chooses.
    pub protocols: Option<Vec<String>>,
    /// The origins of pages that may connect, besides that of the `Host`, such as
    /// `https://example.com`; `*` for all. **Default:** none.
    pub origins: Option<Vec<String>>,
    /// With which code connections are closed when the app stops: 1001, the server goes away, or
    /// 1012, it is restarted. **Default:** 1001.
    pub stop_code: Option<u16>,
    /// What is counted for this place.
    #[doc(hidden)]
    #[serde(skip)]
    pub count: Count,
}

impl ProtocolLimits for WsLimits {
    const PROTOCOL: &'static str = "ws";

    fn check(&self) -> Result<(), String> {
        check_bytes(&[
            ("message_bytes", self.message_bytes),
            ("frame_bytes", self.frame_bytes),
            ("outgoing_bytes", self.outgoing_bytes),
        ])?;
        check_times(&[
            ("idle_timeout", self.idle_timeout),
            ("ping_interval", self.ping_interval),
            ("pong_timeout", self.pong_timeout),
        ])?;
        let nothing = [
            ("messages_per_second", self.messages_per_second == Some(0)),
            ("connections", self.connections == Some(0)),
            (
                "connections_per_address",
                self.connections_per_address == Some(0),
            ),
        ];
        if let Some((name, _)) = nothing.into_iter().find(|(_, is_nothing)| *is_nothing) {
            return Err(format!(
                "a `{name}` of 0 lets nobody in: leave it out for any number"
            ));
        }
        if let Some(code) = self.stop_code
            && !matches!(code, Close::GOING_AWAY | Close::RESTART)
        {
            return Err(format!("`stop_code` is 1001 or 1012, not {code}"));
        }
        let protocols = self.protocols.iter().flatten();
        if let Some(name) = protocols.clone().find(|name| !is_token(name)) {
            return Err(format!(
                "`{name}` in `protocols` is no name of a sub-protocol: it has letters, digits and \
                 the signs !#$%&'*+-.^_`|~"
            ));
        }
        let mut origins = self.origins.iter().flatten();
        if let Some(origin) = origins.find(|origin| !is_origin(origin)) {
            return Err(format!(
                "`{origin}` in `origins` is no origin: write `https://example.com`, with a port only \
                 if it is not the usual one and without a path, each host by itself, or `*` for all"
            ));
        }
        Ok(())
    }
}

/// What the router file cannot say, and Rust can.
pub(crate) fn check_bytes(limits: &[(&str, Option<usize>)]) -> Result<(), String> {
    match limits.iter().find(|(_, bytes)| *bytes == Some(0)) {
        Some((name, _)) => Err(format!(
            "a `{name}` of 0 lets nothing through: leave it out for the default"
        )),
        None => Ok(()),
    }
}

/// The same for times. One beyond a year is no time that a clock can be set to, as `Duration::MAX` is.
pub(crate) fn check_times(limits: &[(&str, Option<Duration>)]) -> Result<(), String> {
    let is_wrong = |time: Duration| time.is_zero() || time > LONGEST;
    match limits.iter().find(|(_, time)| time.is_some_and(is_wrong)) {
        Some((name, _)) => Err(format!(
            "a `{name}` is above 0 and at most a year: leave it out for the default"
        )),
        None => Ok(()),
    }
}

/// A token of RFC 9110 §5.6.2, which the name of a sub-protocol is (RFC 6455 §4.1).
pub(crate) fn is_token(name: &str) -> bool {
    let is_sign = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || is_sign(byte))
}

/// Whether a browser may send that as an `Origin`, in some case.
fn is_origin(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else {
        return origin == "*";
    };
    let is_usual = |port| host.ends_with(port);
    let has_usual_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => is_usual(":80"),
        "https" => is_usual(":443"),
        _ => false,
    };
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(is_of_host) && !has_usual_port
}

/// The limits that count for a route.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) codec: codec::Limits,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) ping_interval: Duration,
    pub(crate) pong_timeout: Duration,
    pub(crate) messages_per_second: Option<u32>,
    pub(crate) protocols: Vec<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) stop_code: u16,
    /// Where the number of connections is limited.
    places: Places,
}

impl Default for InForce {
    fn default() -> Self {
        InForce {
            codec: codec::Limits::default(),
            idle_timeout: None,
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(20),
            messages_per_second: None,
            protocols: Vec::new(),
            origins: Vec::new(),
            stop_code: Close::GOING_AWAY,
            places: Places::default(),
        }
    }
}

impl InForce {
    pub(crate) fn of(route: &ProtocolRoute<'_>) -> Self {
        let mut all = InForce::default();
        route.limits().for_each(|limits| all.set(limits));
        all
    }

    fn set(&mut self, limits: &WsLimits) {
        fn set<T: Clone>(value: &mut T, stronger: Option<&T>) {
            if let Some(stronger) = stronger {
                value.clone_from(stronger);
            }
        }
        let WsLimits {
            message_bytes,
            frame_bytes,
            outgoing_bytes,
            idle_timeout,
            ping_interval,
            pong_timeout,
            messages_per_second,
            connections,
            connections_per_address,
            protocols,
            origins,
            stop_code,
            count,
        } = limits;
        set(&mut self.codec.message_bytes, message_bytes.as_ref());
        set(&mut self.codec.frame_bytes, frame_bytes.as_ref());
        set(&mut self.codec.outgoing_bytes, outgoing_bytes.as_ref());
        self.idle_timeout = idle_timeout.or(self.idle_timeout);
        set(&mut self.ping_interval, ping_interval.as_ref());
        set(&mut self.pong_timeout, pong_timeout.as_ref());
        self.messages_per_second = messages_per_second.or(self.messages_per_second);
        set(&mut self.protocols, protocols.as_ref());
        set(&mut self.origins, origins.as_ref());
        set(&mut self.stop_code, stop_code.as_ref());
        let most = (*connections, *connections_per_address);
        self.places.add(most, count);
    }

    /// Counts one connection more, until the permits are dropped.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<Vec<Permit>, TooMany> {
        self.places.admit(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_limit_takes_the_place_of_an_outer_one() {
        let mut all = InForce::default();
        all.set(&WsLimits {
            message_bytes: Some(1),
            frame_bytes: Some(2),
            ..WsLimits::default()
        });
        all.set(&WsLimits {
            message_bytes: Some(3),
            ..WsLimits::default()
        });

        let codec::Limits {
            message_bytes,
            frame_bytes,
            outgoing_bytes,
        } = all.codec;
        assert_eq!(
            (message_bytes, frame_bytes, outgoing_bytes),
            (3, 2, 1 << 20)
        );
    }

    #[test]
    fn a_limit_in_rust_is_one_that_a_file_could_have() {
        let endless = WsLimits {
            ping_interval: Some(Duration::MAX),
            ..WsLimits::default()
        };
        let restless = WsLimits {
            pong_timeout: Some(Duration::ZERO),
            ..WsLimits::default()
        };
        let mute = WsLimits {
            message_bytes: Some(0),
            ..WsLimits::default()
        };
        for (limits, expected) in [
            (endless, "a `ping_interval` is above 0 and at most a year"),
            (restless, "a `pong_timeout` is above 0"),
            (mute, "a `message_bytes` of 0 lets nothing through"),
        ] {
            let wrong = limits.check().unwrap_err();
            assert!(wrong.contains(expected), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_limit_says_what_is() {
        let wrong = |toml: &str| {
            let limits: WsLimits = toml::from_str(toml).unwrap();
            limits.check().unwrap_err()
        };
        for (toml, expected) in [
            ("connections = 0", "a `connections` of 0 lets nobody in"),
            ("stop_code = 1000", "`stop_code` is 1001 or 1012, not 1000"),
            ("protocols = [\"a b\"]", "`a b` in `protocols` is no name"),
            ("origins = [\"example.com\"]", "write `https://example.com`"),
            ("origins = [\"https://a/b\"]", "without a path"),
            ("origins = [\"https://*.a.example\"]", "is no origin"),
            ("origins = [\"https://a.example:443\"]", "is no origin"),
        ] {
            assert!(wrong(toml).contains(expected), "{toml}: {}", wrong(toml));
        }
    }
}
