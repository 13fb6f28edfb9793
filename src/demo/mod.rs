//! A scripted coding agent, for `ao demo` and for the tests, and the demo itself.
//!
//! The agent is a program of its own that happens to live in this binary: nothing else in ao calls
//! it, and it reaches ao only as any agent does, by `ao hook`. The demo is a user: it drives ao by
//! its command line alone, and believes only what the records say.

pub mod agent;
mod composer;
pub mod script;
pub mod show;
pub mod stage;
mod terminal;
pub mod timeline;
