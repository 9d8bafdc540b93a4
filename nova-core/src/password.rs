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
//! A hash takes 19 MiB of memory and tens of milliseconds of a processor, on purpose. It is made on a
//! thread for blocking work; as many as there are processors are made at once, 64 more may wait, and
//! the others get a 503.
//! The memory is kept for the next ones. In a debug build a hash takes seconds, unless the
//! `Cargo.toml` of the workspace says:
//!
//! ```toml
//! [profile.dev.package.argon2]
//! opt-level = 3
//! [profile.dev.package.blake2]
//! opt-level = 3
//! ```

use std::sync::{LazyLock, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));

/// How many may wait for their turn: some seconds' worth. Whoever sends passwords by the thousand
/// would otherwise keep everybody waiting.
const MOST_WAITING: usize = 64;
static WAITING: Semaphore = Semaphore::const_new(MOST_WAITING);

/// The memory of hashes that are made, one block for each turn at most. What the allocator gets
/// back in such sizes it seldom gives to the system, and every login would add to the process.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// A hash of `password` to be stored: a PHC string (`$argon2id$v=19$…`) with a salt of its own.
///
/// # Errors
/// 503 if too many are waiting; 500 if the operating system gives no random numbers.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn hash(password: &str) -> Result<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(failed)?;
    let password = password.to_owned();
    in_turn(move || {
        let (algorithm, version) = (Algorithm::default(), Version::default());
        let params = Params::default();
        let output = computed(&password, &salt, algorithm, version, &params, LENGTH)?;
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params).map_err(failed)?,
            salt: Some(Salt::new(&salt).map_err(failed)?),
            hash: Some(output),
        };
        Ok(hash.to_string())
    })
    .await
}

/// Whether `password` is the one that `hash` was made of. Without a hash it is not, after the
/// same work.
///
/// # Errors
/// 503 if too many are waiting; 500 if `hash` is no PHC string of Argon2.
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
    in_turn(move || {
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(failed)?;
        let version = hash
            .version
            .map(Version::try_from)
            .transpose()
            .map_err(failed)?;
        let params = Params::try_from(&hash).map_err(failed)?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
            return Err(failed("it has no salt or no hash"));
        };
        let (version, length) = (version.unwrap_or_default(), expected.len());
        let output = computed(&password, salt, algorithm, version, &params, length)?;
        Ok(output == *expected) // in constant time: `Output` compares so
    })
    .await
}

/// The bytes of a hash that [`hash`] makes.
const LENGTH: usize = Params::DEFAULT_OUTPUT_LEN;

fn computed(
    password: &str,
    salt: &[u8],
    algorithm: Algorithm,
    version: Version,
    params: &Params,
    length: usize,
) -> Result<Output> {
    let argon2 = Argon2::new(algorithm, version, params.clone());
    let mut output = [0; Output::MAX_LENGTH];
    let output = output
        .get_mut(..length)
        .ok_or_else(|| failed("it is too long"))?;
    let spare = || MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut memory = spare().pop().unwrap_or_default();
    memory.resize(params.block_count(), Block::default());
    let filled = argon2.hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        output,
        memory.as_mut_slice(),
    );
    // A hash from elsewhere may have wanted more than usual.
    if memory.len() == Params::default().block_count() {
        spare().push(memory);
    }
    filled.map_err(failed)?;
    Output::new(output).map_err(failed)
}

async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let waiting = WAITING.try_acquire();
    let waiting = waiting.map_err(|_| Error::new(503, "too many passwords are being checked"))?;
    let turn = TURNS.acquire().await?;
    drop(waiting);
    // The turn goes with the work: who waits for it may be gone first.
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await?
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("the password cannot be hashed: {error}"))
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[tokio::test]
    async fn our_hashes_and_those_of_the_crate_are_the_same() {
        let _one_test_at_a_time = BUSY.lock().await;
        let ours = hash("correct horse").await.unwrap();
        let parsed = PasswordHash::new(&ours).unwrap();
        let argon2 = Argon2::default();
        argon2.verify_password(b"correct horse", &parsed).unwrap();

        let theirs = argon2.hash_password(b"correct horse").unwrap().to_string();
        assert!(verify("correct horse", Some(&theirs)).await.unwrap());
        assert!(!verify("correct hose", Some(&theirs)).await.unwrap());
        assert_eq!(parsed.params.to_string(), "m=19456,t=2,p=1");
        assert!(verify("x", Some("plain text")).await.is_err());
        assert!(
            verify("x", Some("$argon2id$v=19$m=19456,t=2,p=1"))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn who_cannot_wait_is_told_at_once() {
        let _one_test_at_a_time = BUSY.lock().await;
        let hashes: Vec<_> = (0..200).map(|_| tokio::spawn(hash("x"))).collect();
        let mut refused = 0;
        for hash in hashes {
            if let Err(error) = hash.await.unwrap() {
                assert_eq!(error.status(), 503);
                refused += 1;
            }
        }
        let turns = std::thread::available_parallelism().unwrap().get();
        assert!(refused >= 200 - MOST_WAITING - 2 * turns, "{refused}");
        assert!(hash("x").await.is_ok());
    }

    /// The tests share what the module has one of.
    static BUSY: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    #[tokio::test]
    async fn memory_is_kept_for_as_many_as_have_a_turn_and_no_more() {
        let _one_test_at_a_time = BUSY.lock().await;
        let hashes = (0..20).map(|_| tokio::spawn(hash("x")));
        for hash in hashes.collect::<Vec<_>>() {
            hash.await.unwrap().unwrap();
        }
        let turns = std::thread::available_parallelism().unwrap().get();
        assert!((1..=turns).contains(&MEMORY.lock().unwrap().len()));
    }
}
