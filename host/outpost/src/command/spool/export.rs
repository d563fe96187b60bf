//! Records as lines of JSON: what a channel would send, or the record itself.

use super::{fault, open};
use crate::cli::SpoolExport;
use crate::error::{CliError, EXIT_DATA};
use crate::files;
use serde_json::json;
use spool::{Archive, ArchiveError, ArchivedRecord, DeadLetter};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

pub(super) fn run(args: &SpoolExport) -> Result<ExitCode, CliError> {
    let archive = open(&args.outbox)?;
    let unreadable = match &args.output {
        Some(path) => files::write_with(path, |file| {
            let mut lines = Lines::new(args, file);
            lines.all(&archive).map_err(|stop| stop.fault(path))?;
            Ok(lines.unreadable)
        })?,
        None => {
            let mut output = BufWriter::new(io::stdout().lock());
            let mut lines = Lines::new(args, &mut output);
            let written = lines.all(&archive);
            let unreadable = lines.unreadable;
            match written.and_then(|()| output.flush().map_err(Stop::Write)) {
                // A reader that closes the pipe early (`| head`) has seen what it wanted.
                Err(Stop::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
                written => {
                    written.map_err(|stop| stop.fault(&PathBuf::from("standard output")))?;
                    unreadable
                }
            }
        }
    };
    if unreadable == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("outpost: {unreadable} records cannot be read by this program and are left out");
    Ok(ExitCode::from(EXIT_DATA))
}

/// What ended an export.
enum Stop {
    Archive(ArchiveError),
    Write(io::Error),
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl Stop {
    fn fault(self, output: &std::path::Path) -> CliError {
        match self {
            Self::Archive(error) => fault(error),
            Self::Write(source) => {
                CliError::File { action: "write", path: output.to_owned(), source }
            }
        }
    }
}

/// An export on its way.
struct Lines<'a> {
    args: &'a SpoolExport,
    output: &'a mut dyn Write,
    unreadable: u64,
}

impl<'a> Lines<'a> {
    fn new(args: &'a SpoolExport, output: &'a mut dyn Write) -> Self {
        Self { args, output, unreadable: 0 }
    }

    fn all(&mut self, archive: &Archive) -> Result<(), Stop> {
        if self.args.dead_letters {
            let channels = match &self.args.channel {
                Some(channel) => vec![channel.clone()],
                None => archive.channels()?,
            };
            for channel in channels {
                let write = |letter| self.letter(&letter);
                archive.dead_letters(&channel, write).map_err(Stop::Write)?;
            }
            return Ok(());
        }
        let seqs = match &self.args.channel {
            Some(channel) => archive.waiting(channel)?,
            None => self.args.from.unwrap_or(1)..=self.args.to.unwrap_or(u64::MAX),
        };
        archive.records(seqs, |record| self.record(&record).map_err(Stop::Write))
    }

    fn letter(&mut self, letter: &DeadLetter) -> io::Result<()> {
        let Some(record) = letter.archived() else {
            self.unreadable += 1;
            return Ok(());
        };
        if !self.args.raw {
            return self.record(&record);
        }
        // What no channel takes may be what cannot be read.
        let content = record.json().ok().map(|mut json| json["record"].take());
        let at = letter.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        self.line(&serde_json::to_vec(&json!({
            "id": letter.id,
            "atMs": at,
            "channel": letter.channel,
            "why": letter.why,
            "record": content,
        }))?)
    }

    fn record(&mut self, record: &ArchivedRecord<'_>) -> io::Result<()> {
        let lines = if self.args.raw {
            record.json().map(|json| vec![json.to_string().into_bytes()])
        } else {
            record.envelopes(self.args.rows_per_message)
        };
        match lines {
            Ok(lines) => lines.iter().try_for_each(|line| self.line(line)),
            Err(_no_record) => {
                self.unreadable += 1;
                Ok(())
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.output.write_all(line)?;
        self.output.write_all(b"\n")
    }
}
