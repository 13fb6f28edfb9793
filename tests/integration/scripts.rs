//! The scripts a person starts with, on a machine that lacks what they install.

use std::path::Path;

use crate::env::{Outcome, TestEnvironment};

/// Every program by which set-up could change a machine.
const MANAGERS: &[&str] = &["apt-get", "dnf", "pacman", "brew", "sudo", "id"];

fn set_up(env: &TestEnvironment) -> Outcome {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("script/set-up");
    env.run(&env.command("sh").arg(script))
}

/// Hides tmux, git and the compiler, and lets `manager` "install" them.
fn bare_machine(env: &TestEnvironment, manager: &str) {
    env.hide(&[MANAGERS, &["tmux", "git", "cc"]].concat());
    let install = "echo \"${0##*/} $*\" >&2\n\
                   case $* in *install*|*-Sy*) ;; *) exit 0;; esac\n\
                   for it in tmux git cc; do\n\
                   \x20 cp \"$0.tool\" \"${0%/*}/$it\"\n\
                   done\n";
    let tool = "echo tmux 3.2\n";
    let cargo = "exit 0\n";
    env.shims(&[(manager, install), (&format!("{manager}.tool"), tool), ("cargo", cargo)]);
}

#[test]
fn a_machine_that_has_everything_is_left_alone() {
    let env = TestEnvironment::new();
    env.hide(MANAGERS);
    env.shims(&[
        ("tmux", "echo tmux next-3.10\n"),
        ("git", "exit 0\n"),
        ("cc", "exit 0\n"),
        ("cargo", "exit 0\n"),
    ]);
    let outcome = set_up(&env).success();
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
}

#[test]
fn what_is_missing_is_installed_as_root() {
    let env = TestEnvironment::new();
    bare_machine(&env, "apt-get");
    env.shims(&[("id", "echo 0\n")]);
    insta::assert_snapshot!(set_up(&env).success().stderr, @r"
    set-up: installing with apt-get: tmux git gcc libc6-dev 
    apt-get update
    apt-get install -y --no-install-recommends tmux git gcc libc6-dev
    ");
}

#[test]
fn a_user_is_asked_through_sudo_or_told() {
    let env = TestEnvironment::new();
    bare_machine(&env, "dnf");
    env.shims(&[("id", "echo 1000\n")]);
    let outcome = set_up(&env).code(1);
    let wanted =
        "set-up: this needs root and there is no sudo: run as root: dnf install -y tmux git gcc\n";
    assert!(outcome.stderr.ends_with(wanted), "{outcome}");

    env.shims(&[("sudo", "echo \"sudo $*\" >&2\nexec \"$@\"\n")]);
    let outcome = set_up(&env).success();
    assert!(outcome.stderr.contains("sudo dnf install -y tmux git gcc\n"), "{outcome}");
}

#[test]
fn an_old_tmux_is_replaced_or_named() {
    let env = TestEnvironment::new();
    bare_machine(&env, "pacman");
    env.shims(&[
        ("id", "echo 0\n"),
        ("tmux", "echo tmux 3.1c\n"),
        ("git", "exit 0\n"),
        ("cc", "exit 0\n"),
        ("pacman", "echo \"pacman $*\" >&2\n"),
    ]);
    insta::assert_snapshot!(set_up(&env).code(1).stderr, @r"
    set-up: installing with pacman: tmux 
    pacman -Sy --noconfirm --needed tmux
    set-up: still missing or too old after the installation: tmux (tmux 3.2 or newer is needed)
    ");
}

#[test]
fn a_machine_without_a_package_manager_is_told_what_it_lacks() {
    let env = TestEnvironment::new();
    bare_machine(&env, "zypper");
    insta::assert_snapshot!(set_up(&env).code(1).stderr, @"set-up: missing: tmux git cc and no apt-get, dnf, pacman or brew to install it with");
}

#[test]
fn a_missing_rust_toolchain_is_named() {
    let env = TestEnvironment::new();
    env.hide(&[MANAGERS, &["cargo"]].concat());
    env.shims(&[("tmux", "echo tmux 3.3a\n"), ("git", "exit 0\n"), ("cc", "exit 0\n")]);
    let outcome = set_up(&env).code(1);
    insta::assert_snapshot!(outcome.stderr, @"set-up: there is no Rust toolchain: install 1.88 or newer as https://rustup.rs says, then run this again");
}
