//! Where records go that the other side will never take: `rejected-<channel>.jsonl` in the outbox's directory.
//!
//! One JSON object a line: `id` (store/number), `why`, and `record`, the compact form in hexadecimal, so that nothing
//! of the record is lost. A full file becomes `.1`, and what that held before is dropped.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use record::wire::RecordId;

/// Most bytes of the file.
const MAX_BYTES: u64 = 64 << 20;

pub(super) struct Rejected {
    path: PathBuf,
    max_bytes: u64,
}

#[derive(serde::Serialize)]
struct Line<'a> {
    id: String,
    why: &'a str,
    record: String,
}

impl Rejected {
    pub(super) fn new(dir: &Path, channel: &str) -> Self {
        Self { path: dir.join(format!("rejected-{channel}.jsonl")), max_bytes: MAX_BYTES }
    }

    /// Durable when this returns `Ok`.
    pub(super) fn keep(&self, id: RecordId, payload: &[u8], why: &str) -> io::Result<()> {
        let record = payload.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = Line { id: format!("{}/{}", id.store, id.seq), why, record };
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        let size = fs::metadata(&self.path).map_or(0, |file| file.len());
        if size > 0 && size + line.len() as u64 > self.max_bytes {
            fs::rename(&self.path, self.path.with_extension("jsonl.1"))?;
        }
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        file.write_all(&line)?;
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_and_the_file_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let mut rejected = Rejected::new(dir.path(), "kafka");
        let id = RecordId { store: uuid::Uuid::nil(), seq: 3 };
        rejected.keep(id, &[1, 0xff], "too \"large\"").unwrap();
        let path = dir.path().join("rejected-kafka.jsonl");
        let line = fs::read_to_string(&path).unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["id"], "00000000-0000-0000-0000-000000000000/3");
        assert_eq!(value["why"], "too \"large\"");
        assert_eq!(value["record"], "01ff");
        rejected.max_bytes = 2 * line.len() as u64;
        rejected.keep(id, &[1, 0xff], "too \"large\"").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        rejected.keep(id, &[2], "again").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        assert!(path.with_extension("jsonl.1").exists());
    }
}
