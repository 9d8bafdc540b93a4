//! The `[server]` table.

use std::time::Duration;

use serde::Deserialize;

use super::listen::{ListenAddress, addresses};
use super::proxies::TrustedProxy;
use super::tls::{self, NEEDS_TLS, TlsConfig};
use super::values::{bytes, count, duration, head_bytes, permissions, some_time, window};
use crate::origin::Origin;

/// The `[server]` table of `nova.toml`: where the app listens, and its limits.
///
/// ```toml
/// [server]
/// listen = "127.0.0.1:8080"
/// body_limit = 2_097_152
/// shutdown_drain_timeout = 15 # or "15s"
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The address to listen on, or a list of them; port 0 takes a free one, and after `https://` it is for
    /// HTTPS, with the certificate of [`tls`](Self::tls), and a path after `unix:` is a Unix socket. A variable has several between commas. Sockets that the process was started
    /// with (`LISTEN_FDS`) take the place of all. **Default:** `127.0.0.1:8080`.
    #[serde(deserialize_with = "addresses")]
    pub listen: Vec<ListenAddress>,
    /// The permissions of the files of Unix sockets, as `chmod` has them in octal; who may write can
    /// connect. **Default:** `"660"`, so that the owner and the group can.
    #[serde(deserialize_with = "permissions")]
    pub unix_mode: u32,
    /// The longest request body, in bytes; a longer one is refused with 413.
    /// **Default:** 2 MiB.
    #[serde(deserialize_with = "bytes")]
    pub body_limit: usize,
    /// How long the client may be silent in the middle of a body; then it is answered with 408, and
    /// the connection closed. **Default:** 30 s.
    #[serde(deserialize_with = "some_time")]
    pub body_timeout: Duration,
    /// The longest head of a request, from its first line to the empty one, in bytes; a longer one is
    /// answered with 431, or with 414 if already its first line is too long, and the connection
    /// closed. From 8 KiB to 16 MiB. **Default:** 64 KiB.
    #[serde(deserialize_with = "head_bytes")]
    pub head_limit: usize,
    /// The most fields that a head may have; more are answered with 431, and the connection closed.
    /// More than 100 make each request a little dearer. **Default:** 100.
    #[serde(deserialize_with = "count")]
    pub head_fields: usize,
    /// How long the head of a request may take, from its first byte; then the client gets a 408. A new
    /// connection on which nothing comes for so long is closed without a word. **Default:** 10 s.
    #[serde(deserialize_with = "some_time")]
    pub head_timeout: Duration,
    /// How long a connection is kept after an answer, for the next request. Behind a proxy, longer than
    /// the proxy keeps it. **Default:** 10 s.
    #[serde(deserialize_with = "some_time")]
    pub keep_alive_timeout: Duration,
    /// How long a client may take nothing of an answer that waits for it; then the connection is cut.
    /// **Default:** 60 s.
    #[serde(deserialize_with = "some_time")]
    pub send_timeout: Duration,
    /// How long an answer is still worked on, without a byte that leaves, after the client has closed
    /// its side of the connection. It may still read, or it may have gone: nobody can tell until
    /// something is sent. A stream of events ends at once. **Default:** 5 s.
    #[serde(deserialize_with = "duration")]
    pub half_closed_timeout: Duration,
    /// The most connections at a time, sockets included; further ones wait in the system's queue until
    /// one of these ends. Where the process may open fewer files, three quarters of those.
    /// **Default:** 10,000.
    #[serde(deserialize_with = "count")]
    pub connections: usize,
    /// Whether HTTP/2 is spoken with clients that begin with its preface, on the same port as HTTP/1.1.
    /// **Default:** `true`.
    pub http2: bool,
    /// The most requests at a time on one connection that speaks HTTP/2; further ones are refused, and
    /// may be sent again. **Default:** 100.
    #[serde(deserialize_with = "count")]
    pub http2_streams: usize,
    /// How many bytes of bodies may have arrived, and not been read, on one connection that speaks HTTP/2;
    /// a quarter of them for each request. From 64 KiB to 1 GiB. **Default:** 1 MiB.
    #[serde(deserialize_with = "window")]
    pub http2_window: u32,
    /// Whether `/health/live` and `/health/ready` are answered, in place of what routes say: whether the
    /// process answers, and whether it should get requests, 503 with what is not ready: that it stops,
    /// the services that wait to start again, and the checks of [`AppBuilder::ready`](crate::AppBuilder::ready).
    /// Plugins, sessions and the log know nothing of these. **Default:** `false`.
    pub health: bool,
    /// How long a check of [`AppBuilder::ready`](crate::AppBuilder::ready) may take; then it has failed.
    /// **Default:** 1 s.
    #[serde(deserialize_with = "some_time")]
    pub health_timeout: Duration,
    /// How long an app that is told to stop goes on as before, while `/health/ready` says that it is not
    /// ready: what a load balancer takes to notice. **Default:** 0 s.
    #[serde(deserialize_with = "duration")]
    pub shutdown_delay: Duration,
    /// How long a stopping app lets requests and sockets finish before it cuts them: integer
    /// seconds, or text such as `"2m"`; at most a year. **Default:** 15 s.
    #[serde(deserialize_with = "duration")]
    pub shutdown_drain_timeout: Duration,
    /// The proxies that are believed when they say whose request they pass on, as a list of
    /// addresses and networks: `["127.0.0.1", "10.0.0.0/8"]`. `"unix"` stands for whoever comes by a
    /// Unix socket. What
    /// [`Head::client_ip`](crate::Head::client_ip) and [`Head::scheme`](crate::Head::scheme) give
    /// comes from them. **Default:** none, so that no client can say that it is another.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// The header in which the trusted proxies say it. It has to be one that all of them write:
    /// the others pass on what a client has written. **Default:** `x-forwarded-for`.
    pub forwarded_header: ForwardedHeader,
    /// The certificate for HTTPS. **Default:** none.
    pub tls: TlsConfig,
}

impl ServerConfig {
    /// With relative paths as they are meant: below the folder of the file that has them. `origin` tells
    /// where a key was set.
    pub(super) fn with_whole_paths(mut self, origin: impl Fn(&str) -> Option<Origin>) -> Self {
        if let Some(origin) = origin("listen") {
            let listen = self.listen.into_iter();
            self.listen = listen
                .map(|address| address.below(origin.folder()))
                .collect();
        }
        for (key, path) in [
            ("tls.certificate", &mut self.tls.certificate),
            ("tls.key", &mut self.tls.key),
        ] {
            if let Some(origin) = origin(key) {
                tls::below(path, origin.folder());
            }
        }
        self
    }

    /// What does not go together: the key at whose value it is told, and the mistake.
    pub(super) fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for (position, address) in self.listen.iter().enumerate() {
            if self.listen[..position]
                .iter()
                .any(|before| before.excludes(address))
            {
                found.push(("listen", format!("`{address}` stands twice in `listen`")));
            }
        }
        let is_https = |address: &ListenAddress| matches!(address, ListenAddress::Https(_));
        let wants_tls = self.listen.iter().any(is_https);
        let mut add = |key, told: &str| found.push((key, told.to_owned()));
        match (&self.tls.certificate, &self.tls.key) {
            (None, None) if wants_tls => add(
                "listen",
                "an `https://` address needs a certificate: set `certificate` and `key` in `[server.tls]`",
            ),
            (Some(_), None) => add(
                "tls.certificate",
                "the certificate has no `key` beside it: set that, too",
            ),
            (None, Some(_)) => add(
                "tls.key",
                "the key has no `certificate` beside it: set that, too",
            ),
            _ => {}
        }
        if wants_tls && cfg!(not(feature = "tls")) {
            add("listen", NEEDS_TLS);
        }
        found
    }
}

/// The header in which a proxy says whose request it passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, with the scheme in `X-Forwarded-Proto`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}
