//! Which forge a repository's pull requests and issues are at.

use std::path::Path;

use crate::adapter::git;
use crate::adapter::scm::ForgeError;
use crate::adapter::scm::github::{Base, GitHub, Slug, Watch};
use crate::config::ScmConfig;
use crate::invocation::World;

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
