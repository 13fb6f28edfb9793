//! Decides which reactions a transition causes, and when to stop asking the agent.
//!
//! Two lanes, and neither hides the other: what the session axis says and what the
//! pull-request axis says. Each has at most one trigger at a time, a pure function of the
//! record, so "the trigger is not the one before" compares two records and stores nothing.
//!
//! Invariants:
//!
//! * A blip of the probe is invisible: the lane of a session in quarantine is that of the state
//!   it interrupted.
//! * A budget belongs to an incident, told by its signature, not to a transition.
//! * A person is asked once; then silence for that key until its tracker is cleared.

use sha2::{Digest, Sha256};

use crate::decide::message::{self, Form, Subject};
use crate::decide::{pull_request, resume, session};
use crate::model::effect::{Effect, Priority};
use crate::model::facts::{CheckConclusion, CiState, Observation, ScmFact};
use crate::model::lifecycle::{PrReason, PrState, SessionReason, SessionState};
use crate::model::policy::{Action, Policy, ReactionPolicy, Recipient};
use crate::model::record::{Kind, Record};
use crate::model::time::Timestamp;

const NEEDS_INPUT: &str = "agent-needs-input";
const STUCK: &str = "agent-stuck";
const EXITED: &str = "agent-exited";
const ERRORED: &str = "agent-errored";
const DONE: &str = "agent-done";
const IDLE: &str = "agent-idle";
const CI_FAILED: &str = "ci-failed";
const CHANGES_REQUESTED: &str = "changes-requested";
const BUGBOT_COMMENTS: &str = "bugbot-comments";
const MERGE_CONFLICTS: &str = "merge-conflicts";
const APPROVED_AND_GREEN: &str = "approved-and-green";
const PR_CLOSED: &str = "pr-closed";
const ALL_COMPLETE: &str = "all-complete";

/// A signature longer than this is stored as its hash.
const MAX_SIGNATURE: usize = 200;

/// The two sources of triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Session,
    Pr,
}

/// Returns the lane of a reaction's key, `None` for a key that is not in the table.
pub(super) fn lane_of(key: &str) -> Option<Lane> {
    match key {
        NEEDS_INPUT | STUCK | EXITED | ERRORED | DONE | IDLE => Some(Lane::Session),
        CI_FAILED | CHANGES_REQUESTED | BUGBOT_COMMENTS | MERGE_CONFLICTS | APPROVED_AND_GREEN
        | PR_CLOSED | ALL_COMPLETE => Some(Lane::Pr),
        _ => None,
    }
}

/// Returns the trigger that `lane` has.
pub(super) fn trigger_of(record: &Record, lane: Lane) -> Option<&'static str> {
    match lane {
        Lane::Session => session_trigger(record),
        Lane::Pr => pr_trigger(record),
    }
}

/// Returns the key that the session axis triggers.
pub fn session_trigger(record: &Record) -> Option<&'static str> {
    use SessionReason as R;
    use SessionState as S;
    let lifecycle = &record.lifecycle;
    // An escalated session is stuck for all to see; only a blip is invisible.
    let axis = match lifecycle.session.state {
        S::Detecting => session::interrupted(lifecycle),
        S::NotStarted
        | S::Working
        | S::Idle
        | S::NeedsInput
        | S::Stuck
        | S::Done
        | S::Terminated => &lifecycle.session,
    };
    match (axis.state, axis.reason) {
        (S::NeedsInput, _) => Some(NEEDS_INPUT),
        (S::Stuck, _) => Some(STUCK),
        (S::Terminated, R::RuntimeLost | R::AgentProcessExited) => Some(EXITED),
        (S::Terminated, R::ErrorInProcess | R::ProbeFailure | R::NeverStarted) => Some(ERRORED),
        (S::Done, _) => Some(DONE),
        (S::Idle, _) => {
            // A reviewer is idle between its passes, and opens no pull request.
            let is_reviewer = record.kind == Kind::Reviewer;
            let has_a_task = !is_reviewer && (record.issue.is_some() || record.parent.is_some());
            (lifecycle.pr.state == PrState::None && has_a_task).then_some(IDLE)
        }
        (S::NotStarted | S::Working | S::Detecting | S::Terminated, _) => None,
    }
}

/// Returns the key that the pull-request axis triggers.
pub fn pr_trigger(record: &Record) -> Option<&'static str> {
    let pr = &record.lifecycle.pr;
    match (pr.state, pr.reason) {
        (PrState::Open | PrState::Draft, PrReason::CiFailing) => Some(CI_FAILED),
        (PrState::Open, PrReason::ChangesRequested) => Some(CHANGES_REQUESTED),
        (PrState::Open, PrReason::BotComments) => Some(BUGBOT_COMMENTS),
        (PrState::Open, PrReason::MergeConflicts) => Some(MERGE_CONFLICTS),
        (PrState::Open, PrReason::MergeReady) => Some(APPROVED_AND_GREEN),
        (PrState::Closed, _) => Some(PR_CLOSED),
        (PrState::Merged, _) => Some(ALL_COMPLETE),
        (PrState::None | PrState::Open | PrState::Draft, _) => None,
    }
}

/// Returns the priority with which a person is told of `key` instead of the agent.
pub(super) fn priority_of(key: &str) -> Priority {
    Policy::default().reaction(key).priority.unwrap_or(Priority::Urgent)
}

/// Updates the trackers of `after` and returns the effects of the step from `before`.
pub(super) fn react(
    before: &Record,
    after: &mut Record,
    observation: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Vec<Effect> {
    clear_trackers(before, after, observation);
    let mut run = Run { before, after, policy, now, scm: None, effects: Vec::new() };
    match observation {
        Observation::Kill(_)
        | Observation::Restore(_)
        | Observation::SpawnCompleted(_)
        | Observation::SpawnFailed(_) => {}
        Observation::Runtime(_)
        | Observation::Activity(_)
        | Observation::Limit(_)
        | Observation::Sent(_) => run.session_lane(),
        Observation::Scm(fact) => {
            run.scm = Some(fact);
            run.session_lane();
            run.pr_lane();
        }
        Observation::Tick(_) => {
            run.session_lane();
            run.delays();
            run.resume();
            run.escalations();
        }
    }
    run.effects
}

/// Step 1: forgets the budgets of incidents that are over.
fn clear_trackers(before: &Record, after: &mut Record, observation: &Observation) {
    if after.reactions.is_empty() {
        return;
    }
    let (old, new) = (&before.lifecycle, &after.lifecycle);
    let ended = new.is_terminal() && !old.is_terminal();
    let another = pull_request::is_another(old.pr.number, new.pr.number);
    let merge_ready = |reason| reason == PrReason::MergeReady;
    let became_ready = merge_ready(new.pr.reason) && !merge_ready(old.pr.reason);
    let live_pr = matches!(new.pr.state, PrState::Open | PrState::Draft);
    let passing =
        matches!(observation, Observation::Scm(fact) if fact.ci == Some(CiState::Passing));
    let sent = matches!(observation, Observation::Sent(_));
    let pr_moved = another || new.pr.state != old.pr.state;
    let triggers = [session_trigger(after), pr_trigger(after)];
    let resumed = resume::ended_well(before, after, observation);
    after.reactions.retain(|key, _| {
        let holds = triggers.contains(&Some(key.as_str()));
        match lane_of(key) {
            None if key == resume::KEY => !ended && !resumed,
            None => true,
            Some(Lane::Session) if key == IDLE => !sent && !pr_moved && !ended,
            Some(Lane::Session) => holds,
            Some(Lane::Pr) if ended || another || became_ready => false,
            Some(Lane::Pr) if key == CI_FAILED => live_pr && !passing,
            Some(Lane::Pr) => holds,
        }
    });
}

/// One pass over the lanes.
struct Run<'a> {
    before: &'a Record,
    after: &'a mut Record,
    policy: &'a Policy,
    now: Timestamp,
    scm: Option<&'a ScmFact>,
    effects: Vec<Effect>,
}

impl Run<'_> {
    /// Step 2: what the session axis says.
    fn session_lane(&mut self) {
        let trigger = session_trigger(self.after);
        if trigger == session_trigger(self.before) {
            return;
        }
        let Some(key) = trigger else { return };
        let is_told = session::ended_in_need(&self.after.lifecycle)
            || session::repeats_itself(self.before, self.after);
        if key == NEEDS_INPUT && is_told {
            return;
        }
        let settings = self.policy.reaction(key);
        let delayed = settings.action == Some(Action::Send) && settings.after.is_some();
        if !delayed {
            let signature = self.signature(key);
            self.fire(key, &settings, signature);
        }
    }

    /// Step 3: what the pull-request axis says; only a look at the forge has its details.
    fn pr_lane(&mut self) {
        let Some(key) = pr_trigger(self.after) else { return };
        let (old, new) = (&self.before.lifecycle.pr, &self.after.lifecycle.pr);
        let is_news = pr_trigger(self.before) != Some(key)
            || pull_request::is_another(old.number, new.number);
        let settings = self.policy.reaction(key);
        let signature = self.signature(key);
        let tracker = self.after.reactions.get(key);
        let is_told = tracker.is_some_and(|it| it.signature.as_ref() == Some(&signature));
        let is_counted = match settings.action {
            // A command runs, and a merge is tried, once for each incident as well.
            Some(Action::Send | Action::Run | Action::Merge) => true,
            Some(Action::Notify | Action::None) | None => false,
        };
        if is_news || (is_counted && !is_told) {
            self.fire(key, &settings, signature);
        }
    }

    /// Step 4: reminders of a session that has been idle for a while.
    fn delays(&mut self) {
        let session = &self.after.lifecycle.session;
        let (Some(since), SessionState::Idle) = (session.since, session.state) else { return };
        let Some(key) = session_trigger(self.after) else { return };
        let settings = self.policy.reaction(key);
        let (Some(Action::Send), Some(delay)) = (settings.action, settings.after) else { return };
        let signature = self.signature(key);
        let tracker = self.after.reactions.get(key);
        let is_told = tracker.is_some_and(|t| t.signature.as_ref() == Some(&signature));
        if self.now.since(since) >= delay && !is_told {
            self.fire(key, &settings, signature);
        }
    }

    /// Tells an agent whose usage limit has ended to go on, where that is configured.
    fn resume(&mut self) {
        let policy = self.policy;
        let Some(signature) = resume::due(self.after, policy, self.now) else { return };
        let settings = ReactionPolicy {
            action: Some(Action::Send),
            priority: Some(Priority::Action),
            retries: Some(policy.resume.max),
            message: Some(policy.resume.text.clone()),
            ..ReactionPolicy::default()
        };
        self.send(resume::KEY, &settings, signature);
    }

    /// Step 5: incidents that the agent has had long enough.
    fn escalations(&mut self) {
        for lane in [Lane::Session, Lane::Pr] {
            let Some(key) = trigger_of(self.after, lane) else { continue };
            let settings = self.policy.reaction(key);
            let due = self.after.reactions.get(key).is_some_and(|tracker| {
                !tracker.escalated && self.is_overdue(tracker.first_attempt_at, &settings)
            });
            if due {
                self.escalate(key, &settings);
            }
        }
    }

    fn is_overdue(&self, first: Option<Timestamp>, settings: &ReactionPolicy) -> bool {
        match (first, settings.escalate_after) {
            (Some(first), Some(limit)) => self.now.since(first) >= limit,
            (Some(_) | None, None) | (None, Some(_)) => false,
        }
    }

    /// Does what the reaction is set to do.
    fn fire(&mut self, key: &'static str, settings: &ReactionPolicy, signature: String) {
        let reaction = key.to_owned();
        match settings.action {
            Some(Action::None) | None => {}
            Some(Action::Send) => self.send(key, settings, signature),
            Some(Action::Notify) => self.notify(key, settings, None, Form::Notify),
            Some(Action::Run) => {
                self.note(key, &signature);
                let template = settings.message.as_deref();
                let message = message::compose(key, &self.subject(), template, Form::Notify);
                let command = settings.command.clone();
                self.effects.push(Effect::Run { reaction, signature, message, command });
            }
            Some(Action::Merge) => {
                self.note(key, &signature);
                self.effects.push(Effect::Merge { reaction, signature });
            }
        }
    }

    /// Remembers what the reaction was about.
    fn note(&mut self, key: &str, signature: &str) {
        let tracker = self.after.reactions.entry(key.to_owned()).or_default();
        tracker.signature = Some(signature.to_owned());
    }

    /// Asks an agent, or a person where it was asked often enough or is gone.
    fn send(&mut self, key: &'static str, settings: &ReactionPolicy, signature: String) {
        let ended = self.after.lifecycle.is_terminal();
        let to = settings.to.unwrap_or(Recipient::Itself);
        let parent = self.after.parent.clone();
        let tracker = self.after.reactions.entry(key.to_owned()).or_default();
        if tracker.escalated {
            return;
        }
        let repeat = tracker.signature.as_ref() == Some(&signature);
        tracker.signature = Some(signature.clone());
        let nobody = match to {
            Recipient::Itself => ended,
            Recipient::Parent => parent.is_none(),
            Recipient::Orchestrator => false,
        };
        if nobody {
            self.notify(key, settings, None, Form::Notify);
            return;
        }
        // No budget after the end: nothing clears it, and nothing comes after it.
        if !ended {
            tracker.attempts = tracker.attempts.saturating_add(1);
            let first = *tracker.first_attempt_at.get_or_insert(self.now);
            let spent = settings.retries.is_some_and(|retries| tracker.attempts > retries);
            if spent || self.is_overdue(Some(first), settings) {
                self.escalate(key, settings);
                return;
            }
        }
        let told = key == CHANGES_REQUESTED && self.scm.is_some_and(is_delivered_otherwise);
        if told && to == Recipient::Itself {
            return;
        }
        let form = match to {
            Recipient::Parent | Recipient::Orchestrator => Form::Relay,
            Recipient::Itself if repeat => Form::Repeat,
            Recipient::Itself => Form::Send,
        };
        let template = settings.message.as_deref();
        let message = message::compose(key, &self.subject(), template, form);
        let reaction = key.to_owned();
        self.effects.push(match to {
            Recipient::Itself => Effect::Send { reaction, signature, repeat, message },
            Recipient::Parent | Recipient::Orchestrator => Effect::Relay {
                reaction,
                to: parent.filter(|_| to == Recipient::Parent),
                recipient: Some(to),
                signature: Some(signature),
                message,
            },
        });
    }

    /// Hands the incident to a person, once.
    fn escalate(&mut self, key: &'static str, settings: &ReactionPolicy) {
        if let Some(tracker) = self.after.reactions.get_mut(key) {
            tracker.escalated = true;
        }
        self.notify(key, settings, Some(Priority::Urgent), Form::Escalation);
    }

    /// Tells a person, with the reaction's own priority where none is given.
    fn notify(
        &mut self,
        key: &'static str,
        settings: &ReactionPolicy,
        priority: Option<Priority>,
        form: Form,
    ) {
        let is_for_people = settings.action == Some(Action::Notify);
        // A template written for the agent is no notification.
        let template = settings.message.as_deref().filter(|_| is_for_people);
        let message = message::compose(key, &self.subject(), template, form);
        self.effects.push(Effect::Notify {
            reaction: key.to_owned(),
            priority: priority.or(settings.priority).unwrap_or(Priority::Urgent),
            escalation: form == Form::Escalation,
            message,
        });
    }

    fn subject(&self) -> Subject<'_> {
        Subject { record: self.after, scm: self.scm, max: self.policy.message_max }
    }

    /// Returns what the incident is about; two of one signature are the same incident.
    fn signature(&self, key: &str) -> String {
        let lifecycle = &self.after.lifecycle;
        let head = lifecycle.pr.head_sha.as_deref().unwrap_or("");
        let text = match (lane_of(key), self.scm) {
            (Some(Lane::Session) | None, _) | (Some(Lane::Pr), None) => {
                let since = lifecycle.session.since;
                since.map_or_else(String::new, |since| since.to_string())
            }
            (Some(Lane::Pr), Some(fact)) => match key {
                CI_FAILED => format!("{}@{head}", failing_checks(fact).join(",")),
                CHANGES_REQUESTED | BUGBOT_COMMENTS => {
                    let mut ids: Vec<&str> =
                        fact.comments.iter().map(|comment| comment.id.as_str()).collect();
                    ids.sort_unstable();
                    ids.dedup();
                    format!("{}@{head}", ids.join(","))
                }
                MERGE_CONFLICTS => format!("{head}..{}", fact.base_sha.as_deref().unwrap_or("")),
                _ => head.to_owned(),
            },
        };
        if text.len() <= MAX_SIGNATURE {
            return text;
        }
        let digest = Sha256::digest(text.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }
}

/// Returns whether the agent gets every comment by another way: a text of its own would say
/// nothing, and yet the incident has begun.
fn is_delivered_otherwise(fact: &ScmFact) -> bool {
    !fact.comments.is_empty() && fact.comments.iter().all(|comment| comment.delivered)
}

/// Returns the names of the failing checks, sorted, each once.
pub(super) fn failing_checks(fact: &ScmFact) -> Vec<&str> {
    let mut names: Vec<&str> = fact
        .checks
        .iter()
        .filter(|check| check.conclusion == CheckConclusion::Failure)
        .map(|check| check.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
