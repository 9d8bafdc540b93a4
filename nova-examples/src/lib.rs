//! Apps that show Nova: [`notes`], the one of the tutorial.

pub mod notes;

/// The examples of the README, compiled and run like all others.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
