//! Dead letters: records that no server will ever take, with the reason, so that nothing is lost unseen.
//!
//! They lie in `rejected.jsonl` in the state directory, a JSON object a line: `at`, `channel`, `why`, and either `call`
//! and `entry`, the record as the server was given it, or `message`, the text as it was read (`hex` when it is no text). A line is on
//! the disk before its record is acknowledged. The file has a bound; when it is reached nothing is dropped: the record
//! stays where it is and is tried again, until somebody makes room. A half line that a crash left is ended.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde_json::{Value, json};

/// The file's name.
const NAME: &str = "rejected.jsonl";
/// Most characters of a reason.
const WHY_CHARS: usize = 1000;

/// The store.
#[derive(Debug)]
pub(crate) struct Letters {
    path: PathBuf,
    most: u64,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    kept: u64,
}

/// What could not be used.
#[derive(Debug)]
pub(crate) enum Letter<'a> {
    /// What the server refused: the call's path and the entry.
    Entry { call: &'a str, entry: &'a [u8] },
    /// What could not be read.
    Message { channel: &'a str, bytes: &'a [u8] },
}

impl Letters {
    pub(crate) fn new(directory: &Path, most: u64) -> Self {
        Self { path: directory.join(NAME), most, open: Mutex::new(None) }
    }

    /// Keeps what could not be used; it is durable when this returns `Ok`.
    pub(crate) fn keep(&self, letters: &[(Letter<'_>, String)]) -> Result<(), String> {
        let kept = self.append(letters);
        kept.map_err(|error| {
            *self.open.lock() = None;
            format!("keep a dead letter in {}: {error}", self.path.display())
        })
    }

    /// How many were kept since the start.
    pub(crate) fn kept(&self) -> u64 {
        self.open.lock().as_ref().map_or(0, |open| open.kept)
    }

    fn append(&self, letters: &[(Letter<'_>, String)]) -> io::Result<()> {
        let mut lines = Vec::new();
        for (letter, why) in letters {
            serde_json::to_writer(&mut lines, &line(letter, why))?;
            lines.push(b'\n');
        }
        let mut open = self.open.lock();
        if open.is_none() {
            let mut options = OpenOptions::new();
            let file = options.read(true).append(true).create(true).mode(0o600).open(&self.path)?;
            let bytes = file.metadata()?.len();
            *open = Some(Open { file, bytes, kept: 0 });
            if bytes > 0 && !ends_a_line(&self.path)? {
                lines.insert(0, b'\n');
            }
        }
        let Some(open) = open.as_mut() else { return Err(io::Error::other("it is not open")) };
        // Somebody may have made room.
        open.bytes = open.file.metadata()?.len();
        if open.bytes + lines.len() as u64 > self.most {
            return Err(io::Error::other(format!(
                "it has reached deadLetterBytes ({}); look at it, then move it away",
                self.most
            )));
        }
        open.file.write_all(&lines)?;
        open.file.sync_data()?;
        open.kept += letters.len() as u64;
        Ok(())
    }
}

fn line(letter: &Letter<'_>, why: &str) -> Value {
    let at = jiff::Timestamp::now().to_string();
    let why: String = why.chars().take(WHY_CHARS).collect();
    match letter {
        Letter::Entry { call, entry } => {
            let entry: Value = serde_json::from_slice(entry).unwrap_or_default();
            json!({"at": at, "why": why, "call": call, "entry": entry})
        }
        Letter::Message { channel, bytes } => match std::str::from_utf8(bytes) {
            Ok(text) => json!({"at": at, "why": why, "channel": channel, "message": text}),
            Err(_) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                json!({"at": at, "why": why, "channel": channel, "hex": hex})
            }
        },
    }
}

fn ends_a_line(path: &Path) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_what_and_why_and_a_torn_line_spoils_no_other() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(NAME), "{\"at\":\"half").unwrap();
        let letters = Letters::new(dir.path(), 1 << 20);
        let entry = Letter::Entry { call: "deployments/d/x", entry: br#"{"a":1}"# };
        let message = Letter::Message { channel: "c", bytes: b"no json" };
        let binary = Letter::Message { channel: "c", bytes: &[0xff, 1] };
        letters
            .keep(&[(entry, "422".into()), (message, "w".into()), (binary, "w".into())])
            .unwrap();
        let text = std::fs::read_to_string(dir.path().join(NAME)).unwrap();
        let lines: Vec<Value> =
            text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["entry"], json!({"a": 1}));
        assert_eq!(lines[0]["why"], "422");
        assert_eq!(lines[1]["message"], "no json");
        assert_eq!(lines[2]["hex"], "ff01");
        assert_eq!(letters.kept(), 3);
    }

    #[test]
    fn a_full_store_drops_nothing_and_takes_again_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let letters = Letters::new(dir.path(), 300);
        let letter = || [(Letter::Message { channel: "c", bytes: &[b'x'; 100] }, "w".to_owned())];
        letters.keep(&letter()).unwrap();
        let error = letters.keep(&letter()).unwrap_err();
        assert!(error.contains("deadLetterBytes"), "{error}");
        std::fs::write(dir.path().join(NAME), "").unwrap();
        letters.keep(&letter()).unwrap();
    }
}
