//! The `rate_limit` plugin: how often one client may ask.

mod budget;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Unexpected};

use self::budget::{Budgets, Standing};
use super::{Flow, Plugin, PluginInfo};
use crate::config::some_time;
use crate::error::{Error, Result};
use crate::request::{Head, Request};
use crate::response::Response;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Answers 429 when a client asks too often.
///
/// It is registered as `rate_limit`. In the router file:
///
/// ```toml
/// plugins = [["rate_limit", { requests = 100, period = "1m" }]]
/// # or, by who has logged in:
/// # plugins = [["rate_limit", { requests = 5, period = "1m", key = "user" }]]
/// ```
///
/// A client has a budget, which fills up again steadily: with 60 requests a minute, one each second.
/// So a burst of all of them is possible, and twice as many around the turn of a minute are not.
/// Each list that names the plugin has budgets of its own, and they are this process's.
///
/// Answers have `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): what is
/// allowed, what is left, and in how many seconds there is more. A 429 (RFC 6585 §4) has
/// `Retry-After` too, and costs nothing of the budget.
#[derive(Debug)]
pub struct RateLimitPlugin {
    options: RateLimitOptions,
    budgets: Budgets,
    /// Makes numbers of keys, which nobody can aim at.
    hasher: RandomState,
    /// Which of several such plugins this one is.
    id: usize,
}

/// The options of the `rate_limit` plugin.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitOptions {
    /// How many requests a client has in each `period`. **Default:** `100`.
    pub requests: NonZeroU32,
    /// The time in which a budget fills up. **Default:** `"1m"`.
    #[serde(deserialize_with = "some_time")]
    pub period: Duration,
    /// How many requests may come at once. **Default:** as many as `requests`.
    pub burst: Option<NonZeroU32>,
    /// What tells one client from another. **Default:** `"ip"`.
    pub key: RateLimitKey,
    /// For how many clients budgets are kept; beyond that, the one that was not seen for longest is
    /// forgotten. **Default:** `100_000`, which is about 20 MiB.
    pub capacity: NonZeroU64,
}

/// What tells one client from another, for the `rate_limit` plugin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitKey {
    /// Its [address](crate::Head::client_ip); of IPv6, the network of 64 bits, which one client has
    /// whole. Requests of no address share a budget.
    Ip,
    /// The value of this header, such as `x-api-key`, or the address of who sends none. Who can make
    /// up values has as many budgets: use it where something before the app checks them.
    Header(#[serde(deserialize_with = "header_name")] HeaderName),
    /// Who has [logged in](crate::Session::log_in), or the address where nobody has.
    User,
    /// What the session has under this name, such as `api_client`, or the address where it has
    /// nothing.
    Session(String),
}

fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
    let name = String::deserialize(deserializer)?;
    let expected = &"the name of a header, such as \"x-api-key\"";
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| D::Error::invalid_value(Unexpected::Str(&name), expected))
}

impl Default for RateLimitOptions {
    fn default() -> Self {
        RateLimitOptions {
            requests: NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN),
            period: Duration::from_secs(60),
            burst: None,
            key: RateLimitKey::Ip,
            capacity: NonZeroU64::new(100_000).unwrap_or(NonZeroU64::MIN),
        }
    }
}

/// Where a client stands with each of the plugins that have run, among the extensions of a request.
#[derive(Debug, Clone, Default)]
struct Standings(Vec<(usize, Standing)>);

impl RateLimitPlugin {
    /// The plugin with these options, for [`Group::plugin`](crate::Group::plugin).
    pub fn new(options: RateLimitOptions) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let burst = options.burst.unwrap_or(options.requests);
        RateLimitPlugin {
            budgets: Budgets::new(options.period, options.requests, burst, options.capacity),
            options,
            hasher: RandomState::new(),
            id: MADE.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// The client's key as a number, so that keys of all lengths take the same room.
    async fn client(&self, head: &Head) -> Result<u64> {
        match &self.options.key {
            RateLimitKey::Ip => {}
            RateLimitKey::Header(name) => {
                if let Some(value) = head.headers().get(name) {
                    return Ok(self.hasher.hash_one(("header", value)));
                }
            }
            RateLimitKey::User => {
                if let Some(user) = head.session().user().await? {
                    return Ok(self.hasher.hash_one(("user", user)));
                }
            }
            RateLimitKey::Session(name) => {
                if let Some(value) = head.session().get::<serde_json::Value>(name).await? {
                    return Ok(self.hasher.hash_one(("session", value.to_string())));
                }
            }
        }
        Ok(self.hasher.hash_one(("ip", head.client_ip().map(network))))
    }
}

/// What one client has of the addresses.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & (u128::MAX << 64)).into()),
    }
}

impl Plugin for RateLimitPlugin {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        let client = self.client(request).await?;
        let standing = self.budgets.spend(client);
        let known = request
            .extensions_mut()
            .get_or_insert_default::<Standings>();
        known.0.push((self.id, standing));
        match standing.retry_after {
            None => Ok(Flow::Continue),
            Some(wait) => {
                let seconds = seconds(wait);
                let message = format!("too many requests: try again in {seconds} s");
                Err(Error::new(429, message).with_header(RETRY_AFTER, seconds))
            }
        }
    }

    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        let known = head.extensions().get::<Standings>();
        let own = known.and_then(|known| known.0.iter().find(|(id, _)| *id == self.id));
        if let Some((_, standing)) = own {
            let (requests, period) = (self.options.requests, seconds(self.options.period));
            let policy = format!("\"default\";q={requests};w={period}");
            let (left, more) = (standing.left, seconds(standing.more_in));
            let limit = format!("\"default\";r={left};t={more}");
            let headers = [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)];
            for (name, value) in headers {
                if let Ok(value) = HeaderValue::try_from(value) {
                    response.headers_mut().append(name, value);
                }
            }
        }
        Ok(Flow::Continue)
    }

    fn info(&self) -> PluginInfo {
        let description = "answers 429 when a client asks too often";
        PluginInfo::built_in("Rate limit", description, &self.options)
    }
}

/// Rounded up: who waits so long has waited long enough.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
