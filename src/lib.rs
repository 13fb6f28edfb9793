//! A daemonless orchestrator of coding agents.
//!
//! Modules in reading order: plain data ([`model`]), pure rules on it ([`decide`]), the record on
//! disk ([`store`]), what the user configured ([`config`]), the outside ([`adapter`]).

pub mod model;

pub mod decide;

pub mod adapter;
pub mod config;
pub mod store;

pub mod demo;
pub mod generate;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `ao` with the given arguments, the program's name first.
pub fn run(_args: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
