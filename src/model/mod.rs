//! Plain data and pure operations on it: no file, no clock, no process.

pub mod answer;
pub mod check;
pub mod check_run;
pub mod collect;
pub mod effect;
pub mod event;
pub mod facts;
pub mod forge;
pub mod id;
pub mod lifecycle;
pub mod metric;
pub mod notifier;
pub mod patch;
pub mod policy;
pub mod record;
pub mod report;
pub mod reset;
pub mod review;
pub mod sanitize;
pub mod schema;
pub mod screen;
pub mod secret;
pub mod status;
pub mod summary;
pub mod template;
pub mod time;
