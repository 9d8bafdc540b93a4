//! The notes app as a program of its own, seen from outside.

#![cfg(unix)]

mod app;
mod interop;
mod life;
