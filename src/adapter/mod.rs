//! What drives the outside: one program or facility a file.
//!
//! Nothing here decides. Whatever cannot be told is an error or an explicit "indeterminate",
//! never an absence.

pub mod agent;
pub mod check_run;
pub mod clock;
pub mod cmd;
pub mod failpoint;
pub mod flock;
pub mod fs;
pub mod git;
pub mod http;
pub mod ids;
pub mod json_edit;
pub mod notify;
pub mod process;
pub mod program;
pub mod remembered;
pub mod runtime;
pub mod scheduler;
pub mod scm;
pub mod stdin;
pub mod threads;
pub mod volume;
pub mod watch;

#[cfg(test)]
mod fuzz;
