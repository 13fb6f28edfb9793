//! Coding agents as data: one TOML card each, built in or the user's.
//!
//! Everything that differs between agents is in their cards; no code here names one.

mod card;
mod cards;
mod environment;
mod hook;
mod render;

pub use card::{Card, CardError, Delivery, EventRule, HookKind, SystemDelivery};
pub use cards::{Cards, find_binary, load_card, load_cards};
pub use environment::{Identity, environment};
pub use hook::{MAX_PAYLOAD, map_hook};
pub use render::{Invocation, LaunchRequest, MAX_ARGUMENT, Stdin, render};
