//! Coding agents as data: one TOML card each, built in or the user's.
//!
//! Everything that differs between agents is in their cards; no code here names one.

mod card;
mod cards;
mod check;
#[cfg(test)]
mod conformance;
mod environment;
mod hook;
mod render;
mod screen;
mod template;

pub use card::{
    Card, CardError, Delivery, EventRule, FileForm, HookFile, HookKind, SENTINEL, SystemDelivery,
};
pub use cards::{Cards, find_binary, load_card, load_cards};
pub use environment::{Identity, environment};
pub use hook::{MAX_PAYLOAD, answer_to, map_hook, shell_command};
pub use render::{Invocation, LaunchRequest, MAX_ARGUMENT, Stdin, render};
pub use screen::{activity_shown, answer, has_dialog, reading};
