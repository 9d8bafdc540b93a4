//! Apps that show Nova: [`notes`], the one of the tutorial.

pub mod notes;
