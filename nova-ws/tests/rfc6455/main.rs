//! RFC 6455 to the letter: bytes that a client sends, and what the app says to them.
//!
//! In the order of the RFC and, within it, of the Autobahn suite. A case is a sentence; it has to
//! hold when its bytes arrive at once and when they arrive one by one. In a case that the app does
//! not close, the client does, and the app's answer is looked at as well.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

mod closing;
mod control;
mod fragments;
mod framing;
mod limits;
mod peer;
mod text;
