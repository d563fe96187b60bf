//! Spool files, read and cleared away as the library's own agents do it.
//!
//! The directory holds files `fs_spool.<n>`, which a writer appends to: the newest grows, the others are finished.
//! Beside them lie our lock file ([`lock`]) and the position ([`position`]). Each file is read from its beginning
//! ([`file`]); when another follows it and everything in it was acknowledged, the position moves to that other one,
//! and only then is the file removed. The last file stays.
//!
//! Files are read by the time of their last change, then by number, as the library's readers do; but the one with the
//! highest number comes last whatever its time says, because a writer may have it open.
//!
//! | what may happen | then |
//! |---|---|
//! | a half line or frame at the end of the newest file | it is waited for |
//! | a position that names no file, or a place where no message begins | that file is read from its beginning |
//! | files before the one that the position names, left by a crash | they are read again; that one goes on where it stood |
//! | damage between frames | given out as a message that cannot be read, see [`file`] |
//! | a message larger than `max_message_bytes` | an error for an operator; nothing is skipped |
//! | a file that somebody removes while it is read | it is read to its end, and the next one begins |

mod file;
mod lock;
mod position;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use self::file::{Next, SpoolFile};
use self::lock::{Lock, LockError};
use self::position::Position;
use super::ledger::Ledger;
use super::{RECEIVE_BYTES, Received, Source, SourceError, Token};

/// Most bytes of a message by default; more than any writer of the library makes.
const MAX_MESSAGE_BYTES: usize = 128 << 20;
/// How often the directory is looked at while there is nothing to read.
const LOOK: Duration = Duration::from_millis(50);
/// Wait before a failed read is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Wait before a fault is looked at again that only an operator can mend.
const RETRY_OPERATOR: Duration = Duration::from_secs(60);
/// What the names of the files begin with.
const PREFIX: &str = "fs_spool.";
const NAME: &str = "filesystem";

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesystemSourceSettings {
    /// The directory. It must exist.
    pub directory: PathBuf,
    /// Most bytes of a message.
    #[serde(default = "max_message_bytes")]
    pub max_message_bytes: usize,
}

/// A directory of spool files, being read.
#[derive(Debug)]
pub struct FilesystemSource {
    settings: FilesystemSourceSettings,
    _lock: Lock,
    /// Places are the file's turn and where the message ends in it.
    ledger: Ledger<(u64, u64)>,
    /// The files that are read or were read and are not done with, in the order of reading.
    files: VecDeque<Known>,
    /// Which of them is being read; behind the last one when the next is to be found.
    at: usize,
    reading: Option<SpoolFile>,
    /// Where the last run stopped.
    resume: Option<Position>,
    /// The position is not written down yet.
    moved: bool,
    next_turn: u64,
    next_token: u64,
}

/// A file that was found.
#[derive(Clone, Debug)]
struct Known {
    file: Found,
    turn: u64,
    /// Up to where all is done with.
    from: u64,
    /// It was read to its end, and another follows.
    finished: bool,
}

/// A file of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    name: String,
    number: u64,
    changed: SystemTime,
    identity: (u64, u64),
}

fn max_message_bytes() -> usize {
    MAX_MESSAGE_BYTES
}

impl FilesystemSourceSettings {
    /// The defaults, for a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), max_message_bytes: MAX_MESSAGE_BYTES }
    }

    fn check(&self) -> Result<(), SourceError> {
        if self.directory.as_os_str().is_empty() {
            return Err(SourceError::setting(NAME, "directory", "the path of a directory"));
        }
        if self.max_message_bytes == 0 {
            return Err(SourceError::setting(NAME, "max_message_bytes", "at least 1"));
        }
        Ok(())
    }
}

impl FilesystemSource {
    /// Begins to read a directory, where the last run stopped.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, the directory is not there, or another agent reads it.
    pub fn open(settings: FilesystemSourceSettings) -> Result<Self, SourceError> {
        const ACTION: &str = "start to read from";
        settings.check()?;
        let lock = Lock::take(&settings.directory).map_err(|error| {
            let operator = !matches!(&error, LockError::Io(error) if !is_for_operator(error));
            failed(ACTION, format!("{}: {error}", settings.directory.display()), operator)
        })?;
        let resume = Position::load(&settings.directory);
        let resume = resume.map_err(|error| io_failed(ACTION, "load the position", &error))?;
        Ok(Self {
            settings,
            _lock: lock,
            ledger: Ledger::default(),
            files: VecDeque::new(),
            at: 0,
            reading: None,
            resume,
            moved: false,
            next_turn: 0,
            next_token: 0,
        })
    }

    /// The next message that is to be given out, if there is one now.
    fn next(&mut self) -> Result<Option<Received>, SourceError> {
        let io = |error: io::Error| io_failed("read from", "read a spool file", &error);
        loop {
            if self.at == self.files.len() {
                if !self.find_next().map_err(io)? {
                    return Ok(None);
                }
                self.write_down()?;
            }
            let Some(mut spool) = self.take_file().map_err(io)? else { continue };
            let next = self.look(&mut spool);
            self.reading = Some(spool);
            match next.map_err(io)? {
                Next::Message { form, body, end } => {
                    let token = Token(self.next_token);
                    self.next_token += 1;
                    if self.ledger.note(token, (self.files[self.at].turn, end)) {
                        return Ok(Some(Received { token, form, body }));
                    }
                }
                Next::Wait => return Ok(None),
                Next::End => {
                    self.files[self.at].finished = true;
                    self.at += 1;
                    self.reading = None;
                }
                Next::Cut => {
                    let name = &self.files[self.at].file.name;
                    tracing::warn!(file = name, "Spool file was cut; it is read again");
                    self.files[self.at].from = 0;
                    self.files[self.at].turn = self.turn();
                    self.start_over();
                }
                Next::TooLarge { at } => {
                    let name = &self.files[self.at].file.name;
                    let max = self.settings.max_message_bytes;
                    let why = format!(
                        "{name} has a message of more than max_message_bytes ({max}) at byte {at}; \
                         raise max_message_bytes"
                    );
                    return Err(failed("read from", why, true));
                }
            }
        }
    }

    fn turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn
    }

    /// What comes next in a file. It is finished when the writer has gone on to another.
    fn look(&self, spool: &mut SpoolFile) -> io::Result<Next> {
        let max = self.settings.max_message_bytes;
        let next = spool.next(max, false)?;
        if next != Next::Wait {
            return Ok(next);
        }
        let known = self.at + 1 < self.files.len();
        let finished = known || spool.is_removed()? || {
            let number = self.files[self.at].file.number;
            self.unknown()?.iter().any(|found| found.number > number)
        };
        if finished { spool.next(max, true) } else { Ok(Next::Wait) }
    }

    /// Finds the file that is to be read next. False when there is none.
    fn find_next(&mut self) -> io::Result<bool> {
        let Some(file) = self.unknown()?.into_iter().next() else { return Ok(false) };
        let from = self.resume.take_if(|resume| resume.file_name == file.name);
        let from = from.map_or(0, |resume| resume.offset);
        let turn = self.turn();
        self.files.push_back(Known { file, turn, from, finished: false });
        Ok(true)
    }

    /// The file that is to be read now, open. None when it is there no more.
    fn take_file(&mut self) -> io::Result<Option<SpoolFile>> {
        if let Some(spool) = self.reading.take() {
            return Ok(Some(spool));
        }
        let turn = self.turn();
        let known = &mut self.files[self.at];
        let file = match File::open(self.settings.directory.join(&known.file.name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.files.remove(self.at);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut spool = SpoolFile::new(file, known.from);
        let identity = spool.identity()?;
        if identity != known.file.identity {
            // Somebody put another in its place.
            (known.file.identity, known.turn, known.from) = (identity, turn, 0);
        }
        if !spool.may_begin_at(known.from)? {
            tracing::warn!(
                file = known.file.name,
                offset = known.from,
                "Position is not where a message begins; the file is read from its beginning"
            );
            known.from = 0;
        }
        spool.go_to(known.from);
        Ok(Some(spool))
    }

    /// The files that were not found before, in the order in which they are to be read.
    fn unknown(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.settings.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let number = name.strip_prefix(PREFIX).and_then(|number| number.parse().ok());
            let Some(number) = number else { continue };
            let data = match entry.metadata() {
                Ok(data) => data,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let identity = (data.dev(), data.ino());
            let is = |known: &Known| known.file.identity == identity && known.file.name == name;
            if data.is_file() && !self.files.iter().any(is) {
                // Without times the numbers alone decide.
                let changed = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push(Found { name: name.to_owned(), number, changed, identity });
            }
        }
        let newest = found.iter().map(|file| file.number).max();
        found.sort_by_key(|file| (Some(file.number) == newest, file.changed, file.number));
        Ok(found)
    }

    /// Writes the position down, and removes the files that are done with.
    fn write_down(&mut self) -> Result<(), SourceError> {
        let io = |what| move |error: io::Error| io_failed("acknowledge to", what, &error);
        let open = self.ledger.first().map(|(turn, _)| turn);
        let done = |known: &&Known| known.finished && Some(known.turn) != open;
        let done = self.files.iter().take(self.at).take_while(done).count();
        // The position goes on to another file before this one is removed, so another must be known.
        let done = done.min(self.files.len().saturating_sub(1));
        if let Some(known) = self.files.get(done).filter(|_| done > 0 || self.moved) {
            let position = Position { file_name: known.file.name.clone(), offset: known.from };
            position.store(&self.settings.directory).map_err(io("write the position"))?;
            self.moved = false;
        }
        for _ in 0..done {
            let Some(known) = self.files.front() else { break };
            self.remove(&known.file).map_err(io("remove a spool file"))?;
            self.files.pop_front();
            self.at -= 1;
        }
        Ok(())
    }

    /// Removes a file, unless another has its name by now.
    fn remove(&self, file: &Found) -> io::Result<()> {
        let path = self.settings.directory.join(&file.name);
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _other => Err(error),
        };
        match fs::symlink_metadata(&path) {
            Ok(data) if (data.dev(), data.ino()) == file.identity => {
                fs::remove_file(&path).or_else(gone)
            }
            Ok(_another) => Ok(()),
            Err(error) => gone(error),
        }
    }

    /// Reads everything again that is not done with.
    fn start_over(&mut self) {
        self.ledger.rewind();
        self.reading = None;
        self.at = 0;
        for known in &mut self.files {
            known.finished = false;
        }
    }
}

impl Source for FilesystemSource {
    fn name(&self) -> &'static str {
        NAME
    }

    fn receive(&mut self, messages: usize, wait: Duration) -> Result<Vec<Received>, SourceError> {
        let until = Instant::now() + wait;
        let mut received = Vec::new();
        let mut bytes = 0;
        while received.len() < messages && bytes < RECEIVE_BYTES {
            match self.next() {
                Ok(Some(message)) => {
                    bytes += message.body.len();
                    received.push(message);
                }
                Ok(None) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if !received.is_empty() || left.is_zero() {
                        break;
                    }
                    std::thread::sleep(LOOK.min(left));
                }
                // What was read before is given out; the error comes again.
                Err(_) if !received.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(received)
    }

    fn acknowledge(&mut self, tokens: &[Token]) -> Result<(), SourceError> {
        for token in tokens {
            self.ledger.settle(*token);
        }
        if let Some((turn, end)) = self.ledger.advance()
            && let Some(known) = self.files.iter_mut().find(|known| known.turn == turn)
        {
            known.from = end;
            self.moved = true;
        }
        self.write_down()
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.start_over();
        Ok(())
    }
}

fn is_for_operator(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), NotFound | PermissionDenied | NotADirectory | ReadOnlyFilesystem)
}

fn io_failed(action: &'static str, what: &str, error: &io::Error) -> SourceError {
    failed(action, format!("{what}: {error}"), is_for_operator(error))
}

fn failed(action: &'static str, reason: String, needs_operator: bool) -> SourceError {
    let retry_after = if needs_operator { RETRY_OPERATOR } else { RETRY };
    SourceError { action, source_name: NAME, reason, retry_after, needs_operator }
}

#[cfg(test)]
mod tests;
