//! Whether anybody says anything: most sessions are nobody's special case, and then no file has to
//! be merged for them.

use std::path::Path;

use crate::adapter::fs;
use crate::config::keys::PROJECTS;
use crate::config::layers::{Sources, read_all};

/// What a hook asks of the configuration: the policy's keys and tables, and whether events are
/// synced.
const OF_HOOKS: &[&str] = &[
    "activity_coalesce",
    "detecting",
    "message_max",
    "notices",
    "pr_stalled_after",
    "reactions",
    "recent_window",
    "resume",
    "screen_after",
    "send_when",
    "start_deadline",
    "state",
    "tracker",
];

/// Returns whether nobody says anything that a hook asks for: the policy is then the default of its
/// type, and events are synced.
///
/// What cannot be read, or is no configuration, says something.
pub fn leave_policy_alone(sources: &Sources) -> bool {
    read_all(sources).is_ok_and(|layers| !layers.iter().any(|layer| layer.sets_any(OF_HOOKS)))
}

/// Returns whether neither the repository nor the user's tables of projects say anything: what
/// [`load`](crate::config::load) gives is then what it gives without both.
///
/// A file that cannot be looked at says something.
pub fn add_nothing(sources: &Sources) -> bool {
    sources.repository.as_deref().is_none_or(is_missing)
        && (sources.project.is_none() || !may_tell_of_projects(&sources.user_file))
}

/// Returns whether the user's file may have tables of projects; one that cannot be read may.
pub fn may_tell_of_projects(user_file: &Path) -> bool {
    match fs::read_optional(user_file) {
        Ok(text) => text.is_some_and(|text| String::from_utf8_lossy(&text).contains(PROJECTS)),
        Err(_) => true,
    }
}

fn is_missing(path: &Path) -> bool {
    matches!(fs::metadata(path), Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layers::VARIABLES;
    use crate::config::layers::tests::Files;
    use crate::config::load;
    use crate::model::collect::Sorted;
    use crate::model::policy::Policy;

    #[test]
    fn what_hooks_ask_for_is_the_policy_and_whether_events_are_synced() {
        let schema = schemars::schema_for!(Policy);
        let keys = schema.get("properties").unwrap().as_object().unwrap().keys();
        let wanted = keys.map(String::as_str).chain(["state"]).into_set();
        assert_eq!(OF_HOOKS.iter().copied().into_set(), wanted);
    }

    #[test]
    fn whoever_says_anything_of_the_policy_is_heard() {
        let files = Files::new();
        let silent = Sources { user_file: files.0.path().join("none"), ..Sources::default() };
        assert!(leave_policy_alone(&silent));
        let leave = |user: &str, repository: &str| {
            let sources = files.sources(user, repository);
            let alone = leave_policy_alone(&sources);
            if alone {
                let config = load(&sources).unwrap().config;
                assert_eq!((config.policy, config.state.sync), (Policy::default(), true));
            }
            alone
        };
        assert!(leave("", ""));
        assert!(leave("agent = 'shell'\n[pool]\nsize = 2\n", "[check]\ncommand = ['true']\n"));
        for (user, repository) in [
            ("recent_window = '1m'\n", ""),
            ("[state]\nsync = false\n", ""),
            ("", "[reactions.ci-failed]\nretries = 1\n"),
            ("[resume]\non_limit = true\n", ""),
            ("agnet = 'shell'\n", ""),
            ("agent = \n", ""),
        ] {
            assert!(!leave(user, repository), "{user}{repository}");
        }
        let flag = ("recent_window".to_owned(), "1m".into());
        let loud = Sources { flags: [flag].into_iter().collect(), ..silent.clone() };
        assert!(!leave_policy_alone(&loud));
        for (name, value) in [("AO_AGENT", "shell"), ("AO_MAX_SESSIONS", "3"), ("AO_HOME", "/x")] {
            let environment = [(name.to_owned(), value.to_owned())].into();
            assert!(leave_policy_alone(&Sources { environment, ..silent.clone() }), "{name}");
        }
        for (name, _) in VARIABLES {
            let environment = [((*name).to_owned(), String::new())].into();
            assert!(leave_policy_alone(&Sources { environment, ..silent.clone() }), "{name}");
        }
        let project = "[projects.web]\nsend_when = 'turn_end'\n";
        let sources =
            Sources { project: Some("web".parse().unwrap()), ..files.sources(project, "") };
        assert!(!leave_policy_alone(&sources));
        assert!(leave_policy_alone(&Sources { project: None, ..sources }));
    }

    #[test]
    fn what_adds_nothing_is_without_repository_and_project() {
        let files = Files::new();
        let own = "agent = 'user'\n";
        let told = files.sources(own, "agent = 'repository'\n");
        let project = Some("web".parse().unwrap());
        assert!(!add_nothing(&told));
        let silent = Sources { repository: Some(files.0.path().join("none")), ..told };
        for sources in [silent.clone(), Sources { project: project.clone(), ..silent.clone() }] {
            assert!(add_nothing(&sources));
            let without = Sources { repository: None, project: None, ..sources.clone() };
            assert_eq!(load(&sources).unwrap().config, load(&without).unwrap().config);
        }
        files.sources("[projects.web]\nagent = 'other'\n", "");
        assert!(!add_nothing(&Sources { project, ..silent }));
    }
}
