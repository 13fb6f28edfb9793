//! What is narrated on standard error beside the answer: warnings, and what `AO_LOG` asks for.
//!
//! `AO_LOG` is a comma-separated list of levels (`off`, `error`, `warn`, `info`, `debug`,
//! `trace`), each alone or for the modules whose path begins with a name: `warn,ao::store=debug`.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::model::sanitize;

/// Narrates from here on, as `asked` (the value of `AO_LOG`) says. Without it, or where it says
/// nothing that is understood, what a person should know is told in plain words.
pub(super) fn begin(asked: Option<&str>) {
    let directives = asked.and_then(directives);
    let plain = directives.is_none();
    let directives = directives.unwrap_or_else(|| vec![(String::new(), LevelFilter::WARN)]);
    // A second subscriber is a test's; the first one stays.
    let _ = tracing::subscriber::set_global_default(Narrator { directives, plain });
}

/// Prints events whose module and level were asked for.
struct Narrator {
    /// The beginning of a module's path, and the level from which it is told.
    directives: Vec<(String, LevelFilter)>,
    /// Tell the message alone, without level and module.
    plain: bool,
}

/// Reads what `AO_LOG` says; `None` where a part of it cannot be understood, or there is none.
fn directives(asked: &str) -> Option<Vec<(String, LevelFilter)>> {
    let parts = asked.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read = |part: &str| match part.split_once('=') {
        Some((module, level)) => Some((module.to_owned(), level.parse().ok()?)),
        None => match part.parse() {
            Ok(level) => Some((String::new(), level)),
            Err(_) => Some((part.to_owned(), LevelFilter::TRACE)),
        },
    };
    parts.map(read).collect::<Option<Vec<_>>>().filter(|read| !read.is_empty())
}

impl Subscriber for Narrator {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let of_it = self.directives.iter().filter(|(it, _)| metadata.target().starts_with(it));
        let nearest = of_it.max_by_key(|(module, _)| module.len());
        nearest.is_some_and(|(_, level)| metadata.level() <= level)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = if self.plain {
            String::new()
        } else {
            format!("{:>5} {}: ", metadata.level().as_str(), metadata.target())
        };
        let mut words = Words(String::new());
        event.record(&mut words);
        line.push_str(&sanitize::line(&words.0));
        // Narration that nobody can read is no reason to fail.
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    // Nothing here opens spans; another crate's are not narrated.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message of an event, and what else it holds as `name=value`.
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        // Writing to memory does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, "{name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_for_all_or_for_some_modules() {
        let all = |level| vec![(String::new(), level)];
        assert_eq!(directives("debug"), Some(all(LevelFilter::DEBUG)));
        assert_eq!(directives("OFF"), Some(all(LevelFilter::OFF)));
        let both = [all(LevelFilter::WARN), vec![("ao::store".to_owned(), LevelFilter::TRACE)]];
        assert_eq!(directives("warn, ao::store=trace"), Some(both.concat()));
        assert_eq!(directives("ao::act"), Some(vec![("ao::act".to_owned(), LevelFilter::TRACE)]));
        for nothing in ["", ",", "ao=loud"] {
            assert_eq!(directives(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_longest_module_decides() {
        let asked = directives("off,ao::cli=warn,ao::cli::narration=debug").unwrap();
        let narrator = Narrator { directives: asked, plain: false };
        tracing::subscriber::with_default(narrator, || {
            assert!(tracing::enabled!(tracing::Level::DEBUG));
            assert!(!tracing::enabled!(tracing::Level::TRACE));
            assert!(tracing::enabled!(target: "ao::cli::ls", tracing::Level::WARN));
            assert!(!tracing::enabled!(target: "ao::cli::ls", tracing::Level::INFO));
            assert!(!tracing::enabled!(target: "ao::store", tracing::Level::ERROR));
        });
    }
}
