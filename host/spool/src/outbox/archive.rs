//! The outbox, read from outside: by tools, while a gateway runs or after it died.
//!
//! # Constraints
//!
//! * Nothing is written, no lock is taken, and a file that is missing is not made.
//! * The log may move meanwhile. A segment that disappears was passed by every channel; the end of the newest one may be
//!   half written. Neither is damage. Cursors and the mark are read before the segments, so that what they know of lies
//!   in what is read.
//!
//! # Operation
//!
//! [`Archive::open`] looks at heads and slots only. [`walk`] then reads one segment at a time, whole, and tells of every
//! record and of every number that none is left for; status, check and export are three ways to listen to it.

mod check;
mod status;
mod walk;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use record::wire::{self, Limits, RecordId};
use record::{DecodeError, Record};
use uuid::Uuid;

pub use self::check::{Finding, Report};
pub use self::status::{ArchiveStatus, Backlog};
use self::walk::{Found, Volume};
use super::cursor::{self, is_name};
use super::gaps::{self, Gap, Losses};
use super::recover::{LOCK_FILE, MARK_FILE};
use super::segment::{BadHeader, HEADER_BYTES, Header};
use super::shared::{QUARANTINE_SUFFIX, segment_index, segment_name};
use super::slots::Peek;
use crate::channel::rejected;

/// The outbox cannot be read from outside.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The directory is none, or has nothing of an outbox.
    #[error("read the outbox: {} is no outbox", dir.display())]
    NoOutbox {
        /// The directory.
        dir: PathBuf,
    },
    /// A newer version wrote it.
    #[error("read the outbox: {} has format {format}, this program knows format 1", file.display())]
    TooNew {
        /// The file.
        file: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The file system refused.
    #[error("read the outbox: read {}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There is no such channel.
    #[error("read the outbox: there is no channel {name:?}; there are {}", known.join(", "))]
    NoChannel {
        /// What was asked for.
        name: String,
        /// The channels that there are.
        known: Vec<String>,
    },
}

/// An outbox, as its files are now.
#[derive(Debug)]
pub struct Archive {
    dir: PathBuf,
    /// What each channel has done.
    cursors: BTreeMap<String, Peek>,
    /// What was durable when the writer rested last.
    mark: Peek,
    gaps: Vec<Gap>,
    losses: Losses,
    /// The ledger holds something that it did not write.
    ledger_is_damaged: bool,
    /// Oldest first.
    volumes: Vec<Volume>,
    /// Segments whose head cannot be read.
    headless: Vec<String>,
    /// Segments that were set aside, with their bytes.
    quarantined: Vec<(String, u64)>,
}

/// A record in an [`Archive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchivedRecord<'a> {
    /// Its name.
    pub id: RecordId,
    /// When it was written, to the second, by the device's clock.
    pub written: SystemTime,
    /// Its compact form.
    pub payload: &'a [u8],
}

impl ArchivedRecord<'_> {
    /// The messages that a channel sends, each an envelope, with at most so many rows. A channel with the same limit
    /// gives them the same ids.
    ///
    /// # Errors
    ///
    /// When it is no record.
    pub fn envelopes(&self, rows: NonZeroUsize) -> Result<Vec<Vec<u8>>, DecodeError> {
        let record = Record::decode(self.payload)?;
        let limits = Limits { rows, bytes: usize::MAX };
        let messages = wire::messages(&record, self.id, limits);
        Ok(messages.into_iter().map(|message| message.body).collect())
    }

    /// The record itself, with its id and the second in which it was written.
    ///
    /// # Errors
    ///
    /// When it is no record.
    pub fn json(&self) -> Result<serde_json::Value, DecodeError> {
        let record = Record::decode(self.payload)?;
        Ok(serde_json::json!({
            "id": format!("{}/{}", self.id.store, self.id.seq),
            "writtenAt": self.written.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            "record": record,
        }))
    }
}

impl Archive {
    /// Looks at the outbox in `dir`.
    ///
    /// # Errors
    ///
    /// When there is none, when a newer version wrote it, or when a file cannot be read.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, ArchiveError> {
        let dir = dir.as_ref();
        let no_outbox = || ArchiveError::NoOutbox { dir: dir.to_owned() };
        let mut names = Vec::new();
        let entries = match std::fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(failed(dir, error));
            }
            entries => entries.map_err(|_missing| no_outbox())?,
        };
        for entry in entries {
            let name = entry.map_err(|error| failed(dir, error))?.file_name();
            names.extend(name.into_string());
        }
        let mut indices: Vec<u64> = names.iter().filter_map(|name| segment_index(name)).collect();
        indices.sort_unstable();
        if indices.is_empty() && !names.iter().any(|name| name == LOCK_FILE) {
            return Err(no_outbox());
        }
        let mut archive = Self {
            cursors: BTreeMap::new(),
            mark: Peek::Blank,
            gaps: Vec::new(),
            losses: Losses::default(),
            ledger_is_damaged: false,
            volumes: Vec::new(),
            headless: Vec::new(),
            quarantined: Vec::new(),
            dir: dir.to_owned(),
        };
        archive.read_slots(&names)?;
        for index in indices {
            archive.read_head(index)?;
        }
        // A segment is noted before it is dropped, so the ledger knows of those that were there a moment ago.
        archive.read_ledger()?;
        for name in names.into_iter().filter(|name| name.ends_with(QUARANTINE_SUFFIX)) {
            let bytes = std::fs::metadata(dir.join(&name)).map_or(0, |file| file.len());
            archive.quarantined.push((name, bytes));
        }
        archive.quarantined.sort_unstable();
        Ok(archive)
    }

    fn read_slots(&mut self, names: &[String]) -> Result<(), ArchiveError> {
        for name in names.iter().filter_map(|name| name.strip_suffix(cursor::SUFFIX)) {
            if is_name(name)
                && let Some(bytes) = self.read(&format!("{name}{}", cursor::SUFFIX))?
            {
                self.cursors.insert(name.to_owned(), Peek::at(&bytes));
            }
        }
        if let Some(bytes) = self.read(MARK_FILE)? {
            self.mark = Peek::at(&bytes);
        }
        Ok(())
    }

    fn read_ledger(&mut self) -> Result<(), ArchiveError> {
        if let Some(bytes) = self.read(gaps::FILE)? {
            let (generation, gaps, losses) = gaps::decode_all(&bytes);
            (self.gaps, self.losses) = (gaps.into(), losses);
            self.ledger_is_damaged = generation == 0 && bytes.iter().any(|byte| *byte != 0);
        }
        Ok(())
    }

    fn read_head(&mut self, index: u64) -> Result<(), ArchiveError> {
        let name = segment_name(index);
        let path = self.dir.join(&name);
        let mut head = Vec::with_capacity(HEADER_BYTES);
        let read = std::fs::File::open(&path).and_then(|file| {
            io::Read::read_to_end(&mut io::Read::take(&file, HEADER_BYTES as u64), &mut head)?;
            Ok(file.metadata()?.len())
        });
        let bytes = match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read.map_err(|error| failed(&path, error))?,
        };
        match Header::decode(&head) {
            Ok(Header { store, base, .. }) => {
                if let Some(before) = self.volumes.last_mut() {
                    before.limit = Some(base);
                }
                self.volumes.push(Volume { path, store, base, bytes, limit: None });
            }
            Err(BadHeader::Format(format)) => {
                return Err(ArchiveError::TooNew { file: path, format });
            }
            Err(BadHeader::Damaged) => self.headless.push(name),
        }
        Ok(())
    }

    /// A small file; none when it is not there.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
        let path = self.dir.join(name);
        match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(|error| failed(&path, error)),
        }
    }

    /// The last record that a cursor or the mark knows of.
    fn known(&self) -> u64 {
        let all = self.cursors.values().chain([&self.mark]);
        all.filter_map(|peek| peek.number()).max().unwrap_or(0)
    }

    /// The channels: those with a cursor and those with dead letters.
    ///
    /// # Errors
    ///
    /// When the directory cannot be listed.
    pub fn channels(&self) -> Result<Vec<String>, ArchiveError> {
        let with_letters =
            rejected::channels(&self.dir).map_err(|error| failed(&self.dir, error))?;
        let mut names: Vec<String> = self.cursors.keys().cloned().chain(with_letters).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// The numbers of the records that a channel has not had; they may reach beyond the last one.
    ///
    /// # Errors
    ///
    /// When there is no such channel.
    pub fn waiting(&self, channel: &str) -> Result<RangeInclusive<u64>, ArchiveError> {
        match self.cursors.get(channel) {
            Some(done) => Ok(done.number().map_or(1, |done| done + 1)..=u64::MAX),
            None => Err(ArchiveError::NoChannel {
                name: channel.to_owned(),
                known: self.cursors.keys().cloned().collect(),
            }),
        }
    }

    /// Hands the records with these numbers to `take`, in order, until it fails. What is gone is stepped over.
    ///
    /// # Errors
    ///
    /// When a segment cannot be read, or with what `take` says.
    pub fn records<E: From<ArchiveError>>(
        &self,
        seqs: RangeInclusive<u64>,
        mut take: impl FnMut(ArchivedRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for volume in &self.volumes {
            let beyond = volume.limit.is_some_and(|limit| limit <= *seqs.start());
            if beyond || volume.base > *seqs.end() {
                continue;
            }
            let mut taken = Ok(());
            volume.walk(self.known(), |found| {
                if let Found::Record { seq, at_s, payload: Some(payload), .. } = found
                    && seqs.contains(&seq)
                    && taken.is_ok()
                {
                    let id = RecordId { store: volume.store, seq };
                    taken = take(ArchivedRecord { id, written: time(at_s), payload });
                }
            })?;
            taken?;
        }
        Ok(())
    }

    /// Hands the dead letters of a channel to `take`, oldest first, until it fails.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or with what `take` says.
    pub fn dead_letters(
        &self,
        channel: &str,
        take: impl FnMut(crate::DeadLetter) -> io::Result<()>,
    ) -> io::Result<()> {
        rejected::each(&self.dir, channel, take)
    }

    /// The id of the newest segment, which new records get.
    pub fn store_id(&self) -> Option<Uuid> {
        self.volumes.last().map(|newest| newest.store)
    }
}

fn time(at_s: u32) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::from(at_s))
}

fn failed(file: &Path, source: io::Error) -> ArchiveError {
    ArchiveError::Io { file: file.to_owned(), source }
}

#[cfg(test)]
mod tests;
