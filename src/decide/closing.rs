//! Decides whether an issue gets a comment: once, when the pull request of its session is merged.
//!
//! Invariants:
//!
//! * Off unless it is configured, and nothing without an issue.
//! * The comment is recorded by the very write that records the merge, so there is one of it.

use crate::model::effect::Effect;
use crate::model::lifecycle::PrState;
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::sanitize;

/// The key of the comment in the outbox.
const KEY: &str = "closing-comment";

/// Returns the comment that the change from `before` to `after` asks for.
pub(super) fn of(before: &Record, after: &Record, policy: &Policy) -> Option<Effect> {
    let merged = |record: &Record| record.lifecycle.pr.state == PrState::Merged;
    let issue = after.issue.as_deref()?;
    if !policy.tracker.closing_comment || merged(before) || !merged(after) {
        return None;
    }
    let message = filled(&policy.tracker.closing_text, after, issue);
    Some(Effect::Comment { reaction: KEY.to_owned(), message })
}

/// Fills a template in one pass: a variable in what was put in stays text.
fn filled(template: &str, record: &Record, issue: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let found = after.split_once('}');
        match found.and_then(|(name, left)| Some((variable(name, record, issue)?, left))) {
            Some((value, left)) => {
                text.push_str(&sanitize::line(&value));
                rest = left;
            }
            None => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// Returns the value of a variable, `None` for an unknown one.
fn variable(name: &str, record: &Record, issue: &str) -> Option<String> {
    let pr = &record.lifecycle.pr;
    let number = pr.number.map(|number| number.to_string());
    match name {
        "pr" => {
            let number = number.map(|number| format!("#{number}"));
            Some(pr.url.clone().or(number).unwrap_or_else(|| branch(record)))
        }
        "url" => Some(pr.url.clone().unwrap_or_default()),
        "number" => Some(number.unwrap_or_default()),
        "sha" => Some(pr.head_sha.clone().unwrap_or_default()),
        "id" => Some(record.id.as_ref().map(ToString::to_string).unwrap_or_default()),
        "issue" => Some(issue.to_owned()),
        _ => None,
    }
}

/// Returns what stands for a pull request that has neither address nor number.
fn branch(record: &Record) -> String {
    let workspace = record.handles.workspace.as_ref();
    let branch = workspace.and_then(|workspace| workspace.branch.as_ref());
    branch.map_or_else(|| "its branch".to_owned(), |branch| format!("branch `{branch}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    use crate::model::policy::TrackerPolicy;

    fn record(state: PrState, issue: Option<&str>) -> Record {
        let mut record = Record { id: "web-1".parse().ok(), ..Record::default() };
        record.issue = issue.map(str::to_owned);
        record.lifecycle.pr.state = state;
        record.lifecycle.pr.number = Some(9);
        record
    }

    #[test]
    fn the_merge_alone_is_told_and_only_once() {
        let on = TrackerPolicy { closing_comment: true, ..TrackerPolicy::default() };
        let on = Policy { tracker: on, ..Policy::default() };
        let comments = |before, after, issue, policy: &Policy| {
            of(&record(before, issue), &record(after, issue), policy).is_some()
        };
        for before in PrState::ALL {
            for after in PrState::ALL {
                let expected = *before != PrState::Merged && *after == PrState::Merged;
                assert_eq!(comments(*before, *after, Some("7"), &on), expected, "{before} {after}");
                assert!(!comments(*before, *after, None, &on));
                assert!(!comments(*before, *after, Some("7"), &Policy::default()));
            }
        }
    }

    #[test]
    fn a_template_is_filled_once() {
        let mut merged = record(PrState::Merged, Some("7"));
        assert_eq!(filled("{pr} {id} {", &merged, "{id}"), "#9 web-1 {");
        merged.lifecycle.pr.number = None;
        assert_eq!(filled("{pr}", &merged, "7"), "its branch");
        let handle = json!({ "repo": "/r", "path": "/w", "owned": true, "branch": "ao/web-1", "branch_created": true });
        merged.handles.workspace = serde_json::from_value(handle).ok();
        assert_eq!(filled("{pr}", &merged, "7"), "branch `ao/web-1`");
        merged.lifecycle.pr.url = Some("https://forge.example/{id}".to_owned());
        let text = filled("For {issue}: {pr}, {nothing} {{id}}", &merged, "{id}");
        assert_eq!(text, "For {id}: https://forge.example/{id}, {nothing} {web-1}");
    }
}
