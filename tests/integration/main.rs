//! Real tmux, real files, real processes.

mod runtime;
