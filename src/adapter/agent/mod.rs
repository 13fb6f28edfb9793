//! Coding agents as data: one TOML card each, built in or the user's.
//!
//! Everything that differs between agents is in their cards; no code here names one.

mod card;
mod cards;
mod check;
mod composer;
#[cfg(test)]
mod conformance;
mod conversation;
mod environment;
#[cfg(test)]
mod fuzz;
mod hook;
mod hook_text;
mod install;
mod pattern;
mod place;
mod preflight;
mod render;
mod screen;
mod template;

pub use card::{
    Card, CardError, Delivery, EventRule, FileForm, Hearing, HookFile, HookKind, SENTINEL,
    SystemDelivery,
};
pub use cards::{
    Cards, built_in_hearings, built_in_names, check_card, find_binary, find_card, load_card,
    load_cards, load_hearing,
};
pub use composer::{activity_shown, answer, has_dialog, reading};
pub use conversation::{Proof, conversation};
pub use environment::{Identity, environment};
pub use hook::{Heard, MAX_PAYLOAD, answer_to, limit_in, map_hook, shell_command};
pub use install::{
    InstallError, Places, has_hooks, install, installed, is_installed, lost, uninstall, unwatched,
};
pub use pattern::Pattern;
pub use place::Variables;
pub use preflight::{Login, Preflight, at_least, login, look, version_of};
pub use render::{Invocation, LaunchRequest, MAX_ARGUMENT, Stdin, render};
pub use screen::read_screen;
