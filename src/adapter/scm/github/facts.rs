//! What a pull request at GitHub means: its data as facts. Pure.
//!
//! # Checks
//!
//! | GitHub says | it counts as | because |
//! |---|---|---|
//! | `SUCCESS` | success | |
//! | `NEUTRAL`, `SKIPPED` | skipped | neither for nor against; a rule that requires it is content with it |
//! | `FAILURE`, `TIMED_OUT`, `STARTUP_FAILURE`, `ERROR` | failure | |
//! | `CANCELLED` | failure | somebody has to run it again before it can be merged |
//! | `ACTION_REQUIRED` | failure | GitHub's own summary counts it so |
//! | `STALE` | pending | nobody said how it ended |
//! | any other `status` than `COMPLETED`; `PENDING`, `EXPECTED` | pending | it is still to come |
//! | a word that is not known | pending | it is not known to be well |
//!
//! Several runs of one check (name, workflow and event) count as the one that began last.
//!
//! # Comments
//!
//! Unresolved are: the first comment of each open thread and what others than the pull request's
//! author said after it; the body of a reviewer's last request for changes; the body of a person's
//! last comment-only review of the very head; and a remark below the pull request that names its
//! author, while neither a commit nor a word of the author came after it. Summaries that programs
//! write, and all other talk, ask for nothing that could ever be resolved.
//!
//! # Reviews
//!
//! Where a rule asks for reviews, GitHub's own decision counts. Where none does, a reviewer's last
//! request for changes outweighs another's approval, and a review that was asked for is pending.
//!
//! # Mergeability
//!
//! Not known yet (`UNKNOWN`) is no conflict, and is not mergeable either. `DIRTY` is a conflict
//! whatever else is said. `BEHIND` and `BLOCKED` are told as blockers.

use std::collections::BTreeMap;

use super::parse::{Context, Person, Pull, Review};
use crate::model::facts::{
    Check, CheckConclusion, CiState, Comment, Mergeability, PrFact, ReviewState, ScmFact,
};
use crate::model::lifecycle::PrState;
use crate::model::time::Timestamp;

/// Returns the facts of `pull`, seen at `at`; `quiet` while checks of a head may still appear.
pub(super) fn of(pull: &Pull, at: Timestamp, quiet: bool, log: Option<String>) -> ScmFact {
    let checks = checks(pull);
    let ci = ci(&checks);
    let review = review(pull);
    let state = match pull.state.as_str() {
        "MERGED" => PrState::Merged,
        "CLOSED" => PrState::Closed,
        _ if pull.draft => PrState::Draft,
        _ => PrState::Open,
    };
    ScmFact {
        observed_at: Some(at),
        fetched: true,
        pr: PrFact {
            state: Some(state),
            draft: pull.draft,
            number: Some(pull.number),
            url: Some(pull.url.clone()),
            head_sha: Some(pull.head_sha.clone()),
        },
        ci: Some(ci),
        review: Some(review),
        mergeability: Some(mergeability(pull, ci, review, quiet)),
        comments: comments(pull),
        checks,
        ci_log_tail: log.filter(|_| ci == CiState::Failing),
        base_sha: pull.base_sha.clone(),
    }
}

/// Returns whether anything of it may change without a sign at GitHub that a guard sees.
pub(super) fn is_unsettled(pull: &Pull) -> bool {
    let open = pull.state == "OPEN";
    open && (pull.mergeable == "UNKNOWN" || ci(&checks(pull)) == CiState::Pending)
}

/// Returns the failing runs, as their logs are looked for: sorted by name.
pub(super) fn failing(pull: &Pull) -> Vec<&Context> {
    let latest = latest(pull).into_values();
    latest.filter(|context| conclusion(context) == CheckConclusion::Failure).collect()
}

/// Returns the last run of each check.
fn latest(pull: &Pull) -> BTreeMap<(&str, Option<&str>, Option<&str>), &Context> {
    let mut latest: BTreeMap<_, &Context> = BTreeMap::new();
    for context in &pull.checks {
        let at = latest.entry(context.identity()).or_insert(context);
        if context.started_at >= at.started_at {
            *at = context;
        }
    }
    latest
}

fn checks(pull: &Pull) -> Vec<Check> {
    let latest = latest(pull).into_values();
    let check = |context: &Context| Check {
        name: context.identity().0.to_owned(),
        conclusion: conclusion(context),
        url: context.details_url.clone().or_else(|| context.target_url.clone()),
    };
    latest.map(check).collect()
}

fn conclusion(context: &Context) -> CheckConclusion {
    let word = match (context.status.as_deref(), &context.conclusion, &context.state) {
        (Some("COMPLETED"), Some(word), _) | (None, _, Some(word)) => word.as_str(),
        _ => "PENDING",
    };
    match word {
        "SUCCESS" => CheckConclusion::Success,
        "NEUTRAL" | "SKIPPED" => CheckConclusion::Skipped,
        "FAILURE" | "ERROR" | "TIMED_OUT" | "STARTUP_FAILURE" | "CANCELLED" | "ACTION_REQUIRED" => {
            CheckConclusion::Failure
        }
        // `STALE`, `PENDING`, `EXPECTED`, and whatever GitHub thinks of next.
        _ => CheckConclusion::Pending,
    }
}

fn ci(checks: &[Check]) -> CiState {
    let any = |wanted| checks.iter().any(|check| check.conclusion == wanted);
    if any(CheckConclusion::Failure) {
        CiState::Failing
    } else if any(CheckConclusion::Pending) {
        CiState::Pending
    } else if checks.is_empty() {
        CiState::None
    } else {
        CiState::Passing
    }
}

fn review(pull: &Pull) -> ReviewState {
    let said = |wanted: &str| pull.opinions.iter().any(|review| review.state == wanted);
    match pull.decision.as_deref() {
        Some("APPROVED") => ReviewState::Approved,
        Some("CHANGES_REQUESTED") => ReviewState::ChangesRequested,
        Some(_) => ReviewState::Pending,
        None if said("CHANGES_REQUESTED") => ReviewState::ChangesRequested,
        None if said("APPROVED") => ReviewState::Approved,
        None if pull.reviewers_asked > 0 => ReviewState::Pending,
        None => ReviewState::None,
    }
}

fn mergeability(pull: &Pull, ci: CiState, review: ReviewState, quiet: bool) -> Mergeability {
    let conflict = pull.mergeable == "CONFLICTING" || pull.merge_state == "DIRTY";
    let ci_passing = matches!(ci, CiState::Passing | CiState::None);
    let approved = match pull.decision {
        Some(_) => review == ReviewState::Approved,
        None => review != ReviewState::ChangesRequested,
    };
    let mut blockers = Vec::new();
    if conflict {
        blockers.push("it conflicts with its base".to_owned());
    }
    match pull.merge_state.as_str() {
        "BEHIND" => blockers.push("its branch is behind its base".to_owned()),
        "BLOCKED" => blockers.push("a rule of its base branch is not met".to_owned()),
        _ => {}
    }
    let unchecked = quiet && ci == CiState::None;
    if unchecked && !conflict {
        blockers.push("its checks may not have begun yet".to_owned());
    }
    let clean = matches!(pull.merge_state.as_str(), "CLEAN" | "HAS_HOOKS" | "UNSTABLE");
    let open = pull.state == "OPEN" && !pull.draft;
    let known = pull.mergeable == "MERGEABLE" && clean && open;
    let mergeable = known && !conflict && ci_passing && approved && !unchecked;
    Mergeability { mergeable, ci_passing, approved, no_conflicts: !conflict, blockers }
}

fn comments(pull: &Pull) -> Vec<Comment> {
    let mut found = thread_comments(pull);
    let asks = |review: &&Review| review.state == "CHANGES_REQUESTED";
    let is_of_head =
        |review: &Review| review.commit.as_ref().is_some_and(|it| it.oid == pull.head_sha);
    let says = |review: &&Review| {
        let by_person = review.author.as_ref().is_some_and(|it| !it.is_bot());
        let by_other = !is_author(pull, review.author.as_ref());
        review.state == "COMMENTED" && by_person && by_other && is_of_head(review)
    };
    let bodies = pull.opinions.iter().filter(asks).chain(pull.reviews.iter().filter(says));
    for review in bodies.filter(|it| !it.is_minimized && !it.body.trim().is_empty()) {
        let id = format!("review:{}", review.full_database_id);
        found.push(comment(id, review.author.as_ref(), &review.body, &review.url));
    }
    found.extend(remarks(pull));
    found
}

fn thread_comments(pull: &Pull) -> Vec<Comment> {
    let mut found = Vec::new();
    for thread in &pull.threads {
        let visible = thread.comments.nodes.iter().filter(|it| !it.is_minimized);
        for (place, said) in visible.enumerate() {
            // The author's answers are not what is asked of the author.
            if place > 0 && is_author(pull, said.author.as_ref()) {
                continue;
            }
            let id = said.full_database_id.clone();
            found.push(Comment {
                path: Some(thread.path.clone()),
                line: thread.line.or(thread.original_line),
                ..comment(id, said.author.as_ref(), &said.body, &said.url)
            });
        }
    }
    found
}

/// Returns the remarks that name the author and were not answered.
fn remarks(pull: &Pull) -> Vec<Comment> {
    let Some(author) = &pull.author else { return Vec::new() };
    let by_author = pull.remarks.iter().filter(|it| is_author(pull, it.author.as_ref()));
    let answered = by_author.map(|it| it.created_at).max().max(pull.committed_at);
    let asked = pull.remarks.iter().filter(|it| {
        let by_person = it.author.as_ref().is_some_and(|person| !person.is_bot());
        let open = Some(it.created_at) > answered && !it.is_minimized;
        by_person && open && names(&it.body, &author.login) && !is_author(pull, it.author.as_ref())
    });
    asked
        .map(|it| {
            let id = format!("comment:{}", it.full_database_id);
            comment(id, it.author.as_ref(), &it.body, &it.url)
        })
        .collect()
}

/// Returns whether `text` names `@login`, not merely somebody whose name begins so.
fn names(text: &str, login: &str) -> bool {
    let (text, name) = (text.to_lowercase(), format!("@{}", login.to_lowercase()));
    text.match_indices(&name).any(|(at, _)| {
        let next = text[at + name.len()..].chars().next();
        next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
    })
}

fn is_author(pull: &Pull, person: Option<&Person>) -> bool {
    matches!((&pull.author, person), (Some(author), Some(person)) if author.login == person.login)
}

fn comment(id: String, author: Option<&Person>, body: &str, url: &str) -> Comment {
    Comment {
        id,
        author: author.map_or_else(|| "ghost".to_owned(), |person| person.login.clone()),
        body: body.to_owned(),
        is_bot: author.is_some_and(Person::is_bot),
        url: Some(url.to_owned()),
        path: None,
        line: None,
        delivered: false,
    }
}
