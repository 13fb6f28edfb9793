//! The canonical record of a session, as a typed view and as the JSON document on disk.
//!
//! The document is what is stored and patched; unknown keys live only there. The typed view is
//! what deciders read. A change is computed as the difference of two views and applied to the
//! document, so what this version does not know survives every write.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::effect::OutboxEntry;
use crate::id::{BranchName, LaunchId, ProcessIdentity, ProjectId, SessionId};
use crate::lifecycle::{Lifecycle, word_enum};
use crate::patch;
use crate::report::Report;
use crate::time::Timestamp;

/// The record schema that this version writes.
pub const SCHEMA: u64 = 1;

word_enum! {
    /// What a session is for.
    #[derive(Default)]
    Kind {
        #[default]
        Worker = "worker",
        Orchestrator = "orchestrator",
        Reviewer = "reviewer",
    }
}

word_enum! {
    /// Whether the agent stays for further instructions.
    #[derive(Default)]
    Mode {
        #[default]
        Interactive = "interactive",
        /// It ends by itself; its exit code says how it went.
        OneShot = "one_shot",
    }
}

word_enum! {
    /// How this agent tells of itself.
    #[derive(Default)]
    Signals {
        Hooks = "hooks",
        Terminal = "terminal",
        #[default]
        None = "none",
    }
}

word_enum! {
    /// Where the agent process lives.
    RuntimeKind {
        Tmux = "tmux",
        Process = "process",
    }
}

/// A worktree and its branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceHandle {
    /// Absolute path of the working directory.
    pub path: PathBuf,
    /// Absolute path of the repository's main worktree or, where bare, its git directory.
    pub repo: PathBuf,
    /// The branch checked out in it; absent for a detached one or for workspace `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
    /// True where `ao` made the branch, so `ao` may delete it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub branch_created: bool,
    /// The ref the branch started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_ref: Option<String>,
    /// The commit the branch started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_sha: Option<String>,
    /// False for workspace `none`: the directory is the user's own and is never removed.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub owned: bool,
    /// How its files came there: out of the pool, by a copy, or by git, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// Where its branch was when the workspace went into the pool: the branch may be gone since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tip: Option<String>,
}

fn yes() -> bool {
    true
}

/// A pane or process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeHandle {
    /// Where the process lives.
    pub kind: RuntimeKind,
    /// Absolute path of the tmux socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The tmux session's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The pane id, for reading by people: ids on disk are never trusted as targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pane: Option<String>,
    /// The server's identity: `<start_time>:<pid>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The launcher's process number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The launcher's start time in clock ticks since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_start: Option<u64>,
    /// The boot it was started in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
}

impl RuntimeHandle {
    /// Returns the launcher's identity, where it is known whole.
    pub fn process(&self) -> Option<ProcessIdentity> {
        Some(ProcessIdentity {
            pid: self.pid?,
            pid_start: self.pid_start?,
            boot_id: self.boot_id.clone()?,
        })
    }
}

/// Everything by which the outside parts of a session are found again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Handles {
    /// The worktree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceHandle>,
    /// The pane or process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeHandle>,
    /// The agent's own id of its conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_session: Option<String>,
    /// The current (or last) start of the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchId>,
}

impl Handles {
    /// Returns whether there is none at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The budget of one reaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tracker {
    /// How many messages were sent; failed deliveries are given back.
    #[serde(default)]
    pub attempts: u32,
    /// When the first was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt_at: Option<Timestamp>,
    /// A person was asked; silence until the tracker is cleared.
    #[serde(default)]
    pub escalated: bool,
    /// What the last message was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

word_enum! {
    /// Work in several steps.
    IntentOp {
        Spawn = "spawn",
        Restore = "restore",
        Kill = "kill",
        Cleanup = "cleanup",
    }
}

/// Work in several steps that has begun, and who is at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// What is being done.
    pub op: IntentOp,
    /// The last step that is recorded: `seeded`, `agent_files` for a spawn, `seeded` for a restore,
    /// `recorded` for a kill or a cleanup. Earlier versions recorded `workspace` and `runtime` too.
    pub step: String,
    /// The process that does it.
    pub pid: u32,
    /// Its start time in clock ticks since boot.
    pub pid_start: u64,
    /// The boot it lives in.
    pub boot_id: String,
    /// When it began.
    pub at: Timestamp,
    /// What is being made or unmade, for whoever has to finish it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, Value>,
}

impl Intent {
    /// Returns who does it.
    pub fn owner(&self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, pid_start: self.pid_start, boot_id: self.boot_id.clone() }
    }
}

/// The typed view of a session's record.
///
/// Every field has an initial value, so `{"lifecycle":{…}}` is a record for `ao decide`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Record {
    /// The schema it was written in.
    pub schema: u64,
    /// The session's name; absent only in `ao decide`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<SessionId>,
    /// The project it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// What it is for.
    pub kind: Kind,
    /// Whether the agent stays.
    pub mode: Mode,
    /// The agent card's name.
    pub agent: String,
    /// How the agent tells of itself.
    pub signals: Signals,
    /// The tracker's issue it works on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<String>,
    /// What a person calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The session that spawned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<SessionId>,
    /// The model asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The permission mode asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
    /// When it was spawned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// Grows by one per write.
    pub revision: u64,
    /// The axes.
    pub lifecycle: Lifecycle,
    /// How its parts are found again.
    #[serde(skip_serializing_if = "Handles::is_empty")]
    pub handles: Handles,
    /// What the agent last said of itself with `ao report`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// Budgets, by reaction key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, Tracker>,
    /// What is still to be delivered, by `<revision>.<what>`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outbox: BTreeMap<String, OutboxEntry>,
    /// Work in several steps that has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// The launch that was cleaned up after, with nothing left; of a session that was started
    /// again since, it is not the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleaned: Option<LaunchId>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            id: None,
            project: None,
            kind: Kind::default(),
            mode: Mode::default(),
            agent: String::new(),
            signals: Signals::default(),
            issue: None,
            title: None,
            parent: None,
            model: None,
            permission: None,
            created_at: None,
            updated_at: None,
            revision: 0,
            lifecycle: Lifecycle::default(),
            handles: Handles::default(),
            report: None,
            reactions: BTreeMap::new(),
            outbox: BTreeMap::new(),
            intent: None,
            cleaned: None,
        }
    }
}

/// The order of known keys on disk, per object; `""` is the top level, `*` any map's values.
///
/// Unknown keys follow the known ones, sorted; maps keyed by id are sorted by key.
const KEY_ORDER: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "schema",
            "id",
            "project",
            "kind",
            "mode",
            "agent",
            "signals",
            "issue",
            "title",
            "parent",
            "model",
            "permission",
            "created_at",
            "updated_at",
            "revision",
            "lifecycle",
            "handles",
            "report",
            "reactions",
            "outbox",
            "intent",
            "cleaned",
        ],
    ),
    ("lifecycle", &["session", "pr", "runtime", "activity", "detecting"]),
    ("lifecycle.session", &["state", "reason", "since", "until"]),
    ("lifecycle.pr", &["state", "reason", "number", "url", "head_sha", "as_of"]),
    ("lifecycle.runtime", &["state", "reason"]),
    ("lifecycle.activity", &["state", "last_activity_at", "source", "tool"]),
    ("lifecycle.detecting", &["attempts", "started_at", "last_at", "evidence_hash", "from"]),
    ("lifecycle.detecting.from", &["state", "reason", "since", "until"]),
    ("handles", &["workspace", "runtime", "agent_session", "launch"]),
    (
        "handles.workspace",
        &["path", "repo", "branch", "branch_created", "base_ref", "base_sha", "owned"],
    ),
    (
        "handles.runtime",
        &["kind", "socket", "session", "pane", "server", "pid", "pid_start", "boot_id"],
    ),
    ("report", &["state", "note", "pr", "at", "open"]),
    ("reactions.*", &["attempts", "first_attempt_at", "escalated", "signature"]),
    (
        "outbox.*",
        &[
            "kind",
            "reaction",
            "priority",
            "escalation",
            "signature",
            "repeat",
            "message",
            "command",
            "created_at",
            "launch",
            "from",
            "to",
            "when",
            "attempts",
            "next_at",
            "last_error",
            "claim",
            "delivered",
            "dead",
        ],
    ),
    ("outbox.*.claim", &["pid", "pid_start", "boot_id", "at"]),
    ("intent", &["op", "step", "pid", "pid_start", "boot_id", "at", "details"]),
];

/// The highest revision, or other number that is counted up, that a file can hold: every reader of
/// JSON tells it from the next one, and there is room to count on.
pub const MOST_EXACT: u64 = 1 << 53;

/// Maps keyed by id, whose values share one order.
const KEYED_MAPS: &[&str] = &["reactions", "outbox"];

/// The record as JSON: what is stored, patched and folded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document(Map<String, Value>);

/// A JSON text that is no record.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON, or not the JSON of a record.
    #[error("not a session record")]
    Invalid(#[source] serde_json::Error),
    /// Valid JSON, but no object.
    #[error("not a session record: the top level is not an object")]
    NotAnObject,
}

impl Document {
    /// Returns the document of `object`, nulls removed.
    pub fn from_map(mut object: Map<String, Value>) -> Self {
        patch::remove_nulls(&mut object);
        Self(object)
    }

    /// Reads the bytes of a `session.json`.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        match serde_json::from_slice(bytes).map_err(DocumentError::Invalid)? {
            Value::Object(object) => Ok(Self(object)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(DocumentError::NotAnObject),
        }
    }

    /// Returns the typed view. Unknown keys are not in it.
    pub fn view(&self) -> Result<Record, DocumentError> {
        Record::deserialize(&self.0).map_err(DocumentError::Invalid)
    }

    /// Returns the document after the merge patch.
    pub fn patched(&self, patch: &Map<String, Value>) -> Self {
        let mut object = self.0.clone();
        patch::apply(&mut object, patch);
        Self(object)
    }

    /// Returns the JSON object.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Returns the schema it was written in, 0 where it does not say.
    pub fn schema(&self) -> u64 {
        self.0.get("schema").and_then(Value::as_u64).unwrap_or(0)
    }

    /// Returns its revision, 0 where it does not say.
    pub fn revision(&self) -> u64 {
        self.0.get("revision").and_then(Value::as_u64).unwrap_or(0)
    }

    /// Returns the same object with its keys in the canonical order, for output.
    pub fn ordered(&self) -> OrderedJson<'_> {
        OrderedJson { path: String::new(), value: OrderedValue::Object(&self.0) }
    }

    /// Returns the bytes of a `session.json`: two spaces, canonical key order, one newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(&self.ordered())
            .expect("a JSON value always serialises into memory");
        bytes.push(b'\n');
        bytes
    }
}

/// Reads what is known of a record.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DocumentError> {
    // Looked at once in a whole, which is cheaper than at each string of it by itself.
    let text = std::str::from_utf8(bytes).map_err(serde_json::Error::custom);
    text.and_then(serde_json::from_str).map_err(DocumentError::Invalid)
}

/// Puts records in the order in which their sessions were made.
pub fn oldest_first(records: &mut [(SessionId, Record)]) {
    records.sort_unstable_by(|(a, x), (b, y)| (x.created_at, a).cmp(&(y.created_at, b)));
}

impl Record {
    /// Reads the bytes of a `session.json`. Unknown keys are not in it.
    pub fn parse(bytes: &[u8]) -> Result<Box<Self>, DocumentError> {
        read(bytes)
    }

    /// Returns what is still to be delivered, by its keys.
    pub fn undelivered(&self) -> impl Iterator<Item = (&String, &OutboxEntry)> {
        self.outbox.iter().filter(|(_, entry)| !entry.dead)
    }

    /// Returns the merge patch that turns `self` into `after`; empty where they are equal.
    pub fn difference(&self, after: &Self) -> Map<String, Value> {
        if self == after {
            return Map::new();
        }
        patch::difference(&self.to_map(), &after.to_map())
    }

    /// Returns the record as a JSON object.
    pub fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self).expect("a record always serialises") {
            Value::Object(object) => object,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                unreachable!("a struct serialises to an object")
            }
        }
    }

    /// Returns the document of a record without unknown keys.
    pub fn to_document(&self) -> Document {
        Document::from_map(self.to_map())
    }
}

enum OrderedValue<'a> {
    Object(&'a Map<String, Value>),
    Other(&'a Value),
}

/// A JSON value that serialises with known keys first and in their own order.
pub struct OrderedJson<'a> {
    path: String,
    value: OrderedValue<'a>,
}

impl OrderedJson<'_> {
    fn child_path(&self, key: &str) -> String {
        let key = if KEYED_MAPS.contains(&self.path.as_str()) { "*" } else { key };
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl Serialize for OrderedJson<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let object = match self.value {
            OrderedValue::Object(object) => object,
            OrderedValue::Other(other) => return other.serialize(serializer),
        };
        let known: &[&str] =
            KEY_ORDER.iter().find(|(path, _)| *path == self.path).map_or(&[], |(_, keys)| keys);
        let mut unknown: Vec<&str> =
            object.keys().map(String::as_str).filter(|key| !known.contains(key)).collect();
        unknown.sort_unstable();
        let mut map = serializer.serialize_map(Some(object.len()))?;
        let known = known.iter().filter_map(|key| object.get_key_value(*key));
        let unknown = unknown.into_iter().filter_map(|key| object.get_key_value(key));
        for (key, value) in known.chain(unknown) {
            let value = match value {
                Value::Object(object) => OrderedValue::Object(object),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    OrderedValue::Other(value)
                }
                Value::Array(_) => OrderedValue::Other(value),
            };
            map.serialize_entry(key, &OrderedJson { path: self.child_path(key), value })?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_keys_come_first_in_their_order_and_unknown_ones_survive() {
        let text = r#"{"zeta":123456789012345678901234567890,"revision":3,"id":"web-1","lifecycle":{"runtime":{"reason":"process_running","state":"alive","x":1}},"alpha":{"b":1,"a":[{"d":1,"c":2}]}}"#;
        let document = Document::parse(text.as_bytes()).unwrap();
        insta::assert_snapshot!(String::from_utf8(document.to_bytes()).unwrap(), @r#"
        {
          "id": "web-1",
          "revision": 3,
          "lifecycle": {
            "runtime": {
              "state": "alive",
              "reason": "process_running",
              "x": 1
            }
          },
          "alpha": {
            "a": [
              {
                "c": 2,
                "d": 1
              }
            ],
            "b": 1
          },
          "zeta": 123456789012345678901234567890
        }
        "#);
        let again = Document::parse(&document.to_bytes()).unwrap();
        assert_eq!(again, document);
    }

    #[test]
    fn a_change_of_the_view_leaves_unknown_keys_alone() {
        let document =
            Document::parse(br#"{"id":"web-1","future":{"x":1},"title":"old"}"#).unwrap();
        let before = document.view().unwrap();
        let after = Record { title: None, issue: Some("7".into()), ..before.clone() };
        let patch = before.difference(&after);
        assert_eq!(Value::Object(patch.clone()), json!({"title": null, "issue": "7"}));
        let stored = document.patched(&patch);
        assert_eq!(
            Value::Object(stored.as_map().clone()),
            json!({"id": "web-1", "future": {"x": 1}, "issue": "7"})
        );
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for bad in ["", "{", "[]", "null", "1", "{\"id\":\"../x\"}", "{\"revision\":\"1\"}"] {
            let result = Document::parse(bad.as_bytes()).and_then(|document| document.view());
            assert!(result.is_err(), "{bad}");
        }
    }
}
