//! The work in several steps: spawn, restore, kill, cleanup, and who finishes what a dead owner
//! began.
//!
//! Each operation records an intent first, then does one step and records it, so that it can be
//! killed at any instruction and finished or undone by the next reap.

pub mod agent_files;
pub mod answer;
pub mod check;
pub mod cleanup;
pub mod context;
pub mod deliver;
pub mod error;
pub mod files;
pub mod forge;
pub mod handover;
pub mod intake;
pub mod intent;
pub mod issue;
pub mod kill;
pub mod many;
pub mod merge;
pub mod metrics;
pub mod orchestrator;
pub mod orphans;
mod outside;
pub mod poll;
pub mod pr;
pub mod preflight;
pub mod press;
pub mod replace;
pub mod report;
pub mod restore;
pub mod review;
pub mod role;
pub mod send;
pub mod sight;
pub mod spawn;
pub mod start;
pub mod tracker;
pub mod workspace;

pub use error::SessionError;
pub use outside::OutsideError;
