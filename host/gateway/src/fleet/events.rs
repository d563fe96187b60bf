//! What happened to deployments: a ring in memory for people who look, and a line a change for those who ask later.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tracing::{error, info, warn};

use super::report::Event;

/// Events that are kept in memory.
pub(crate) const EVENTS: usize = 100;

/// What happened.
#[derive(Debug, Default)]
pub(crate) struct Events {
    ring: Mutex<VecDeque<Event>>,
    audit: Option<Mutex<File>>,
}

impl Events {
    /// With an audit file, which lines are added to. None keeps events in memory and in the log only.
    pub(crate) fn open(audit: Option<&Path>) -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        let audit = audit.map(open).transpose()?.map(Mutex::new);
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
            && let Err(error) = write(&mut audit.lock(), &event)
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

/// One line, synced: who changes a gateway must not be able to unsay it by pulling the plug.
fn write(file: &mut File, event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
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
}
