//! The `ao` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ao::run(std::env::args_os())
}
