//! What happened to deployments: a ring in memory for people who look, and a line a change for those who ask later.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tracing::{error, info, warn};

use super::report::Event;

/// Bytes of the audit file; then it becomes `audit.jsonl.1`, and the one before is gone. Some 50,000 changes each.
const AUDIT_BYTES: u64 = 16 << 20;
/// Events that are kept in memory.
pub(crate) const EVENTS: usize = 100;

/// What happened.
#[derive(Debug, Default)]
pub(crate) struct Events {
    ring: Mutex<VecDeque<Event>>,
    audit: Option<Mutex<Audit>>,
}

/// The audit file.
#[derive(Debug)]
struct Audit {
    path: PathBuf,
    file: File,
    limit: u64,
}

impl Events {
    /// With an audit file, which lines are added to. None keeps events in memory and in the log only.
    pub(crate) fn open(audit: Option<&Path>) -> io::Result<Self> {
        let audit = audit.map(|path| Audit::open(path, AUDIT_BYTES)).transpose()?.map(Mutex::new);
        Ok(Self { ring: Mutex::default(), audit })
    }

    pub(crate) fn note(&self, event: Event) {
        let Event { deployment, action, by, from, to, done, message, .. } = &event;
        let (deployment, message) = (deployment.as_deref(), message.as_deref());
        let (from, to) = (from.as_deref(), to.as_deref());
        if *done {
            info!(deployment, action, by, from, to, message, "Changed");
        } else {
            warn!(deployment, action, by, from, to, message, "Not changed");
        }
        if let Some(audit) = &self.audit
            && let Err(error) = audit.lock().write(&event)
        {
            error!(%error, "Audit line not written");
        }
        let mut ring = self.ring.lock();
        ring.truncate(EVENTS - 1);
        ring.push_front(event);
    }

    /// The latest first.
    pub(crate) fn last(&self, deployment: Option<&str>) -> Vec<Event> {
        let wanted =
            |event: &&Event| deployment.is_none() || event.deployment.as_deref() == deployment;
        self.ring.lock().iter().filter(wanted).cloned().collect()
    }
}

impl Audit {
    fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file, limit })
    }

    /// One line, synced: who changes a gateway must not be able to unsay it by pulling the plug.
    fn write(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        if self.file.metadata()?.len() + line.len() as u64 > self.limit {
            let mut before = self.path.clone().into_os_string();
            before.push(".1");
            std::fs::rename(&self.path, before)?;
            *self = Self::open(&self.path, self.limit)?;
        }
        self.file.write_all(&line)?;
        self.file.sync_data()
    }
}

/// Now, as events tell it.
pub(crate) fn now() -> String {
    time(Timestamp::now())
}

/// To the millisecond.
pub(crate) fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> Event {
        Event {
            at: now(),
            deployment: Some(format!("d{}", number % 2)),
            action: "deploy",
            by: "somebody".into(),
            from: None,
            to: Some(number.to_string()),
            done: true,
            message: None,
        }
    }

    #[test]
    fn the_last_hundred_are_in_memory_and_all_are_in_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let events = Events::open(Some(file.path())).unwrap();
        (0..=EVENTS).for_each(|number| events.note(event(number)));
        let last = events.last(None);
        assert_eq!((last.len(), last[0].to.as_deref()), (EVENTS, Some("100")));
        assert_eq!(last.last().unwrap().to.as_deref(), Some("1"));
        assert!(
            events.last(Some("d1")).iter().all(|event| event.deployment.as_deref() == Some("d1"))
        );
        let lines = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(lines.lines().count(), EVENTS + 1);
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!((&first["action"], &first["to"]), (&"deploy".into(), &"0".into()));
    }

    #[test]
    fn an_audit_that_is_full_makes_room_and_keeps_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let line = serde_json::to_vec(&event(1)).unwrap().len() as u64 + 1;
        let mut audit = Audit::open(&path, 3 * line).unwrap();
        let lines = |name: &str| {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
            text.lines().count()
        };
        for (number, now, before) in [(1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 1, 3), (5, 2, 3)] {
            audit.write(&event(number)).unwrap();
            assert_eq!((lines("audit.jsonl"), lines("audit.jsonl.1")), (now, before));
        }
        (6..8).for_each(|number| audit.write(&event(number)).unwrap());
        assert_eq!((lines("audit.jsonl"), lines("audit.jsonl.1")), (1, 3));
    }
}
