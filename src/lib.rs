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

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `ao` with the given arguments, the program's name first.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.skip(1).collect();
    if let [command, session_dir, launch] = args.as_slice()
        && command == "launch"
        && let Some(launch) = launch.to_str().and_then(|text| text.parse().ok())
    {
        let code =
            adapter::runtime::launcher::launch(session_dir.as_ref(), &launch, &mut |_code| {});
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    ExitCode::SUCCESS
}
