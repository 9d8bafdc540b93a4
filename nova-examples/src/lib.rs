//! Apps that show Nova: [`notes`], the one of the tutorial, and what the programs for benchmarks share.

pub mod bench;
pub mod notes;
