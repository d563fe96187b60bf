//! Standard output: one message a line, for whoever stands behind the pipe.
//!
//! What the process has to say about itself goes to standard error, so that standard output is data and nothing else.
//! A record is delivered when the operating system has taken its lines; what the other end of the pipe does with them
//! is not known here, and there is no position to go back to. Put something behind it that keeps what it reads.
//!
//! A reader that is slow is waited for, by a thread of its own, so that the channel can be stopped meanwhile. A pipe
//! that is closed is tried again: nothing is lost, the records wait. A line that could be written only in part is
//! followed by a line break and written again.

mod variables;

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::os::fd::AsFd as _;
use std::time::Duration;

use record::wire::Limits;

pub(super) use self::variables::{VARIABLES, read};
use super::worker::Worker;
use super::{Answer, ChannelError, Parcel, Retry, Sink};

/// Most rows of a message by default.
const ROWS_PER_MESSAGE: usize = 10_000;
/// Most bytes of a message by default.
const MESSAGE_BYTES: usize = 1 << 20;
/// Wait before a failed write is tried again, by default.
const RETRY_MS: u64 = 1000;

/// How records are written to standard output.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StdoutSettings {
    /// Most rows of a message.
    pub rows_per_message: usize,
    /// Most bytes of a message; one that holds a single row may be larger.
    pub message_bytes: usize,
    /// Wait before a failed write is tried again.
    pub retry_ms: u64,
}

/// Lines that are written together.
struct Lines {
    /// Which attempt they belong to.
    attempt: u64,
    bytes: Vec<u8>,
    seqs: Vec<u64>,
}

/// What became of them.
struct Written {
    attempt: u64,
    seqs: Vec<u64>,
    result: io::Result<()>,
}

/// The sink.
pub(super) struct Stdout {
    settings: StdoutSettings,
    worker: Worker<Lines, Written>,
    /// Lines that wait for the thread.
    bytes: Vec<u8>,
    seqs: Vec<u64>,
    /// Counts the times that everything was forgotten; results from before are not ours any more.
    attempt: u64,
}

impl Default for StdoutSettings {
    fn default() -> Self {
        Self {
            rows_per_message: ROWS_PER_MESSAGE,
            message_bytes: MESSAGE_BYTES,
            retry_ms: RETRY_MS,
        }
    }
}

impl StdoutSettings {
    pub(super) fn check(&self) -> Result<(), ChannelError> {
        let wrong = |setting| Err(ChannelError::Setting { setting, must_be: "at least 1" });
        if self.rows_per_message == 0 {
            return wrong("rows_per_message");
        }
        if self.message_bytes == 0 {
            return wrong("message_bytes");
        }
        Ok(())
    }
}

impl Stdout {
    pub(super) fn new(settings: StdoutSettings) -> Result<Self, ChannelError> {
        // Not by the library's own handle: it keeps back what a failed write left, and would write that later.
        let out = io::stdout().as_fd().try_clone_to_owned().map_err(ChannelError::Stdout)?;
        Self::onto(File::from(out), settings)
    }

    fn onto(
        out: impl Write + Send + 'static,
        settings: StdoutSettings,
    ) -> Result<Self, ChannelError> {
        settings.check()?;
        let mut out = LineWriter { out, torn: false };
        let write = move |lines: Lines| Written {
            attempt: lines.attempt,
            seqs: lines.seqs,
            result: out.write(&lines.bytes),
        };
        let worker = Worker::spawn("stdout", write).map_err(ChannelError::Thread)?;
        Ok(Self { settings, worker, bytes: Vec::new(), seqs: Vec::new(), attempt: 0 })
    }
}

/// Writes whole lines, whatever came before.
struct LineWriter<W> {
    out: W,
    /// The last thing written may be half a line.
    torn: bool,
}

impl<W: Write> LineWriter<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.torn {
            self.out.write_all(b"\n")?;
        }
        self.torn = true;
        self.out.write_all(lines)?;
        self.out.flush()?;
        self.torn = false;
        Ok(())
    }
}

impl Sink for Stdout {
    fn limits(&self) -> Limits {
        let rows = NonZeroUsize::new(self.settings.rows_per_message).unwrap_or(NonZeroUsize::MIN);
        Limits { rows, bytes: self.settings.message_bytes }
    }

    fn ready(&mut self) -> Result<(), Retry> {
        Ok(())
    }

    fn send(&mut self, parcel: &Parcel<'_>) {
        for message in parcel.messages {
            self.bytes.extend_from_slice(&message.body);
            self.bytes.push(b'\n');
        }
        self.seqs.push(parcel.id.seq);
    }

    fn answers(&mut self, wait: Duration, out: &mut Vec<(u64, Answer)>) {
        if !self.seqs.is_empty() && !self.worker.is_busy() {
            let bytes = std::mem::take(&mut self.bytes);
            let lines =
                Lines { attempt: self.attempt, bytes, seqs: std::mem::take(&mut self.seqs) };
            if let Err(lines) = self.worker.give(lines) {
                (self.bytes, self.seqs) = (lines.bytes, lines.seqs);
            }
        }
        let Some(written) = self.worker.take(wait) else { return };
        if written.attempt != self.attempt {
            return;
        }
        let answer = match written.result {
            Ok(()) => Answer::Delivered,
            Err(error) => Answer::Retry(Retry {
                after: Duration::from_millis(self.settings.retry_ms),
                why: format!("write to standard output: {error}"),
                paused: false,
            }),
        };
        out.extend(written.seqs.into_iter().map(|seq| (seq, answer.clone())));
    }

    fn forget(&mut self) {
        self.attempt += 1;
        self.bytes.clear();
        self.seqs.clear();
    }
}

#[cfg(test)]
mod tests;
