//! A scripted coding agent, for `ao demo` and for the tests.
//!
//! It is a program of its own that happens to live in this binary: nothing else in ao calls it,
//! and it reaches ao only as any agent does, by `ao hook`.

pub mod agent;
mod composer;
pub mod script;
mod terminal;
