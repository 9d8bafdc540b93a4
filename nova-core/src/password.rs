//! Passwords, hashed with Argon2id and never kept.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> nova_core::Result<()> {
//! use nova_core::password;
//!
//! let hash = password::hash("correct horse").await?;
//! assert!(hash.starts_with("$argon2id$"));
//!
//! assert!(password::verify("correct horse", Some(&hash)).await?);
//! assert!(!password::verify("battery staple", Some(&hash)).await?);
//! // Nobody of that name: as slow as a wrong password, so that clients learn nothing by it.
//! assert!(!password::verify("correct horse", None).await?);
//! # Ok(())
//! # }
//! ```
//!
//! A hash takes some 19 MiB of memory and tens of milliseconds of a processor, on purpose. It is
//! made on a thread for blocking work; as many as there are processors are made at once, and the
//! others wait. In a debug build it takes seconds, unless the `Cargo.toml` of the workspace says:
//!
//! ```toml
//! [profile.dev.package.argon2]
//! opt-level = 3
//! [profile.dev.package.blake2]
//! opt-level = 3
//! ```

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));

/// A hash of `password` to be stored: a PHC string (`$argon2id$v=19$…`) with a salt of its own.
///
/// # Errors
/// The operating system gives no random numbers.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn hash(password: &str) -> Result<String> {
    let password = password.to_owned();
    let hash = in_turn(move || Argon2::default().hash_password(password.as_bytes()));
    Ok(hash.await?.to_string())
}

/// Whether `password` is the one that `hash` was made of. Without a hash it is not, after the
/// same work.
///
/// # Errors
/// `hash` is no PHC string of Argon2.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn verify(password: &str, hash: Option<&str>) -> Result<bool> {
    let Some(hash) = hash else {
        self::hash(password).await?;
        return Ok(false);
    };
    let hash = PasswordHash::new(hash).map_err(failed)?;
    let password = password.to_owned();
    let verified =
        in_turn(
            move || match Argon2::default().verify_password(password.as_bytes(), &hash) {
                Err(HashError::PasswordInvalid) => Ok(false),
                verified => verified.map(|()| true),
            },
        );
    verified.await
}

async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
) -> Result<T> {
    let turn = TURNS.acquire().await?;
    // The turn goes with the work: who waits for it may be gone first.
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await?.map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("the password cannot be hashed: {error}"))
}
