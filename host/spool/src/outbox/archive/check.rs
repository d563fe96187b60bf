//! Whether every record is what was written.

use super::super::gaps::{Gap, GapReason};
use super::super::recover::MARK_FILE;
use super::super::slots::Peek;
use super::super::{cursor, gaps};
use super::walk::Found;
use super::{Archive, ArchiveError, failed};
use crate::channel::rejected;

/// What [`Archive::check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments that were read.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that are whole.
    pub records: u64,
    /// Bytes behind the last whole record: a batch that is being written, or was when the power went. No damage.
    pub torn_bytes: u64,
    /// Losses that the outbox knows of and has counted. No news.
    pub gaps: Vec<Gap>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// What it costs, and what happens with it when the outbox is opened.
    pub then: &'static str,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Archive {
    /// Reads everything and compares checksums and numbers. `progress` is told how many bytes of how many were read.
    ///
    /// # Errors
    ///
    /// When a file cannot be read. Damage is no error; it is what the report is about.
    pub fn check(&self, mut progress: impl FnMut(u64, u64)) -> Result<Report, ArchiveError> {
        let total = self.volumes.iter().map(|volume| volume.bytes).sum();
        let mut report = Report { gaps: self.gaps.clone(), ..Report::default() };
        for name in &self.headless {
            report.find(name, "its head is damaged".to_owned(), "it is set aside, a gap follows");
        }
        let known = self.known();
        let mut next = known + 1;
        for volume in &self.volumes {
            let name = volume.path.file_name().unwrap_or_default().to_string_lossy();
            let mut gaps = Vec::new();
            let ended = volume.walk(known, |found| match found {
                Found::Record { .. } => report.records += 1,
                Found::Gap { first, last, why, offset } => gaps.push((first, last, why, offset)),
            })?;
            for (first, last, why, offset) in gaps {
                let numbers = numbers(first, last);
                match why {
                    GapReason::Damaged => report.find(
                        &name,
                        format!("{numbers} at byte {offset}: damaged"),
                        "the rest is delivered, the segment is set aside, a gap follows",
                    ),
                    _ if self.is_noted(first, last) => {}
                    _ => report.find(&name, format!("{numbers} are missing behind it"), GAP),
                }
            }
            report.segments += 1;
            report.bytes += volume.bytes;
            report.torn_bytes += ended.torn_bytes;
            next = ended.next;
            progress(report.bytes, total);
        }
        self.check_slots(&mut report, next)?;
        Ok(report)
    }

    /// The cursors and the mark against the log, whose next number is `next`.
    fn check_slots(&self, report: &mut Report, next: u64) -> Result<(), ArchiveError> {
        let oldest = self.volumes.first().map_or(next, |volume| volume.base);
        for (channel, done) in &self.cursors {
            let file = format!("{channel}{}", cursor::SUFFIX);
            match *done {
                Peek::Damaged => report.find(
                    &file,
                    "it is damaged".to_owned(),
                    "the channel sends everything that is kept again; nothing is lost",
                ),
                Peek::Number(done) if done >= next => report.find(
                    &file,
                    format!("it is at {done}, the last record is {}", next - 1),
                    "the numbers up to there become a gap",
                ),
                Peek::Number(done) if done + 1 < oldest && !self.is_noted(done + 1, oldest - 1) => {
                    let numbers = numbers(done + 1, oldest - 1);
                    report.find(&file, format!("{numbers}, which come next, are missing"), GAP);
                }
                _ => {}
            }
        }
        if self.mark == Peek::Damaged {
            let then = "a damaged end of the log may be taken for one that was never durable";
            report.find(MARK_FILE, "it is damaged".to_owned(), then);
        }
        if self.ledger_is_damaged {
            report.find(gaps::FILE, "it is damaged".to_owned(), "losses are counted from 0 again");
        }
        for channel in self.channels()? {
            let count = rejected::count(&self.dir, &channel);
            let unreadable = count.map_err(|error| failed(&self.dir, error))?.unreadable;
            if unreadable > 0 {
                let file = format!("rejected-{channel}.jsonl");
                report.find(&file, format!("{unreadable} lines cannot be read"), "nothing");
            }
        }
        Ok(())
    }

    /// Whether the ledger knows of all these losses.
    fn is_noted(&self, first: u64, last: u64) -> bool {
        let mut next = first;
        while let Some(gap) = self.gaps.iter().find(|gap| (gap.first..=gap.last).contains(&next)) {
            if gap.last >= last {
                return true;
            }
            next = gap.last + 1;
        }
        false
    }
}

const GAP: &str = "a gap follows";

impl Report {
    fn find(&mut self, file: &str, what: String, then: &'static str) {
        self.findings.push(Finding { file: file.to_owned(), what, then });
    }
}

fn numbers(first: u64, last: u64) -> String {
    if first == last { format!("record {first}") } else { format!("records {first} to {last}") }
}
