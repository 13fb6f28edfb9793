//! A live session as a pass first sees it: its record, and when anything was last made or renamed
//! beside it.
//!
//! Says what [`Home::load`] says, for a fraction of the cost, wherever all is as it should be: the
//! directory is ours alone, the record can be read and is of this version, nobody is in the
//! middle of anything, and the log ends with the very event that made the record. Whatever is
//! otherwise, or cannot be told, is left to a full look.

use crate::adapter::failpoint;
use crate::adapter::fs::directory::Directory;
use crate::model::id::SessionId;
use crate::model::record::{Record, SCHEMA};
use crate::model::time::Timestamp;
use crate::store::events::{self, LOG};
use crate::store::home::{self, Home};
use crate::store::recover::RECORD;

/// How much memory there is at first; most records fit.
const ROOM: usize = 8 << 10;

/// The longest record that a glance reads, in bytes.
const LONGEST_RECORD: usize = 64 << 10;

/// How much of a log's end a glance reads; few last lines are longer.
const LOG_ROOM: usize = 4 << 10;

/// A session at which all is as it should be.
#[derive(Debug)]
pub struct Glance {
    /// Its record, which is large.
    pub record: Box<Record>,
    /// The second in which a name was last made, replaced or taken away in its directory.
    pub changed: Timestamp,
}

/// Glances at the sessions of one home, one after the other.
#[derive(Debug)]
pub struct Glances {
    sessions: Directory,
    reader: Reader,
}

/// Reads one session after the other, in memory that is kept: where two threads read, what one of
/// them takes and gives back for each session would have them wait for each other.
#[derive(Debug)]
pub(super) struct Reader {
    text: Vec<u8>,
    path: String,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { text: vec![0; ROOM], path: String::new() }
    }

    /// Returns the bytes of the record in `directory`.
    fn record(&mut self, directory: &Directory) -> Option<&[u8]> {
        directory.read(RECORD, &mut self.text, LONGEST_RECORD).ok()
    }

    /// Returns the bytes of the record of the session `id`, whose directory is below `parent`.
    pub(super) fn record_of(&mut self, parent: &Directory, id: &SessionId) -> Option<&[u8]> {
        parent.read(within(&mut self.path, id, RECORD), &mut self.text, LONGEST_RECORD).ok()
    }

    /// Returns whether the log in `directory` ends with the very event that made `revision`.
    fn is_last(&mut self, directory: &Directory, revision: u64) -> bool {
        let end = directory.read_end(LOG, &mut self.text[..LOG_ROOM]);
        end.is_ok_and(|(end, before)| events::ends_with(end, before, revision))
    }

    /// Returns the same of the session `id`, whose directory is below `parent`.
    pub(super) fn is_last_of(&mut self, parent: &Directory, id: &SessionId, revision: u64) -> bool {
        let path = within(&mut self.path, id, LOG);
        let end = parent.read_end(path, &mut self.text[..LOG_ROOM]);
        end.is_ok_and(|(end, before)| events::ends_with(end, before, revision))
    }
}

/// Returns the path of the file `name` of a session.
fn within<'a>(path: &'a mut String, id: &SessionId, name: &str) -> &'a str {
    path.clear();
    path.extend([id.as_str(), "/", name]);
    path
}

impl Home {
    /// Returns what glances at its live sessions; `None` where their directory cannot be opened.
    pub fn glances(&self) -> Option<Glances> {
        let sessions = Directory::open(&self.root().join("sessions")).ok()?;
        Some(Glances { sessions, reader: Reader::new() })
    }
}

impl Glances {
    /// Glances at a session, and has `look` look on while its directory is open; `None` where a
    /// full look is needed.
    pub fn at<T>(
        &mut self,
        id: &SessionId,
        look: impl FnOnce(&Directory, &Glance) -> T,
    ) -> Option<(Glance, T)> {
        failpoint::pass("store.glance").ok()?;
        let directory = self.sessions.below(id.as_str()).ok()?;
        let stat = directory.stat().ok().filter(home::is_ours_alone)?;
        let record = self.record(&directory, id)?;
        if !self.reader.is_last(&directory, record.revision) {
            return None;
        }
        let changed = Timestamp::from_millis(stat.st_mtime.saturating_mul(1000));
        let glance = Glance { record, changed };
        let seen = look(&directory, &glance);
        Some((glance, seen))
    }

    fn record(&mut self, directory: &Directory, id: &SessionId) -> Option<Box<Record>> {
        let record = Record::parse(self.reader.record(directory)?).ok()?;
        let is_plain = record.schema <= SCHEMA && record.revision > 0 && record.intent.is_none();
        (is_plain && record.id.as_ref() == Some(id)).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::adapter::fs::{self, Durability};
    use crate::store::Change;

    fn home() -> (tempfile::TempDir, Home, SessionId) {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        let id: SessionId = "web-1".parse().unwrap();
        let record = Record { id: Some(id.clone()), ..Record::default() };
        let now = Timestamp::from_millis(0);
        let mut locked = home.create_session(&record, "test", now).unwrap();
        let title = serde_json::json!({ "title": "It" });
        let patch = title.as_object().unwrap().clone();
        locked.commit(Change::new("test", now).with_patch(patch)).unwrap();
        (directory, home, id)
    }

    fn glance(home: &Home, id: &SessionId) -> Option<Glance> {
        home.glances().unwrap().at(id, |_, _| ()).map(|(glance, ())| glance)
    }

    #[test]
    fn a_glance_says_what_a_load_says() {
        let (_directory, home, id) = home();
        let seen = glance(&home, &id).unwrap();
        assert_eq!(*seen.record, home.load(&id).unwrap().record);
        let place = home.session_dir(&id);
        let now = crate::adapter::clock::now();
        assert!(now.since(seen.changed) < Duration::from_secs(60), "{:?}", seen.changed);
        let at = rustix::fs::Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: at, last_modification: at };
        let flags = rustix::fs::AtFlags::empty();
        rustix::fs::utimensat(rustix::fs::CWD, &place, &times, flags).unwrap();
        assert_eq!(glance(&home, &id).unwrap().changed, Timestamp::from_millis(1_000_000_000_000));
        fs::create_new(&place.join("more"), b"", 0o600, Durability::Process).unwrap();
        assert!(glance(&home, &id).unwrap().changed >= seen.changed);
    }

    #[test]
    fn whatever_is_not_as_it_should_be_needs_a_full_look() {
        type Harm = fn(&std::path::Path);
        fn edit(path: &std::path::Path, from: &str, to: &str) {
            let text = fs::read_text(path).unwrap();
            assert!(text.contains(from), "{text}");
            let text = text.replace(from, to);
            fs::replace(path, text.as_bytes(), Durability::Process).unwrap();
        }
        fn append(path: &std::path::Path, text: &str) {
            use std::io::Write;
            fs::open_append(path).unwrap().write_all(text.as_bytes()).unwrap();
        }
        let harms: [(&str, Harm); 12] = [
            ("behind", |at| edit(&at.join(RECORD), "\"revision\": 2", "\"revision\": 1")),
            ("ahead", |at| edit(&at.join(RECORD), "\"revision\": 2", "\"revision\": 3")),
            ("torn log", |at| append(&at.join(LOG), "{\"schema\":1,\"seq\":3")),
            ("no event", |at| append(&at.join(LOG), "not an event\n")),
            ("NUL", |at| append(&at.join(LOG), "\0\n")),
            ("no log", |at| fs::remove_file(&at.join(LOG)).unwrap()),
            ("no record", |at| fs::remove_file(&at.join(RECORD)).unwrap()),
            ("torn record", |at| edit(&at.join(RECORD), "}", "")),
            ("newer", |at| edit(&at.join(RECORD), "\"schema\": 1", "\"schema\": 2")),
            ("another's", |at| edit(&at.join(RECORD), "\"web-1\"", "\"web-2\"")),
            ("a link", |at| {
                fs::rename(&at.join(RECORD), &at.join("aside")).unwrap();
                fs::symlink(std::path::Path::new("aside"), &at.join(RECORD)).unwrap();
            }),
            ("mode", |at| {
                std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o720)).unwrap();
            }),
        ];
        for (name, harm) in harms {
            let (_directory, home, id) = home();
            harm(&home.session_dir(&id));
            assert!(glance(&home, &id).is_none(), "{name}");
        }
    }

    #[test]
    fn what_is_under_way_or_elsewhere_needs_a_full_look() {
        let (_directory, home, id) = home();
        assert!(glance(&home, &"web-2".parse().unwrap()).is_none());
        let me = crate::adapter::process::current().unwrap();
        let intent = serde_json::json!({ "intent": {
            "op": "kill", "step": "seeded", "pid": me.pid, "pid_start": me.pid_start,
            "boot_id": me.boot_id, "at": "2026-11-20T10:00:00Z",
        }});
        let mut locked = home.lock_session(&id, Duration::ZERO).unwrap();
        let patch = intent.as_object().unwrap().clone();
        locked.commit(Change::new("test", Timestamp::from_millis(0)).with_patch(patch)).unwrap();
        assert!(glance(&home, &id).is_none());
        locked.archive().unwrap();
        assert!(glance(&home, &id).is_none());
    }
}
