//! Tests of the built `ao`, on real tmux, real git and real files.
//!
//! Each test is a short story in an environment of its own: arrange, run `ao`, look. What can be
//! shown by a unit test is shown there.
#![expect(clippy::disallowed_methods, reason = "tests touch files and processes themselves")]

mod agent;
#[allow(dead_code, reason = "the vocabulary of the tests, whichever of them use it")]
mod agent_files;
mod agents;
mod answers;
mod bad_input;
mod batch;
mod cleanup;
mod completion;
mod contract;
mod costs;
mod damaged;
mod demo;
mod disk;
mod doctor;
mod dry_run;
#[allow(dead_code, reason = "the vocabulary of the tests, whichever of them use it")]
mod env;
mod exit_codes;
mod faulted;
mod forge_rest;
mod generated;
mod git_worst;
#[allow(dead_code, reason = "the vocabulary of the tests, whichever of them use it")]
mod github;
mod hooks;
mod intake;
mod issue;
mod kill_restore;
mod layers;
mod limits;
mod local_scm;
mod merge;
mod metrics;
mod misbehaviour;
mod notify;
mod notify_secrets;
mod notify_tls;
#[allow(dead_code, reason = "the vocabulary of the tests, whichever of them use it")]
mod outcome;
mod outer_loop;
mod packaging;
mod points;
mod pool;
mod power_cut;
mod pr;
mod races;
mod reaction_config;
mod reactions;
mod readme;
mod reap;
mod report;
mod review;
mod roles;
mod runtime;
#[allow(dead_code, reason = "the vocabulary of the tests, whichever of them use it")]
mod schema;
mod scripts;
mod security;
mod send;
#[allow(dead_code, reason = "the vocabulary of the tests, whichever of them use it")]
mod server;
mod soak;
mod spawn;
mod spawn_checks;
mod storms;
mod tidy;
mod timer;
mod timer_run;
mod tmux_worst;
mod tree;
mod untrusted;
mod versions;
mod wait;
mod walk;
mod whole_loop;
