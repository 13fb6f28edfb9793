//! `ao trust`: approves what a repository's own configuration wants to run.

use std::io::Write;

use serde_json::json;

use crate::adapter::clock;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::config::trust;
use crate::model::sanitize;
use crate::session::{context as names, workspace};

/// Approve the commands that this repository's own configuration runs
///
/// Shows them and asks on the terminal; there is no flag that approves unseen. A change of the
/// file asks again. CI approves by content: AO_TRUST=<hash>, the hash being printed by --show.
#[derive(Debug, clap::Args)]
pub struct TrustArgs {
    /// Show what would be approved, and its hash
    #[arg(long)]
    show: bool,
    /// Take every approval of this repository back
    #[arg(long, conflicts_with = "show")]
    revoke: bool,
}

/// Runs `ao trust`.
pub fn run(context: &Context, out: &mut dyn Write, args: &TrustArgs) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let repository = names::repository(&world.directory)?;
    let layered = world.config(Some(&repository.main))?;
    let (project, _) = names::project(&world, &repository)?;
    if args.revoke {
        let update = |project: &mut crate::store::Project| project.approvals.clear();
        world.home.update_project(&project.id, world.lock_timeout, update)?;
        return answer(context, out, "revoked", None);
    }
    let Some(approval) = trust::needed(&layered, &repository.main) else {
        context.tell("this repository's configuration runs nothing");
        return answer(context, out, "nothing", None);
    };
    for line in &approval.shown {
        if !context.global.json {
            writeln!(out, "{}", sanitize::line(line))?;
        }
    }
    out.flush()?;
    let missing = workspace::missing_approval(&world, &project, Some(approval.clone()));
    if args.show || missing.is_none() {
        let state = if missing.is_some() { "not approved" } else { "approved" };
        return answer(context, out, state, Some(&approval.hash));
    }
    if !context.confirm("approve these commands?", "AO_TRUST=<hash> (see `ao trust --show`)")? {
        return Ok(Exit::Refused);
    }
    let now = clock::now();
    world.home.update_project(&project.id, world.lock_timeout, |project| {
        project.approvals.insert(approval.hash.clone(), now);
    })?;
    answer(context, out, "approved", Some(&approval.hash))
}

fn answer(
    context: &Context,
    out: &mut dyn Write,
    state: &str,
    hash: Option<&str>,
) -> Result<Exit, CommandError> {
    if context.global.json {
        let mut value = json!({ "state": state });
        if let Some(hash) = hash {
            value["hash"] = json!(hash);
        }
        output::json_answer(out, "trust", value)?;
    } else {
        let hash = hash.map_or_else(String::new, |hash| format!(": AO_TRUST={hash}"));
        writeln!(out, "{state}{hash}")?;
    }
    Ok(Exit::Done)
}
