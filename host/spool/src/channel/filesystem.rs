//! Spool files, as the monitoring agents of the public library read them.
//!
//! Files `fs_spool.<n>` in one directory, n from 1 and growing; one message and its newline by one write call, because
//! readers take a half-written line for a record. The newest file is appended to while it has room, in later runs
//! too; a file that is full is followed by the next number. Readers remove files that they have read, so a directory
//! with as many files as allowed is waited for.
//!
//! A record is delivered when its file is synced. A half line at the end of the newest file, left by a crash, is
//! cut off before anything is appended: its record is sent again anyway.

mod variables;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use record::wire::{Limits, Message};

pub(super) use self::variables::{VARIABLES, read};
use super::{Answer, ChannelError, Parcel, Retry, Sink};

/// Most bytes of a file by default.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 30;
/// Most files by default.
pub(super) const MAX_FILES: usize = 10;
/// Most rows of a message by default.
pub(super) const ROWS_PER_MESSAGE: usize = 10_000;
/// Most bytes of a message.
const MESSAGE_BYTES: u64 = 100 << 20;
/// Wait before a failed write or a full directory is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// What the names of the files begin with.
const PREFIX: &str = "fs_spool.";

/// Where the files go.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesystemSettings {
    /// The directory; it is created when it is missing.
    pub directory: PathBuf,
    /// Most bytes of a file.
    #[serde(default = "max_file_bytes")]
    pub max_file_bytes: u64,
    /// Most files in the directory.
    #[serde(default = "max_files")]
    pub max_files: usize,
    /// Most rows of a message.
    #[serde(default = "rows_per_message")]
    pub rows_per_message: usize,
}

/// The sink.
pub(super) struct Filesystem {
    settings: FilesystemSettings,
    rows: NonZeroUsize,
    open: Option<Spool>,
    /// Records that are written and not yet synced.
    written: Vec<u64>,
    answers: Vec<(u64, Answer)>,
    /// Why a record could not be written. Those behind it are not written either, so that they keep their order.
    stuck: Option<Retry>,
}

/// The newest file.
struct Spool {
    number: u64,
    file: File,
    bytes: u64,
}

fn max_file_bytes() -> u64 {
    MAX_FILE_BYTES
}

fn max_files() -> usize {
    MAX_FILES
}

fn rows_per_message() -> usize {
    ROWS_PER_MESSAGE
}

impl FilesystemSettings {
    /// The defaults, for a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            max_file_bytes: MAX_FILE_BYTES,
            max_files: MAX_FILES,
            rows_per_message: ROWS_PER_MESSAGE,
        }
    }

    /// Names the first setting that cannot be.
    pub(super) fn check(&self) -> Result<(), ChannelError> {
        let rules = [
            ("directory", "the path of a directory", !self.directory.as_os_str().is_empty()),
            ("max_file_bytes", "at least 1", self.max_file_bytes > 0),
            ("max_files", "at least 1", self.max_files > 0),
            ("rows_per_message", "at least 1", self.rows_per_message > 0),
        ];
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((setting, must_be, _)) => Err(ChannelError::Setting { setting, must_be }),
            None => Ok(()),
        }
    }
}

impl Spool {
    /// Makes the file durable. One that somebody removed takes what was written with it, which is an error.
    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.file.metadata()?.nlink() == 0 { Err(removed()) } else { Ok(()) }
    }
}

impl Filesystem {
    pub(super) fn new(settings: FilesystemSettings) -> Result<Self, ChannelError> {
        settings.check()?;
        let rows = NonZeroUsize::new(settings.rows_per_message).unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            settings,
            rows,
            open: None,
            written: Vec::new(),
            answers: Vec::new(),
            stuck: None,
        })
    }

    /// Writes all messages of a record, each as a line.
    fn write(&mut self, messages: &[Message]) -> Result<(), Answer> {
        let max = self.settings.max_file_bytes;
        if let Some(large) = messages.iter().find(|message| message.body.len() as u64 + 1 > max) {
            let bytes = large.body.len() + 1;
            let why = format!("a message of {bytes} bytes does not fit in a file of {max}");
            return Err(Answer::Rejected { why });
        }
        for message in messages {
            let mut line = Vec::with_capacity(message.body.len() + 1);
            line.extend_from_slice(&message.body);
            line.push(b'\n');
            self.write_line(&line)?;
        }
        Ok(())
    }

    fn write_line(&mut self, line: &[u8]) -> Result<(), Answer> {
        let full = |spool: &Spool| spool.bytes + line.len() as u64 > self.settings.max_file_bytes;
        if self.open.as_ref().is_none_or(full) {
            self.rotate()?;
        }
        let Some(spool) = &mut self.open else { return Ok(()) };
        if let Err(error) = spool.file.write_all(line) {
            // Part of the line may be there; the next attempt opens the file anew and cuts it off.
            self.open = None;
            return Err(Answer::Retry(failed("write a spool file", &error)));
        }
        spool.bytes += line.len() as u64;
        Ok(())
    }

    /// Closes the newest file durably and begins the next.
    fn rotate(&mut self) -> Result<(), Answer> {
        let directory = &self.settings.directory;
        let numbers = numbers(directory)
            .map_err(|error| Answer::Retry(failed("list the spool directory", &error)))?;
        if numbers.len() >= self.settings.max_files {
            let why =
                format!("the spool directory has {} files, as many as allowed", numbers.len());
            return Err(Answer::Retry(Retry { after: RETRY, why, paused: true }));
        }
        let last = self.open.take();
        let number = last.as_ref().map(|spool| spool.number).max(numbers.into_iter().max());
        let number = number.unwrap_or(0) + 1;
        let begin = || {
            last.map_or(Ok(()), |spool| spool.file.sync_data())?;
            let path = directory.join(format!("{PREFIX}{number}"));
            let file = OpenOptions::new().append(true).create_new(true).open(path)?;
            File::open(directory)?.sync_all()?;
            Ok(Spool { number, file, bytes: 0 })
        };
        let spool = begin().map_err(|error| Answer::Retry(failed("begin a spool file", &error)))?;
        self.open = Some(spool);
        Ok(())
    }

    /// Everything that is written and not synced is to be sent again.
    fn return_written(&mut self, retry: &Retry) {
        let returned = self.written.drain(..).map(|seq| (seq, Answer::Retry(retry.clone())));
        self.answers.extend(returned);
    }
}

impl Sink for Filesystem {
    fn limits(&self) -> Limits {
        let bytes = self.settings.max_file_bytes.min(MESSAGE_BYTES) - 1;
        Limits { rows: self.rows, bytes: usize::try_from(bytes).unwrap_or(usize::MAX) }
    }

    fn ready(&mut self) -> Result<(), Retry> {
        let directory = &self.settings.directory;
        let open = || {
            DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
            let newest = numbers(directory)?.into_iter().max();
            newest.map(|number| reopen(directory, number)).transpose()
        };
        self.open = open().map_err(|error| Retry {
            paused: true,
            ..failed("open the spool directory", &error)
        })?;
        Ok(())
    }

    fn send(&mut self, parcel: &Parcel<'_>) {
        let seq = parcel.id.seq;
        if let Some(retry) = &self.stuck {
            return self.answers.push((seq, Answer::Retry(retry.clone())));
        }
        match self.write(parcel.messages) {
            Ok(()) => self.written.push(seq),
            Err(Answer::Retry(retry)) => {
                if self.open.is_none() {
                    self.return_written(&retry);
                }
                self.stuck = Some(retry.clone());
                self.answers.push((seq, Answer::Retry(retry)));
            }
            Err(answer) => self.answers.push((seq, answer)),
        }
    }

    fn answers(&mut self, _wait: Duration, out: &mut Vec<(u64, Answer)>) {
        if !self.written.is_empty() {
            match self.open.as_ref().map_or_else(|| Err(removed()), Spool::sync) {
                Ok(()) => {
                    self.answers.extend(self.written.drain(..).map(|seq| (seq, Answer::Delivered)));
                }
                Err(error) => {
                    self.open = None;
                    self.return_written(&failed("sync a spool file", &error));
                }
            }
        }
        out.append(&mut self.answers);
    }

    fn forget(&mut self) {
        self.open = None;
        self.written.clear();
        self.answers.clear();
        self.stuck = None;
    }
}

/// The numbers of the files that are there.
fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        numbers.extend(number);
    }
    Ok(numbers)
}

/// Opens the newest file and sees to it that it ends with a whole line.
fn reopen(directory: &Path, number: u64) -> io::Result<Spool> {
    let path = directory.join(format!("{PREFIX}{number}"));
    let mut file = OpenOptions::new().read(true).append(true).open(&path)?;
    let mut bytes = file.metadata()?.len();
    let tail = last_line(&mut file, bytes)?;
    if !tail.is_empty() {
        if serde_json::from_slice::<serde::de::IgnoredAny>(&tail).is_ok() {
            // Another writer ends its file without a newline.
            file.write_all(b"\n")?;
            bytes += 1;
        } else {
            bytes -= tail.len() as u64;
            tracing::warn!(file = %path.display(), bytes = tail.len(), "Half line cut off");
            file.set_len(bytes)?;
        }
        file.sync_data()?;
    }
    Ok(Spool { number, file, bytes })
}

/// What follows the last newline of a file of `bytes` bytes.
fn last_line(file: &mut File, bytes: u64) -> io::Result<Vec<u8>> {
    const BLOCK: u64 = 64 << 10;
    let mut from = bytes;
    loop {
        from = from.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(from))?;
        let mut block = vec![0; BLOCK.min(bytes - from) as usize];
        file.read_exact(&mut block)?;
        let newline = block.iter().rposition(|&byte| byte == b'\n');
        if newline.is_none() && from > 0 {
            continue;
        }
        let start = from + newline.map_or(0, |at| at as u64 + 1);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.take(bytes - start).read_to_end(&mut tail)?;
        return Ok(tail);
    }
}

fn removed() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "somebody removed it")
}

fn failed(action: &str, error: &io::Error) -> Retry {
    Retry { after: RETRY, why: format!("{action}: {error}"), paused: false }
}

#[cfg(test)]
mod tests;
