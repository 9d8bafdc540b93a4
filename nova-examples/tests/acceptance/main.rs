//! The acceptance app as a program of its own: what it promises, and what it does when it is attacked.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]
#![cfg(unix)]

mod app;
mod bombs;
mod files;
mod forgery;
mod frames;
mod http2;
mod routes;
mod slow;
mod sockets;
mod stop;
