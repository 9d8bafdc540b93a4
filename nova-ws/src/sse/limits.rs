//! What streams may cost, as apps, groups and routes have it.

use std::net::IpAddr;
use std::time::Duration;

use nova_core::deserialize::{optional_bytes, optional_duration};
use nova_core::{ProtocolLimits, ProtocolRoute};
use serde::Deserialize;

use crate::limits::{check_bytes, check_times};
use crate::open::{Count, Permit, Places, TooMany};

/// The limits of streams of events: `limits = { sse = { … } }` at the top of `router.toml`, in a
/// group, or in the options of a route.
///
/// An inner limit takes the place of an outer one, but for [`connections`](Self::connections) and
/// [`connections_per_address`](Self::connections_per_address), of which each counts for itself.
///
/// ```
/// use std::time::Duration;
///
/// use nova_core::{App, Group, protocol};
/// use nova_ws::AppBuilderExt;
/// use nova_ws::sse::{EventSource, SseLimits};
///
/// #[derive(Clone)]
/// struct Silent;
/// impl EventSource for Silent {}
///
/// let group = Group::new()
///     .limits(SseLimits {
///         comment_interval: Some(Duration::from_secs(10)),
///         connections_per_address: Some(20),
///         ..SseLimits::default()
///     })
///     .route(("/silent", "silent", protocol("sse")));
/// let app = App::builder().event_source("silent", Silent).group(group).build().unwrap();
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SseLimits {
    /// How many bytes may wait for a client that does not read. With more, its stream ends. A longer
    /// event is taken when nothing waits. **Default:** 1 MiB.
    #[serde(deserialize_with = "optional_bytes")]
    pub outgoing_bytes: Option<usize>,
    /// After how long a silent stream has a comment, for what closes silent connections.
    /// **Default:** 25 s.
    #[serde(deserialize_with = "optional_duration")]
    pub comment_interval: Option<Duration>,
    /// How many streams may be open at a time on all routes that have this limit from this place.
    /// One more is 503. After a reload of the routes, those from before are not counted.
    /// **Default:** any number.
    pub connections: Option<usize>,
    /// How many of them may be to one [address](nova_core::Head::client_ip), or of IPv6 to one
    /// network of 64 bits. One more is 429. **Default:** any number.
    pub connections_per_address: Option<usize>,
    /// What is counted for this place.
    #[doc(hidden)]
    #[serde(skip)]
    pub count: Count,
}

impl ProtocolLimits for SseLimits {
    const PROTOCOL: &'static str = "sse";

    fn check(&self) -> Result<(), String> {
        check_bytes(&[("outgoing_bytes", self.outgoing_bytes)])?;
        check_times(&[("comment_interval", self.comment_interval)])?;
        let numbers = [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
        ];
        match numbers.into_iter().find(|(_, most)| *most == Some(0)) {
            Some((name, _)) => Err(format!(
                "a `{name}` of 0 lets nobody in: leave it out for any number"
            )),
            None => Ok(()),
        }
    }
}

/// The limits that count for a route.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) outgoing_bytes: usize,
    pub(super) comment_interval: Duration,
    /// Where the number of streams is limited.
    places: Places,
}

impl InForce {
    pub(super) fn of(route: &ProtocolRoute<'_>) -> Self {
        let mut all = InForce {
            outgoing_bytes: 1024 * 1024,
            comment_interval: Duration::from_secs(25),
            places: Places::default(),
        };
        for limits in route.limits::<SseLimits>() {
            all.outgoing_bytes = limits.outgoing_bytes.unwrap_or(all.outgoing_bytes);
            all.comment_interval = limits.comment_interval.unwrap_or(all.comment_interval);
            let most = (limits.connections, limits.connections_per_address);
            all.places.add(most, &limits.count);
        }
        all
    }

    /// Counts one stream more, until the permits are dropped.
    pub(super) fn admit(&self, address: Option<IpAddr>) -> Result<Vec<Permit>, TooMany> {
        self.places.admit(address)
    }
}
