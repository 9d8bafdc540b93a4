//! The notes app as a program of its own, seen from outside.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]
#![cfg(unix)]

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

#[path = "../common/app.rs"]
mod app;
mod interop;
mod life;
mod log;
mod postgres;
mod sessions;
mod stop;
