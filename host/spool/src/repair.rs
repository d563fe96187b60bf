//! What an operator does with an outbox that no gateway has open: give dead letters another try, and throw away what is
//! no longer wanted.
//!
//! Everything here holds the outbox's lock, so a gateway that runs is an error and never a race.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::channel::rejected;
use crate::outbox::{Class, CloseError, OpenError, Outbox, OutboxSettings, ReadError, Refused};

/// How long the disk may take for everything that was given to it.
const DISK_TIME: Duration = Duration::from_secs(60);
/// Wait before a full queue to the disk is asked again.
const QUEUE_WAIT: Duration = Duration::from_millis(5);
/// How the name of a segment ends that was set aside.
const QUARANTINE: &str = ".quarantine";

/// The outbox was not put right.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The outbox cannot be opened; a gateway may have it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A dead letter was not taken back. Those before it were, unless this says otherwise.
    #[error("take back dead letter {id}")]
    Refused {
        /// Its name.
        id: String,
        /// Why not.
        #[source]
        source: Refused,
    },
    /// What was taken back is not known to be durable, so nothing was taken away from the dead letters.
    #[error("make the dead letters durable in the outbox; they stay where they are")]
    NotDurable(#[from] CloseError),
    /// There is no such dead letter.
    #[error("find dead letter {id} of channel {channel:?}: there is none")]
    NoLetter {
        /// The name that was asked for.
        id: String,
        /// The channel.
        channel: String,
    },
    /// The channel's cursor was not forgotten.
    #[error(transparent)]
    Cursor(#[from] ReadError),
    /// A file cannot be read, written or removed.
    #[error("{action} {}", file.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, or the directory that it lies in.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Puts dead letters of a channel back into the outbox, all of them or those with these ids, as `store/number` or just
/// the number. A letter is taken away when its record is durable in the outbox, not before. Gives how many went back.
///
/// The record gets a new number, and every channel gets it. A crash in between leaves the letter where it is, to be
/// taken back again under another number.
///
/// # Errors
///
/// When a gateway has the outbox, when there is no such letter, or when the outbox does not take one.
pub fn requeue(
    dir: &Path,
    settings: OutboxSettings,
    channel: &str,
    ids: Option<&BTreeSet<String>>,
) -> Result<u64, RepairError> {
    let outbox = Outbox::open(dir, settings)?;
    let mut missing = ids.cloned().unwrap_or_default();
    let mut taken = BTreeSet::new();
    let mut refused = None;
    let read = rejected::each(dir, channel, |letter| {
        let number = letter.id.rsplit('/').next().unwrap_or_default();
        let is_meant = |ids: &BTreeSet<String>| ids.contains(&letter.id) || ids.contains(number);
        if refused.is_some() || !ids.is_none_or(is_meant) {
            return Ok(());
        }
        missing.retain(|id| *id != letter.id && id != number);
        match append(&outbox, &letter.record) {
            Ok(()) => drop(taken.insert(letter.id)),
            Err(source) => refused = Some(RepairError::Refused { id: letter.id, source }),
        }
        Ok(())
    });
    outbox.close(DISK_TIME)?;
    let failed = |action| move |source| RepairError::Io { action, file: dir.to_owned(), source };
    read.map_err(failed("read the dead letters in"))?;
    if !taken.is_empty() {
        rejected::remove(dir, channel, |id| taken.contains(id))
            .map_err(failed("take letters away from the dead letters in"))?;
    }
    match (refused, missing.pop_first()) {
        (Some(error), _) => Err(error),
        (None, Some(id)) => Err(RepairError::NoLetter { id, channel: channel.to_owned() }),
        (None, None) => Ok(taken.len() as u64),
    }
}

/// Appends a record, and waits while the queue to the disk is full.
fn append(outbox: &Outbox, payload: &[u8]) -> Result<(), Refused> {
    let until = Instant::now() + DISK_TIME;
    loop {
        match outbox.append(payload, Class::Observe) {
            Err(Refused::QueueFull) if Instant::now() < until => std::thread::sleep(QUEUE_WAIT),
            taken => return taken.map(drop),
        }
    }
}

/// Removes the dead letters of a channel, or of all, and gives how many records that were.
///
/// # Errors
///
/// When a gateway has the outbox, or a file cannot be removed.
pub fn purge_dead_letters(
    dir: &Path,
    settings: OutboxSettings,
    channel: Option<&str>,
) -> Result<u64, RepairError> {
    let _locked = Outbox::open(dir, settings)?;
    let failed = |action| move |source| RepairError::Io { action, file: dir.to_owned(), source };
    let channels = match channel {
        Some(channel) => vec![channel.to_owned()],
        None => rejected::channels(dir).map_err(failed("list"))?,
    };
    let mut records = 0;
    for channel in channels {
        records += rejected::purge(dir, &channel).map_err(failed("remove dead letters from"))?;
    }
    Ok(records)
}

/// Forgets a channel's cursor, and with it what only that channel still held back.
///
/// # Errors
///
/// When a gateway has the outbox, or a file cannot be removed.
pub fn forget_channel(
    dir: &Path,
    settings: OutboxSettings,
    channel: &str,
) -> Result<(), RepairError> {
    Ok(Outbox::open(dir, settings)?.forget(channel)?)
}

/// Removes the segments that every channel has passed, and gives their bytes. A gateway does that by itself; this is for
/// an outbox that none runs on. The newest segment stays, because the numbers go on from it.
///
/// # Errors
///
/// When a gateway has the outbox.
pub fn purge_delivered(dir: &Path, settings: OutboxSettings) -> Result<u64, RepairError> {
    let bytes = || {
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let segments = files.filter(|file| file.file_name().to_string_lossy().ends_with(".log"));
        segments.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum::<u64>()
    };
    let before = bytes();
    // Opening removes them.
    let _opened = Outbox::open(dir, settings)?;
    Ok(before.saturating_sub(bytes()))
}

/// Removes the damaged segments that were set aside, and gives how many that were.
///
/// # Errors
///
/// When a gateway has the outbox, or a file cannot be removed.
pub fn purge_quarantined(dir: &Path, settings: OutboxSettings) -> Result<u64, RepairError> {
    let _locked = Outbox::open(dir, settings)?;
    let failed =
        |action, file: &Path, source| RepairError::Io { action, file: file.to_owned(), source };
    let mut files = 0;
    for entry in std::fs::read_dir(dir).map_err(|error| failed("list", dir, error))? {
        let path = entry.map_err(|error| failed("list", dir, error))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(QUARANTINE)) {
            std::fs::remove_file(&path).map_err(|error| failed("remove", &path, error))?;
            files += 1;
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::rejected::DeadLetters;
    use record::wire::RecordId;

    fn settings() -> OutboxSettings {
        OutboxSettings { min_free_bytes: 0, ..OutboxSettings::default() }
    }

    /// An outbox with three dead letters of `kafka` and a record that no channel has had.
    fn outbox(dir: &Path) {
        let outbox = Outbox::open(dir, settings()).unwrap();
        outbox.append(b"record", Class::Observe).unwrap();
        drop(outbox.reader("kafka").unwrap());
        outbox.close(DISK_TIME).unwrap();
        let mut letters = DeadLetters::new(dir, "kafka", 1 << 20);
        for seq in 101..=103 {
            let id = RecordId { store: uuid::Uuid::nil(), seq };
            letters.keep(id, format!("letter {seq}").as_bytes(), "too large").unwrap();
        }
    }

    fn records(dir: &Path) -> Vec<String> {
        let archive = crate::Archive::open(dir).unwrap();
        let mut records = Vec::new();
        archive
            .records(1..=u64::MAX, |record| {
                records.push(String::from_utf8(record.payload.to_vec()).unwrap());
                Ok::<_, crate::ArchiveError>(())
            })
            .unwrap();
        records
    }

    fn letters(dir: &Path) -> u64 {
        rejected::count(dir, "kafka").unwrap().records
    }

    #[test]
    fn dead_letters_go_back_once_they_are_durable() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        outbox(dir);
        let one = BTreeSet::from(["102".to_owned()]);
        assert_eq!(requeue(dir, settings(), "kafka", Some(&one)).unwrap(), 1);
        assert_eq!((records(dir), letters(dir)), (vec!["record".into(), "letter 102".into()], 2));
        match requeue(dir, settings(), "kafka", Some(&one)) {
            Err(RepairError::NoLetter { id, .. }) => assert_eq!(id, "102"),
            other => panic!("{other:?}"),
        }
        assert_eq!(requeue(dir, settings(), "kafka", None).unwrap(), 2);
        assert_eq!(records(dir)[2..], ["letter 101", "letter 103"]);
        assert_eq!(letters(dir), 0);
    }

    #[test]
    fn a_letter_that_is_not_taken_stays() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        outbox(dir);
        let small = OutboxSettings { record_bytes: 5, ..settings() };
        let error = requeue(dir, small, "kafka", None).unwrap_err();
        assert!(matches!(error, RepairError::Refused { source: Refused::TooLarge { .. }, .. }));
        assert_eq!((records(dir).len(), letters(dir)), (1, 3));
    }

    #[test]
    fn nothing_is_touched_while_somebody_has_the_outbox() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        outbox(dir);
        let _gateway = Outbox::open(dir, settings()).unwrap();
        let results = [
            requeue(dir, settings(), "kafka", None).map(drop),
            purge_dead_letters(dir, settings(), None).map(drop),
            forget_channel(dir, settings(), "kafka"),
            purge_delivered(dir, settings()).map(drop),
            purge_quarantined(dir, settings()).map(drop),
        ];
        for result in results {
            assert!(
                matches!(result, Err(RepairError::Open(OpenError::Locked { .. }))),
                "{result:?}"
            );
        }
        assert_eq!(letters(dir), 3);
    }

    #[test]
    fn purging_removes_what_it_says_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        outbox(dir);
        std::fs::write(dir.join("segment-0000000009.quarantine"), b"x").unwrap();
        assert_eq!(purge_dead_letters(dir, settings(), Some("other")).unwrap(), 0);
        assert_eq!(purge_dead_letters(dir, settings(), None).unwrap(), 3);
        assert_eq!(purge_quarantined(dir, settings()).unwrap(), 1);
        assert_eq!(purge_quarantined(dir, settings()).unwrap(), 0);
        assert_eq!(purge_delivered(dir, settings()).unwrap(), 0);
        forget_channel(dir, settings(), "kafka").unwrap();
        assert!(!dir.join("kafka.cursor").exists());
        assert_eq!(records(dir), ["record"]);
    }
}
