//! The JSON documents that commands answer with.
//!
//! A key that does not apply is absent; one that was asked for and could not be determined is
//! `null`. Later versions add keys and never change what one means.

mod agents;
mod forge;
mod history;
mod metrics;
mod notifiers;
mod reviews;
mod tools;

pub use agents::{Agent, AgentsAnswer, BadCard, CardAnswer, CardText, LoggedIn};
pub use forge::{IssueAnswer, IssueShown, IssuesAnswer, PrAnswer, PrShown, PrsAnswer, Skipped};
pub use history::{
    BeforeAfter, Decided, DecisionAnswer, EventAnswer, ExplainAnswer, Explained, LogAnswer, Ruling,
    Verified, VerifyAnswer,
};
pub use metrics::MetricsAnswer;
pub use notifiers::{Notified, NotifiedAnswer, NotifiedOutcome, NotifierInfo, NotifiersAnswer};
pub use reviews::{ReviewAnswer, ReviewBrief, ReviewShown, ReviewsAnswer};
pub use tools::{
    Check, ConfigAnswer, ConfigCheckAnswer, ConfigSetAnswer, DemoAnswer, DoctorAnswer, Health,
    PathAnswer, ProjectAnswer, ProjectsAnswer, ReferenceAnswer, SchemaAnswer, SkillAnswer,
    TextAnswer, TimerAnswer, TrustAnswer, ValueAnswer, ValueFrom,
};

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check_run::CheckState;
use crate::effect::OutboxEntry;
use crate::forge::MergeMethod;
use crate::record::Record;
use crate::report::ReportState;
use crate::status::Status;
use crate::time::Timestamp;

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
    /// An event of a stream.
    Event(Box<EventAnswer>),
    /// How many sessions need a person.
    NeedsPerson(NeedsPersonAnswer),
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
    /// A text that was generated: help, a man page, a completion script.
    Text(TextAnswer),
    /// How the demo went.
    Demo(DemoAnswer),
    /// The schemas of all this.
    Schema(SchemaAnswer),
    /// What is wrong with the configuration.
    ConfigCheck(ConfigCheckAnswer),
    /// Where a value was set in the configuration.
    ConfigSet(ConfigSetAnswer),
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
    /// What is measured.
    Metrics(MetricsAnswer),
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
    /// It is archived: it was cleaned up, and only `ao restore` changes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// Its workspace, in `status --git`; `null` where git could not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitShown>,
}

/// What git says of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GitShown {
    /// The branch that is checked out; `null` for none.
    pub branch: Option<String>,
    /// The commit that is checked out; `null` for none.
    pub head: Option<String>,
    /// Commits that the branch's upstream does not have; `null` without one.
    pub ahead: Option<u64>,
    /// Commits that only its upstream has; `null` without one.
    pub behind: Option<u64>,
    /// How many files that git knows have changed.
    pub uncommitted: u64,
    /// How many files git does not know.
    pub untracked: u64,
}

/// How many sessions need a person: `status -q`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NeedsPersonAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// How many.
    pub needs_person: u64,
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
    /// What could not be looked at, so that the plan knows nothing of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Item>,
}

/// One step of a plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    /// What would be done.
    pub op: String,
    /// Why.
    pub why: String,
    /// How the files of a workspace would most likely be made, where the step is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<FillWay>,
}

impl From<(String, String)> for PlanStep {
    fn from((op, why): (String, String)) -> Self {
        Self { op, why, way: None }
    }
}

/// How the files of a workspace come to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FillWay {
    /// They are those of a clean workspace that a cleanup kept.
    Pool,
    /// They are copied from another worktree, and only the rest is git's.
    Copy,
    /// git makes them all.
    Git,
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
    /// The word for the exit code: `reached`, `needs_input`, `errored`, `ended`, `timeout`, ….
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
    /// How much is still to be delivered; a later pass archives the session once that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undelivered: Option<usize>,
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
    /// With `--follow`: these lines go below those before, a line that was not whole yet once more;
    /// else it is all there is to see.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub added: bool,
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
