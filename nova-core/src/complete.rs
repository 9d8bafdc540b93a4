//! Work that a client cannot interrupt.

use crate::error::{Error, Result};

/// Runs `work` to its end, also when the client hangs up in the middle, and waits for it.
///
/// A controller's future is dropped with its client. Where two steps belong together, such as
/// writing to the database and telling the others, put both in here:
///
/// ```
/// # use nova_core::{Reply, Request, Result, complete, json};
/// # async fn insert(title: String) -> Result<String> { Ok(title) }
/// async fn create(request: Request) -> Result<Reply> {
///     let pubsub = request.pubsub().clone();
///     let note = complete(async move {
///         let note = insert("milk".into()).await?;
///         pubsub.broadcast("notes", "note_created", &note);
///         Ok(note)
///     })
///     .await?;
///     Ok(json(&note))
/// }
/// ```
///
/// It costs a task. When the app stops, it waits for the work as long as for the request.
///
/// # Errors
/// Those of `work`.
///
/// # Panics
/// If `work` panics, with the same message. If it is called outside a tokio runtime.
pub async fn complete<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::internal("the app stopped before the work was done")),
        },
    }
}
