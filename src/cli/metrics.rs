//! `ao metrics`: what a monitoring system reads.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::adapter::{clock, fs, ids};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::{output, timer};
use crate::model::metric::{self, Family};
use crate::reap;
use crate::session::metrics;

/// Print measurements for Prometheus
///
/// The text format of the node exporter's textfile collector, from the files alone: no child
/// process, no request. All are gauges. A timer's line may be
/// `ao metrics --output /var/lib/prometheus/node-exporter/ao.prom`: the file is replaced as a
/// whole, and can be read by everybody.
#[derive(Debug, clap::Args)]
pub struct MetricsArgs {
    /// Replace this file by them, and print nothing
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs `ao metrics`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &MetricsArgs,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let (interval, last) = (timer::recorded_interval(&world), reap::last_report(&world));
    let families = metrics::collect(&world, interval, last, clock::now())?;
    if let Some(path) = &args.output {
        let path = context.env.directory.join(path);
        if path.is_dir() {
            let error = anyhow::anyhow!("{} is a directory", path.display());
            return Err(CommandError::new(Exit::Invalid, error).hint("name a file in it"));
        }
        publish(&path, &families)?;
    }
    if context.global.json {
        output::json_answer(out, "metrics", &families)?;
    } else if args.output.is_none() {
        out.write_all(metric::exposition(&families).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Replaces the file so that its reader, who is somebody else, sees the old text or the new one.
fn publish(path: &Path, families: &[Family]) -> Result<(), CommandError> {
    let name = format!("{}{}", fs::temporary_prefix(), ids::hex(8));
    let temporary = path.with_file_name(name);
    let text = metric::exposition(families);
    let written = fs::create_new(&temporary, text.as_bytes(), 0o644, fs::Durability::Process)
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    Ok(written?)
}
