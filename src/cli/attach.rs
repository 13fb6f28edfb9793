//! `ao attach`: a person at an agent's terminal.

use crate::adapter::runtime::tmux::Tmux;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::model::record::RuntimeKind;
use crate::model::status::Status;
use crate::session::SessionError;

/// Attach this terminal to an agent's; C-q leaves it
#[derive(Debug, clap::Args)]
pub struct AttachArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// Look, but do not type
    #[arg(long, short)]
    read_only: bool,
}

/// Runs `ao attach`; returns only where that failed.
pub fn run(context: &Context, args: &AttachArgs) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let id = context.session(&world, &args.id)?;
    let record = world.home.load(&id)?.record;
    let in_tmux =
        record.handles.runtime.as_ref().is_some_and(|handle| handle.kind == RuntimeKind::Tmux);
    if !in_tmux {
        return Err(CommandError::from(SessionError::WrongState {
            id: id.clone(),
            status: Status::of(&record.lifecycle),
            why: "it has no terminal to attach to",
        })
        .hint(format!("`ao output {id}` shows what it wrote")));
    }
    if !context.env.stdin_is_terminal {
        let error = anyhow::anyhow!("attaching needs a terminal");
        return Err(CommandError::new(Exit::Invalid, error)
            .hint(format!("`ao output {id}` shows its screen")));
    }
    let tmux = Tmux::new(world.home.root(), &world.config_directory)?;
    let status = Status::of(&record.lifecycle);
    // A session of that name may be somebody else's; a capture is verified against the launch.
    let target: Vec<_> =
        record.handles.launch.iter().map(|launch| (id.clone(), launch.clone())).collect();
    if !tmux.capture(&target, 1, false)?.contains_key(&id) {
        return Err(SessionError::WrongState { id, status, why: "its pane is gone" }.into());
    }
    Err(tmux.attach_command(&id, args.read_only).exec().into())
}
