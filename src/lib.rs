//! A daemonless orchestrator of coding agents.
//!
//! Each invocation observes the world, takes a lock, loads the record, decides, commits, lets go
//! of the lock, then acts. Modules in reading order: plain data ([`model`], a crate of its own),
//! pure rules on it ([`decide`]), the outside ([`adapter`]), the record on disk ([`store`]), what
//! the user configured ([`config`]); then what ties them together: [`invocation`], [`observe`],
//! [`act`], [`session`], [`reap`]; and last the command line ([`cli`]).

pub use ao_model as model;

pub mod decide;

pub mod adapter;
pub mod config;
pub mod store;

pub mod act;
pub mod invocation;
pub mod observe;
pub mod reap;
pub mod session;

pub mod demo;

pub mod cli;
pub mod generate;

#[cfg(test)]
mod fuzz;

pub use cli::run;
