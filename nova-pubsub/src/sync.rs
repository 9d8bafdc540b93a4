//! Locks and atomics, in one place so that a test can try their interleavings: with `--cfg shuttle`
//! they are those of the `shuttle` crate, which runs threads in every order it can think of.

#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard};
#[cfg(not(shuttle))]
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
}

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(shuttle)]
pub(crate) mod atomic {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
}

/// Locks, whoever has panicked before: nothing of ours panics under a lock, and what the locks of this
/// crate guard is whole at every step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Reads a byte beside the lock, so that its memory comes into the processor's cache.
#[cfg(not(shuttle))]
pub(crate) fn fetch<T>(mutex: &Mutex<T>) {
    std::hint::black_box(mutex.is_poisoned());
}

#[cfg(shuttle)]
pub(crate) fn fetch<T>(_: &Mutex<T>) {}
