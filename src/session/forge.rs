//! Which forge a repository's pull requests and issues are at: the one place that chooses.

use std::path::Path;

use crate::adapter::git;
use crate::adapter::scm::command::Command;
use crate::adapter::scm::github::{Base, GitHub, Slug, Watch};
use crate::adapter::scm::{ForgeError, Scm};
use crate::config::{Config, ScmConfig};
use crate::invocation::World;
use crate::model::forge::ScmKind;

/// Returns where the pull requests of the repository at `main` live.
pub fn kind_of(world: &World, config: &Config, main: &Path) -> ScmKind {
    kind_by(world, config, || git::origin_of(main))
}

/// [`kind_of`] for one who knows how to find the address of the remote `origin`.
pub fn kind_by(world: &World, config: &Config, origin: impl FnOnce() -> Option<String>) -> ScmKind {
    match config.scm.kind {
        Some(kind) => kind,
        None if origin().is_some_and(|url| is_at_github(world, &url)) => ScmKind::GitHub,
        None => ScmKind::Local,
    }
}

/// Returns whether the repository at `main` was cloned from GitHub.
pub fn at_github(world: &World, main: &Path) -> bool {
    git::origin_of(main).is_some_and(|url| is_at_github(world, &url))
}

/// Returns the forge of the repository at `main`; `None` where its branches are their own pull
/// requests, or where nobody looks at any.
///
/// # Errors
///
/// It is configured, and cannot be asked.
pub fn choose(
    world: &World,
    config: &Config,
    main: &Path,
) -> Result<Option<Box<dyn Scm>>, ForgeError> {
    let scm = &config.scm;
    match (kind_of(world, config, main), &scm.command) {
        (ScmKind::Local | ScmKind::None, _) => Ok(None),
        (ScmKind::GitHub, _) => Ok(Some(Box::new(github(world, main, scm)?))),
        (ScmKind::Command, Some(command)) => {
            Ok(Some(Box::new(Command::new(command, scm.timeout, main))))
        }
        (ScmKind::Command, None) => {
            let forge = "scm.kind is `command`, and it".to_owned();
            let what = "answer: scm.command is unset".to_owned();
            Err(ForgeError::Unsupported { forge, what })
        }
    }
}

/// Returns whether a remote's address is at GitHub: at github.com, or at the host whose interface
/// `GITHUB_API_URL` names.
pub fn is_at_github(world: &World, url: &str) -> bool {
    let Some(slug) = Slug::of_remote(url) else { return false };
    let base = Base::parse(world.variable("GITHUB_API_URL"));
    slug.host == "github.com" || base.is_ok_and(|base| base.serves(&slug.host))
}

/// Returns the repository at GitHub that the one at `main` was cloned from.
///
/// # Errors
///
/// Its remote `origin` is elsewhere, or at a host that the configured interface does not serve:
/// the token is for that one alone.
pub fn github(world: &World, main: &Path, config: &ScmConfig) -> Result<GitHub, ForgeError> {
    let client = world.github()?;
    let remotes = git::remotes_of(main);
    let origin = remotes.iter().find(|(name, _)| name == "origin").map(|(_, url)| url.as_str());
    let slug = origin.and_then(Slug::of_remote);
    let Some(slug) = slug.filter(|slug| client.base().serves(&slug.host)) else {
        let what = match origin.map(Slug::of_remote) {
            Some(Some(slug)) => format!("the remote `origin`, which is at {}", slug.host),
            Some(None) => "the remote `origin`, which is no address of GitHub's".to_owned(),
            None => "a repository without a remote `origin`".to_owned(),
        };
        let what = format!("answer for {what}");
        return Err(ForgeError::Unsupported { forge: client.name(), what });
    };
    let pushed = remotes.iter().filter_map(|(_, url)| Slug::of_remote(url));
    let watch = Watch {
        remotes: pushed.filter(|it| client.base().serves(&it.host)).collect(),
        authors: config.authors.clone(),
        refetch: config.refetch,
    };
    Ok(GitHub::new(client, slug).watching(watch))
}
