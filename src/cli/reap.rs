//! `ao reap`: one pass over everything.

use std::io::Write;
use std::time::Duration;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::model::answer::{self, PlanAnswer, PlanStep};
use crate::reap::{self, Item, Preview, Report};

const STORM: &str = "so many sessions look dead at once that none is believed to be";

/// Make one pass: finish, probe, look at pull requests, check, escalate, deliver, clean up
///
/// Meant for cron or a systemd timer (`ao timer install`). Idempotent; a second pass at the same
/// moment ends at once with 0. Exits 0 whatever happened to single sessions, unless --strict; 2
/// where your own configuration cannot be read, for then nothing can be decided.
#[derive(Debug, Default, clap::Args)]
pub struct ReapArgs {
    /// Exit 1 if anything failed for any session
    #[arg(long)]
    strict: bool,
    /// Say nothing unless something failed
    #[arg(long, short)]
    quiet: bool,
    /// Say what would be done now, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait for the checks that run, then look and deliver again
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Wait for them no longer than this
    #[arg(long, requires = "wait", value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
}

/// Runs `ao reap`.
pub fn run(context: &Context, out: &mut dyn Write, args: &ReapArgs) -> Result<Exit, CommandError> {
    if args.dry_run {
        let world = context.reader()?;
        world.config(None)?;
        let preview = reap::preview(&world)?;
        foretell(context, out, &preview)?;
        return Ok(exit(args, &preview.failed));
    }
    let world = context.world()?;
    // A mistake in the user's own file is no single session's: nothing could be decided for any.
    world.config(None)?;
    let report =
        if args.wait { reap::reap_waiting(&world, args.timeout)? } else { reap::reap(&world)? };
    let Some(report) = report else {
        if context.global.json {
            output::json_answer(out, "reap", Report { skipped: true, ..Report::default() })?;
        } else if !args.quiet {
            context.tell("another pass is under way");
        }
        return Ok(Exit::Done);
    };
    if context.global.json {
        output::json_answer(out, "reap", &report)?;
    } else {
        print(context, out, args, &report)?;
    }
    Ok(exit(args, &report.failed))
}

fn exit(args: &ReapArgs, failed: &[Item]) -> Exit {
    if args.strict && !failed.is_empty() { Exit::Internal } else { Exit::Done }
}

fn foretell(context: &Context, out: &mut dyn Write, preview: &Preview) -> Result<(), CommandError> {
    if context.global.json {
        let plan = preview.steps.iter().cloned().map(PlanStep::from).collect();
        let item = |item: &Item| {
            let Item { id, what, why } = item.clone();
            answer::Item { id, what, why }
        };
        let failed = preview.failed.iter().map(item).collect();
        output::json(out, &PlanAnswer { schema: output::SCHEMA, plan, failed })?;
        return Ok(());
    }
    tell_failed(context, &preview.failed);
    if preview.storm {
        context.tell(STORM);
    }
    // There may be something to do where nothing could be looked at.
    if !preview.steps.is_empty() || preview.failed.is_empty() {
        output::plan(out, false, &preview.steps)?;
    }
    Ok(())
}

fn tell_failed(context: &Context, failed: &[Item]) {
    for item in &together(failed) {
        context.tell(&format!("failed: {}", line(item)));
    }
}

fn print(
    context: &Context,
    out: &mut dyn Write,
    args: &ReapArgs,
    report: &Report,
) -> Result<(), CommandError> {
    tell_failed(context, &report.failed);
    if args.quiet {
        return Ok(());
    }
    if report.storm {
        context.tell(STORM);
    }
    for item in &report.recovered {
        writeln!(out, "{}", line(item))?;
    }
    for change in &report.transitions {
        writeln!(out, "{}: {} -> {} ({})", change.id, change.from, change.to, change.rule)?;
    }
    for item in report.checks.iter().chain(&report.waited) {
        writeln!(out, "{}", line(item))?;
    }
    for (word, items) in [
        ("escalated", &report.escalated),
        ("delivered", &report.delivered),
        ("held", &report.held),
        ("review", &report.reviewed),
        ("cleaned", &report.cleaned),
        ("spawned", &report.spawned),
    ] {
        for item in items {
            writeln!(out, "{word}: {}", line(item))?;
        }
    }
    if report.is_quiet() && report.held.is_empty() {
        writeln!(out, "{} probed, nothing to do", report.probed)?;
    }
    Ok(())
}

/// Makes one item of those that failed for one reason: a mistake in the configuration stands in the
/// way of everything, and is told of once.
fn together(failed: &[Item]) -> Vec<Item> {
    let mut groups: Vec<(Option<&str>, Vec<&str>, Vec<&str>)> = Vec::new();
    for item in failed {
        let why = item.why.as_deref();
        let place = groups.iter().position(|group| why.is_some() && group.0 == why);
        let place = place.unwrap_or_else(|| {
            groups.push((why, Vec::new(), Vec::new()));
            groups.len() - 1
        });
        let (_, ids, whats) = &mut groups[place];
        for (list, word) in [(ids, &*item.id), (whats, &*item.what)] {
            if !list.contains(&word) {
                list.push(word);
            }
        }
    }
    let joined = |(why, ids, whats): (Option<&str>, Vec<&str>, Vec<&str>)| Item {
        id: ids.join(", "),
        what: whats.join(", "),
        why: why.map(str::to_owned),
    };
    groups.into_iter().map(joined).collect()
}

fn line(item: &Item) -> String {
    let why = item.why.as_deref().map_or_else(String::new, |why| format!(" ({why})"));
    // What is of no session has no id.
    crate::model::sanitize::line(format!("{} {}{why}", item.id, item.what).trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_no_session_is_told_without_one() {
        let item = |id: &str| Item { id: id.into(), what: "look".into(), why: Some("no".into()) };
        assert_eq!(line(&item("")), "look (no)");
        assert_eq!(line(&item("app-1")), "app-1 look (no)");
    }
}
