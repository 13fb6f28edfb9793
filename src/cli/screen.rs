//! `ao output`: what an agent's terminal shows.

use std::io::Write;
use std::time::Duration;

use crate::adapter::runtime::tmux::Tmux;
use crate::adapter::watch::Watch;
use crate::adapter::{clock, fs};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::invocation::World;
use crate::model::answer::Shown;
use crate::model::id::SessionId;
use crate::model::record::{Record, RuntimeKind};
use crate::model::sanitize;

/// The most that is read of a log.
const LOG_TAIL: u64 = 4 * 1024 * 1024;

/// How often a followed screen is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Print what an agent's terminal shows, or what it wrote
///
/// Escape sequences are taken out, unless --raw. Works after the agent has ended, as long as its
/// pane or log is there.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// The last N lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    lines: u32,
    /// Go on printing until the session ends; with --json a line for each change
    #[arg(long, short)]
    follow: bool,
    /// Leave escape sequences in
    #[arg(long)]
    raw: bool,
}

impl OutputArgs {
    /// Returns whether escape sequences are to reach standard output.
    pub fn is_raw(&self) -> bool {
        self.raw
    }
}

/// Runs `ao output`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &OutputArgs,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let id = context.session(&world, &args.id)?;
    let record = world.home.load(&id)?.record;
    let text = captured(&world, &id, &record, args.lines, args.raw)?;
    let as_json = context.global.json;
    write_chunk(out, as_json, &id, &text, false)?;
    if args.follow {
        follow(out, as_json, &world, &id, args, text)?;
    }
    Ok(Exit::Done)
}

/// Writes what there is to see, or what was added to it.
fn write_chunk(
    out: &mut dyn Write,
    as_json: bool,
    id: &SessionId,
    text: &str,
    added: bool,
) -> Result<(), CommandError> {
    if !as_json {
        return write_text(out, text);
    }
    let shown = Shown { id: id.to_string(), text: text.to_owned(), added };
    output::json_answer(out, "output", shown)?;
    Ok(out.flush()?)
}

fn write_text(out: &mut dyn Write, text: &str) -> Result<(), CommandError> {
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Prints what is added at the end; a screen that was redrawn is printed whole.
fn follow(
    out: &mut dyn Write,
    as_json: bool,
    world: &World,
    id: &SessionId,
    args: &OutputArgs,
    mut last: String,
) -> Result<(), CommandError> {
    let mut watch = Watch::new([world.home.session_dir(id)]);
    loop {
        let record = world.home.load(id)?.record;
        let text = captured(world, id, &record, args.lines, args.raw)?;
        if text != last {
            let added = added(&last, &text);
            write_chunk(out, as_json, id, added.unwrap_or(&text), added.is_some())?;
            last = text;
        }
        if record.lifecycle.is_terminal() {
            return Ok(());
        }
        watch.wait(LOOK_EVERY);
        clock::pause(Duration::from_millis(20));
    }
}

/// Returns the lines of `text` that are not in `last`, from the one on that was not whole yet;
/// `None` where it does not go on as `last` ended.
fn added<'a>(last: &str, text: &'a str) -> Option<&'a str> {
    let rest = text.strip_prefix(last)?;
    if last.is_empty() || last.ends_with('\n') {
        return Some(rest);
    }
    let begun = last.rfind('\n').map_or(0, |end| end + 1);
    Some(rest.strip_prefix('\n').unwrap_or(&text[begun..]))
}

fn captured(
    world: &World,
    id: &SessionId,
    record: &Record,
    lines: u32,
    raw: bool,
) -> Result<String, CommandError> {
    let kind = record.handles.runtime.as_ref().map(|handle| handle.kind);
    if let (Some(RuntimeKind::Tmux), Some(launch)) = (kind, &record.handles.launch) {
        let tmux = Tmux::new(world.home.root(), &world.config_directory)?;
        let mut screens = tmux.capture(&[(id.clone(), launch.clone())], lines, raw)?;
        if let Some(screen) = screens.remove(id) {
            return Ok(screen);
        }
    }
    let directory = if world.home.load(id)?.archived {
        world.home.archive_dir(id)
    } else {
        world.home.session_dir(id)
    };
    let path = directory.join("output.log");
    if fs::metadata(&path)?.is_none() {
        return Err(CommandError::new(
            Exit::NotFound,
            anyhow::anyhow!("{id} has neither a pane nor a log"),
        ));
    }
    let text = String::from_utf8_lossy(&fs::read_tail(&path, LOG_TAIL)?).into_owned();
    let text = if raw { text } else { sanitize::text(&text) };
    let all: Vec<&str> = text.lines().collect();
    let skip = all.len().saturating_sub(lines as usize);
    Ok(all.get(skip..).unwrap_or_default().join("\n"))
}
