//! Users' code may panic: here it is held. For crates that run such code, as nova-ws does.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

/// Runs `future` and turns a panic in it into its message.
///
/// What the future borrows may be left half-changed: drop it, or end what it belongs to.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let held = nova_core::panic::catch(async { panic!("no more milk") }).await;
/// assert_eq!(held, Err::<(), _>("no more milk".to_owned()));
/// # }
/// ```
///
/// # Errors
/// The message of the panic.
pub async fn catch<T>(future: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .map_err(|panic| message(&*panic))
}

/// The message of what [`std::panic::catch_unwind`] caught.
pub fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}
