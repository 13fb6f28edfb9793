//! The JSON documents that commands answer with.
//!
//! A key that does not apply is absent; one that was asked for and could not be determined is
//! `null`. Later versions add keys and never change what one means.

mod agents;
mod forge;
mod notifiers;
mod reviews;
mod tools;

pub use agents::{Agent, AgentsAnswer, BadCard, CardAnswer, CardText, LoggedIn};
pub use forge::{IssueAnswer, IssueShown, IssuesAnswer, PrAnswer, PrShown, PrsAnswer, Skipped};
pub use notifiers::{Notified, NotifiedAnswer, NotifiedOutcome, NotifierInfo, NotifiersAnswer};
pub use reviews::{ReviewAnswer, ReviewBrief, ReviewShown, ReviewsAnswer};
pub use tools::{
    ConfigAnswer, DoctorAnswer, PathAnswer, ProjectAnswer, ProjectsAnswer, ReferenceAnswer,
    SkillAnswer, TimerAnswer, TrustAnswer, ValueAnswer,
};

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::check_run::CheckState;
use crate::model::effect::{Effect, OutboxEntry};
use crate::model::event::Event;
use crate::model::forge::MergeMethod;
use crate::model::lifecycle::SessionAxis;
use crate::model::record::Record;
use crate::model::report::ReportState;
use crate::model::status::Status;
use crate::model::time::Timestamp;

/// Any document on standard output, or the error document on standard error.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Answer {
    /// One session.
    Session(Box<SessionAnswer>),
    /// Several sessions.
    Sessions(SessionsAnswer),
    /// What would be done.
    Plan(PlanAnswer),
    /// What a pass did.
    Reap(ReapAnswer),
    /// What a session came to.
    Wait(WaitAnswer),
    /// What became of a text.
    Send(SendAnswer),
    /// What became of a text to several.
    Sends(SendsAnswer),
    /// What came of a key that was pressed.
    Press(PressAnswer),
    /// What an agent said of itself.
    Report(ReportAnswer),
    /// One review.
    Review(Box<ReviewAnswer>),
    /// Several reviews.
    Reviews(ReviewsAnswer),
    /// What a fact came to.
    Observe(ObserveAnswer),
    /// What a cleanup removed.
    Cleanup(CleanupAnswer),
    /// What a merge brought.
    Merge(MergeAnswer),
    /// What waits for its delivery.
    Outbox(OutboxAnswer),
    /// Why a status is what it is.
    Explain(Box<ExplainAnswer>),
    /// The events of a session.
    Log(LogAnswer),
    /// Whether a log folds to its record.
    Verify(VerifyAnswer),
    /// A screen.
    Output(OutputAnswer),
    /// Where a workspace or a file is.
    Path(PathAnswer),
    /// A repository in the registry.
    Project(ProjectAnswer),
    /// The registry.
    Projects(ProjectsAnswer),
    /// The timer.
    Timer(TimerAnswer),
    /// What is approved.
    Trust(TrustAnswer),
    /// The configuration.
    Config(ConfigAnswer),
    /// One value of it.
    Value(ValueAnswer),
    /// Its keys.
    Reference(ReferenceAnswer),
    /// What an agent should know of ao.
    Skill(SkillAnswer),
    /// The agents.
    Agents(AgentsAnswer),
    /// An agent's card.
    Card(CardAnswer),
    /// Who is told.
    Notifiers(NotifiersAnswer),
    /// What came of telling them.
    Notified(NotifiedAnswer),
    /// What was looked at.
    Doctor(DoctorAnswer),
    /// The issues of a tracker.
    Issues(IssuesAnswer),
    /// One issue.
    Issue(Box<IssueAnswer>),
    /// Several pull requests.
    Prs(PrsAnswer),
    /// One pull request.
    Pr(Box<PrAnswer>),
    /// A decision.
    Decision(Box<DecisionAnswer>),
    /// An error.
    Error(ErrorAnswer),
}

/// A session as every command shows it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The record.
    #[serde(flatten)]
    pub record: Record,
    /// The one word for its state, derived from the record.
    pub status: Status,
}

/// One session: `show`, `spawn`, `rename`, ….
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The session.
    pub session: Session,
    /// The revision to give to `ao wait --since`, after `spawn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The last check of its branch, in `show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckShown>,
    /// The reviews of its branch, oldest first, where there are any: `show`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<ReviewBrief>,
}

/// The last check of a session's branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckShown {
    /// How far it is.
    pub state: CheckState,
    /// The commit that is checked.
    pub head_sha: String,
    /// Its argument vector.
    pub command: Vec<String>,
    /// Which try at this commit it is.
    pub attempt: u32,
    /// Its exit code; 128 + n for signal n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it says nothing of the commit, or took too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The file with all it wrote.
    pub log: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// Several sessions, oldest first: `ls`, `status`, `kill`, ….
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionsAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Those for which it did not work, in a batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
    /// Issues that needed nothing, in a batch of a query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// When the last pass was, where that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reap: Option<Timestamp>,
}

/// One element of a batch that failed, with whatever names it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// The session, where it has an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The number of the line or of the session, of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The issue, in a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<String>,
    /// Why.
    pub error: ErrorBody,
}

/// What a command would do (`--dry-run`).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlanAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The steps, in order.
    pub plan: Vec<PlanStep>,
}

/// One step of a plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    /// What would be done.
    pub op: String,
    /// Why.
    pub why: String,
}

/// What `reap` did.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReapAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The pass.
    pub reap: Pass,
}

/// One pass over everything.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Pass {
    /// How many sessions were probed.
    pub probed: u64,
    /// Changes of status.
    pub transitions: Vec<Transition>,
    /// Intents of dead owners that were finished or undone.
    pub recovered: Vec<Item>,
    /// Reactions that became a person's.
    pub escalated: Vec<Item>,
    /// Outbox entries that arrived.
    pub delivered: Vec<Item>,
    /// Outbox entries that wait.
    pub held: Vec<Item>,
    /// Reviews that were begun or closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviewed: Vec<Item>,
    /// Sessions that were cleaned up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleaned: Vec<Item>,
    /// Sessions that were started for issues.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spawned: Vec<Item>,
    /// Checks that were begun, or whose supervisor was found dead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Item>,
    /// Checks that were waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waited: Vec<Item>,
    /// What did not work.
    pub failed: Vec<Item>,
    /// So many looked dead at once that none was believed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub storm: bool,
    /// Another pass was under way, so none was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// A change of status.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Transition {
    /// The session.
    pub id: String,
    /// Its status before.
    pub from: Status,
    /// Its status after.
    pub to: Status,
    /// The rule that decided.
    pub rule: String,
}

/// Something done to, or failed for, one session.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// The session.
    pub id: String,
    /// What.
    pub what: String,
    /// Why, or how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How a wait ended.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WaitAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The session and what it came to.
    pub wait: Waited,
}

/// What a session came to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Waited {
    /// The session.
    pub id: String,
    /// Its status.
    pub status: Status,
    /// The word for the exit code: `done`, `needs_input`, `errored`, `ended`, `timeout`, ….
    pub outcome: String,
}

/// What became of a text that was sent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SendAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The session and how far the text came.
    pub send: Sent,
}

/// How far a text came.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// The session.
    pub id: String,
    /// `submitted`, `held`, `unconfirmed`, `failed` or `queued`.
    pub delivery: String,
    /// The revision to give to `ao wait --since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Why it did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How the turn ended, after `--wait`: the word for the exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The last screen, after `--wait`; `null` where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// What became of a text that was sent to several.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SendsAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// Those it reached, or waits for.
    pub sends: Vec<Sent>,
    /// Those for which it did not work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
}

/// What came of `approve`, `deny` or `interrupt`, under the command's name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PressAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// After `approve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<PressedKey>,
    /// After `deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny: Option<PressedKey>,
    /// After `interrupt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt: Option<PressedKey>,
}

/// A session and what a key did to it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PressedKey {
    /// The session.
    pub id: String,
    /// `approved`, `denied`, `interrupted`, or `needless` where nothing was to be done.
    pub result: String,
}

/// What an agent said of itself.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReportAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// What it came to.
    pub report: Reported,
}

/// What a report came to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Reported {
    /// The session.
    pub id: String,
    /// What was said.
    pub state: ReportState,
    /// The status after it.
    pub status: Status,
    /// The rule that decided; `activity.held` while a dialog is open.
    pub rule: String,
    /// The record's revision after it.
    pub revision: u64,
}

/// What a fact came to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ObserveAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The session and the decision.
    pub observe: Observed,
}

/// A decision on a fact from outside.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// The session.
    pub id: String,
    /// Whether anything was written.
    pub changed: bool,
    /// The record's revision after it.
    pub revision: u64,
    /// The status after it.
    pub status: Status,
    /// The rule that decided.
    pub rule: String,
    /// Why.
    pub reason: String,
}

/// What a cleanup removed, and what it kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CleanupAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// Session by session.
    pub cleanup: Vec<CleanedUp>,
    /// Those for which it did not work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
}

/// What a merge brought: `merge`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MergeAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The merge.
    pub merge: MergedBranch,
}

/// A branch that was merged, by this command or before.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MergedBranch {
    /// The session.
    pub id: String,
    /// Its branch.
    pub branch: String,
    /// The branch it is in.
    pub target: String,
    /// Its changes were there before.
    pub already: bool,
    /// The commit of the branch that was merged.
    pub head_sha: String,
    /// How; absent where it was merged before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MergeMethod>,
    /// The commit that the target was moved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// The worktree whose files followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree: Option<PathBuf>,
    /// The shell command that takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
}

/// What became of one session's workspace.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct CleanedUp {
    /// The session.
    pub id: String,
    /// What became of its branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The command that brings saved work back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_command: Option<String>,
    /// Why the workspace was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
}

/// What waits for its delivery, or came of asking for it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OutboxAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// Oldest first.
    pub outbox: Vec<Waiting>,
}

/// One entry of an outbox.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// The session.
    pub session: String,
    /// Its key.
    pub key: String,
    /// The entry, in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<OutboxEntry>,
    /// How far it came, after `retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
}

/// Why a status is what it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExplainAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The reasons.
    pub explain: Explained,
}

/// The last decision, and what would change it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// The session.
    pub id: String,
    /// Its status.
    pub status: Status,
    /// The session axis.
    pub session: SessionAxis,
    /// The last decision; absent where nothing was decided so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decided>,
    /// The last check of its branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckShown>,
    /// What would change it.
    pub next: Vec<String>,
}

/// A decision of the past.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Decided {
    /// The rule.
    pub rule: String,
    /// When.
    pub at: Timestamp,
    /// What led to it: a command, a hook, a reap.
    pub cause: String,
    /// What it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The revision it made.
    pub revision: u64,
}

/// The events of a session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LogAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The session.
    pub id: String,
    /// Oldest first.
    #[schemars(with = "Vec<BTreeMap<String, Value>>")]
    pub events: Vec<Event>,
}

/// Whether a log folds to its record.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VerifyAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// What was found.
    pub verify: Verified,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// The session.
    pub id: String,
    /// How many events are kept.
    pub events: u64,
    /// Nothing is wrong.
    pub ok: bool,
    /// What is.
    pub findings: Vec<String>,
}

/// What a session shows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OutputAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The screen or the log.
    pub output: Shown,
}

/// A screen or the end of a log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// The session.
    pub id: String,
    /// The text.
    pub text: String,
}

/// One line of `ao decide`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DecisionAnswer {
    /// The merge patch (RFC 7396) for the record.
    pub patch: Value,
    /// The record after it.
    pub record: Record,
    /// The status on both sides.
    pub status: BeforeAfter,
    /// What the decision rests on.
    pub evidence: String,
    /// The rule and what else it says.
    pub decision: Ruling,
    /// What is to be done.
    pub effects: Vec<Effect>,
}

/// A status on both sides of a decision.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BeforeAfter {
    /// Before.
    pub before: Status,
    /// After.
    pub after: Status,
}

/// Which rule decided.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ruling {
    /// The table and row, or `noop.<why>`.
    pub rule: String,
}

/// An error, on standard error.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErrorAnswer {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong, for a program to act on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// The kind, one word per exit code.
    pub kind: String,
    /// The exit code.
    pub code: u8,
    /// What a person reads.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether the same command may work later.
    pub retryable: bool,
}
