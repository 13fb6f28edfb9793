//! The `ao` binary: everything is in the library.
//!
//! With glibc the standard library's own start is left out. To be able to name a stack overflow it
//! reads the memory map of the process and lays a second stack aside, which is a tenth of a hook's
//! time; what else it does is done here. Other C libraries hand it the arguments that way alone.
#![cfg_attr(all(target_os = "linux", target_env = "gnu", not(test)), no_main)]

#[cfg(all(target_os = "linux", target_env = "gnu", not(test)))]
mod start {
    use std::ffi::{c_char, c_int};

    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;
    use rustix::stdio;

    // SAFETY: it is the one `main` of the program, and has the type that C gives it.
    #[unsafe(no_mangle)]
    extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
        have_standard_streams();
        // SAFETY: nothing else runs yet, and no handler is replaced by one of ours.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        super::collect_children();
        // Ends as a `main` of Rust does, with standard output written out.
        std::process::exit(ao::run(std::env::args_os()).into())
    }

    /// Opens /dev/null for each standard stream that the caller closed, so that no file that is
    /// opened later is taken for one.
    fn have_standard_streams() {
        for stream in [stdio::stdin(), stdio::stdout(), stdio::stderr()] {
            if rustix::io::fcntl_getfd(stream) == Err(Errno::BADF) {
                match rustix::fs::open(c"/dev/null", OFlags::RDWR, Mode::empty()) {
                    // The lowest number that is free: this stream's.
                    Ok(null) => std::mem::forget(null),
                    Err(_) => std::process::abort(),
                }
            }
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", not(test))))]
fn main() {
    collect_children();
    std::process::exit(ao::run(std::env::args_os()).into())
}

/// Has the system keep how each child ended until it is asked: a caller may have given it up for
/// its own children, and what it ignores is inherited.
fn collect_children() {
    // SAFETY: nothing else runs yet, and no handler is replaced.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}
