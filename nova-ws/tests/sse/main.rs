//! Server-sent events: the answer, the life of a stream, its bounds, shared events.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

mod answer;
mod bounds;
mod life;
mod limits;
mod logged_out;
mod missed;
mod sender;
mod shared;
mod stop;
