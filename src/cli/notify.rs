//! `ao notify`: who is told, and whether it works.

use std::collections::BTreeMap;
use std::io::Write;

use crate::adapter::clock::{self, Stopwatch};
use crate::adapter::git;
use crate::adapter::notify::secret::SecretError;
use crate::adapter::notify::{self, Notice, NotifyError};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Table};
use crate::invocation::World;
use crate::model::answer::{
    Notified, NotifiedAnswer, NotifiedOutcome, NotifierInfo, NotifiersAnswer,
};
use crate::model::effect::Priority;
use crate::model::notifier::{Notifier, NotifierKind};
use crate::model::sanitize;
use crate::model::secret::SecretSource;
use crate::model::status::Status;

/// List who is told what, or try them
///
/// Notifiers are configured as `[notifiers.NAME]`; `ao config reference` lists the keys. Addresses
/// and keys are never shown, only where they are found. `--test` sends a notice to each of them at
/// once, whatever waits in the outbox: exit code 0 if all were reached, 7 if a network one was
/// not, 8 if a program is missing, 2 if none is configured or a variable is not set.
#[derive(Debug, clap::Args)]
pub struct NotifyArgs {
    /// Notifiers; all where none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Send a test notice
    #[arg(long)]
    test: bool,
    /// The priority of the test notice; only those that are told of it get it
    #[arg(long, value_name = "PRIORITY", requires = "test")]
    priority: Option<Priority>,
}

/// Runs `ao notify`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &NotifyArgs,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let repository = git::discover(&world.directory).ok().map(|repository| repository.main);
    let layered = world.config(repository.as_deref())?;
    let all = &layered.config.notifiers;
    let chosen = chosen(all, &args.names)?;
    if args.test { test(context, out, &world, &chosen, args) } else { list(context, out, &chosen) }
}

fn chosen<'a>(
    all: &'a BTreeMap<String, Notifier>,
    names: &[String],
) -> Result<Vec<(&'a String, &'a Notifier)>, CommandError> {
    if let Some(name) = names.iter().find(|name| !all.contains_key(*name)) {
        let error = anyhow::anyhow!("there is no notifier `{}`", sanitize::line(name));
        return Err(CommandError::new(Exit::NotFound, error).hint("`ao notify` lists them"));
    }
    let wanted = |name: &String| names.is_empty() || names.contains(name);
    Ok(all.iter().filter(|(name, _)| wanted(name)).collect())
}

fn list(
    context: &Context,
    out: &mut dyn Write,
    notifiers: &[(&String, &Notifier)],
) -> Result<Exit, CommandError> {
    let notifiers = notifiers.iter().map(|(name, notifier)| info(name, notifier)).collect();
    let answer = NotifiersAnswer { schema: output::SCHEMA, notifiers };
    if context.global.json {
        output::json(out, &answer)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["NAME", "KIND", "PRIORITIES", "TO", "STATE"]);
    for it in answer.notifiers {
        let signed = it.signed_by.map(|by| format!(", signed by {by}")).unwrap_or_default();
        let words: Vec<&str> = it.priorities.iter().map(|priority| priority.as_str()).collect();
        table.row([
            it.name,
            it.kind,
            words.join(","),
            format!("{}{signed}", it.target.as_deref().unwrap_or("-")),
            it.problem.unwrap_or_else(|| "ok".to_owned()),
        ]);
    }
    if table.is_empty() {
        writeln!(anstream::stderr(), "no notifier is configured; nobody is told")?;
    } else {
        table.write(out)?;
    }
    Ok(Exit::Done)
}

fn info(name: &str, notifier: &Notifier) -> NotifierInfo {
    let place = |source: &SecretSource| source.shown();
    let (target, signed_by) = match &notifier.kind {
        NotifierKind::Command { command } => (command.first().cloned(), None),
        NotifierKind::File { path } => (Some(path.display().to_string()), None),
        NotifierKind::Desktop => (None, None),
        NotifierKind::Webhook { url, key } => (Some(place(url)), key.as_ref().map(place)),
        NotifierKind::Slack { url } => (Some(place(url)), None),
    };
    NotifierInfo {
        name: name.to_owned(),
        kind: notifier.kind.as_str().to_owned(),
        priorities: notifier.priorities.clone(),
        target,
        signed_by,
        problem: notify::check(name, notifier).err().map(|error| problem(name, &error)),
    }
}

/// Returns what is wrong without the name, which stands beside it.
fn problem(name: &str, error: &NotifyError) -> String {
    let text = sanitize::chain(error);
    text.strip_prefix(&format!("notifier `{name}`: ")).unwrap_or(&text).to_owned()
}

fn test(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    notifiers: &[(&String, &Notifier)],
    args: &NotifyArgs,
) -> Result<Exit, CommandError> {
    if notifiers.is_empty() {
        let error = anyhow::anyhow!("no notifier is configured");
        return Err(CommandError::new(Exit::Invalid, error)
            .hint("such as [notifiers.me] with kind = \"desktop\" in `ao config path`"));
    }
    let priority = args.priority.unwrap_or(Priority::Info);
    let mut exits = Vec::new();
    let mut notified = Vec::new();
    for (name, notifier) in notifiers {
        let is_asked = args.priority.is_none() || !args.names.is_empty();
        if !is_asked && !notifier.priorities.contains(&priority) {
            notified.push(outcome_of(name, notifier, NotifiedOutcome::Unrouted));
            continue;
        }
        let watch = Stopwatch::start();
        let result = send(world, name, notifier, priority);
        let took_ms = u64::try_from(watch.elapsed().as_millis()).ok();
        let outcome = match &result {
            Ok(()) => NotifiedOutcome::Reached,
            Err(_) => NotifiedOutcome::Failed,
        };
        let why = result.as_ref().err().map(|error| problem(name, error));
        notified.push(Notified { took_ms, why, ..outcome_of(name, notifier, outcome) });
        exits.extend(result.err().map(|error| exit_of(&error)));
    }
    let answer = NotifiedAnswer { schema: output::SCHEMA, notified };
    if context.global.json {
        output::json(out, &answer)?;
    } else {
        for it in &answer.notified {
            writeln!(out, "{}", line(it))?;
        }
    }
    Ok(worst(&exits))
}

fn outcome_of(name: &str, notifier: &Notifier, outcome: NotifiedOutcome) -> Notified {
    let (name, kind) = (name.to_owned(), notifier.kind.as_str().to_owned());
    Notified { name, kind, outcome, took_ms: None, why: None }
}

fn send(
    world: &World,
    name: &str,
    notifier: &Notifier,
    priority: Priority,
) -> Result<(), NotifyError> {
    let at = clock::now();
    let session = "ao-test".parse().expect("it is an id");
    let project = "ao".parse().expect("it is an id");
    let notice = Notice {
        id: &format!("ao-test.{}", at.as_millis()),
        session: &session,
        project: &project,
        status: Status::Idle,
        priority,
        escalation: false,
        reaction: "test",
        title: "a test",
        message: "`ao notify --test` sent this. If you can read it, it works.",
        link: None,
        at,
    };
    world.notifiers.deliver(name, notifier, &notice)
}

fn line(notified: &Notified) -> String {
    let Notified { name, kind, outcome, took_ms, why } = notified;
    let took = took_ms.map(|took| format!(" after {took}ms")).unwrap_or_default();
    let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{name} ({kind}) {outcome}{took}{why}")
}

/// The network's failure is what trying again may mend, so it goes before the others.
fn worst(exits: &[Exit]) -> Exit {
    let order = [Exit::Unavailable, Exit::MissingDependency, Exit::Invalid, Exit::Internal];
    order.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Done)
}

/// Returns the exit code for a notifier that did not take a notice.
fn exit_of(error: &NotifyError) -> Exit {
    match error {
        NotifyError::Missing { .. } => Exit::MissingDependency,
        NotifyError::Http { .. } | NotifyError::Refused { .. } | NotifyError::Redirected { .. } => {
            Exit::Unavailable
        }
        NotifyError::Secret { source, .. } => match source {
            SecretError::Missing(_) => Exit::MissingDependency,
            SecretError::NotSet(_) | SecretError::NotOneLine(_) => Exit::Invalid,
            SecretError::Failed { .. } | SecretError::Run { .. } | SecretError::TimedOut { .. } => {
                Exit::Internal
            }
        },
        NotifyError::Address { .. } => Exit::Invalid,
        NotifyError::Run { .. }
        | NotifyError::TimedOut { .. }
        | NotifyError::Failed { .. }
        | NotifyError::File { .. } => Exit::Internal,
    }
}
