//! Real tmux, real files, real processes.
#![expect(clippy::disallowed_methods, reason = "tests arrange the outside by hand")]

mod runtime;
