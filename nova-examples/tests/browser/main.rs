//! The pages of the notes app as people see them: the program, and Chromium that looks at it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]
#![cfg(unix)]

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

#[expect(dead_code, reason = "tests/process asks more of it")]
#[path = "../common/app.rs"]
mod app;

mod acceptance;
mod browser;
mod hostile;
mod kill;
mod live;
mod pages;
mod search;
mod window;
