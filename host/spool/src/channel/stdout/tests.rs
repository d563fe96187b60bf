//! Lines on a pipe: whole, in order, and never lost.

use std::io::{BufRead as _, BufReader, Read as _};
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::channel::tests::{append, outbox, until};
use crate::channel::{Channel, Drained};
use crate::outbox::Outbox;

const SOON: Duration = Duration::from_secs(30);

fn start(outbox: &Outbox, out: impl Write + Send + 'static) -> Channel {
    let settings = StdoutSettings { retry_ms: 10, ..StdoutSettings::default() };
    Channel::start(outbox, "stdout", Box::new(Stdout::onto(out, settings).unwrap())).unwrap()
}

/// The association ids of the lines, in order; each line must be a whole message or blank.
fn names(lines: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in lines.lines().filter(|line| !line.is_empty()) {
        let envelope = record::wire::read::Envelope::read(line.as_bytes()).unwrap();
        if let record::wire::read::Payload::PredictionsData(data) = envelope.payload {
            names.extend(data.association_ids.unwrap().into_iter().flatten());
        }
    }
    names
}

fn expected(numbers: impl Iterator<Item = u64>) -> Vec<String> {
    numbers.map(|number| format!("{number}-0")).collect()
}

#[test]
fn each_message_is_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    let (reader, writer) = io::pipe().unwrap();
    let reader = std::thread::spawn(move || io::read_to_string(reader).unwrap());
    append(&outbox, 1..=2000);
    let channel = start(&outbox, writer);
    until("all is written", || channel.status().delivered_records == 2000);
    assert_eq!(channel.stop(SOON), Drained { waiting_records: 0 });
    let text = reader.join().unwrap();
    assert_eq!(text.lines().count(), 4000);
    assert!(text.ends_with('\n'));
    assert_eq!(names(&text), expected(1..=2000));
}

#[test]
fn a_reader_that_stands_still_does_not_keep_the_channel_from_stopping() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    let (mut reader, writer) = io::pipe().unwrap();
    append(&outbox, 1..=2000);
    let channel = start(&outbox, writer);
    // The pipe holds less than that, and nobody reads on.
    let mut first = [0; 1];
    reader.read_exact(&mut first).unwrap();
    let left = channel.stop(Duration::from_millis(100));
    assert!(left.waiting_records > 0, "{left:?}");
}

#[test]
fn a_closed_pipe_is_tried_again_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    let (reader, writer) = io::pipe().unwrap();
    append(&outbox, 1..=5);
    drop(reader);
    let channel = start(&outbox, writer);
    until("it is noticed", || channel.status().retries > 1);
    let status = channel.status();
    assert!(status.last_error.unwrap().contains("standard output"), "{:?}", status.paused);
    assert_eq!(channel.stop(Duration::ZERO), Drained { waiting_records: 5 });
    let (reader, writer) = io::pipe().unwrap();
    let channel = start(&outbox, writer);
    let mut lines = String::new();
    let mut reader = BufReader::new(reader);
    for _ in 0..10 {
        reader.read_line(&mut lines).unwrap();
    }
    assert_eq!(names(&lines), expected(1..=5));
    until("all is delivered", || channel.status().delivered_records == 5);
    assert_eq!(channel.stop(SOON), Drained { waiting_records: 0 });
}

/// Fails once, after some bytes.
struct Torn {
    to: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl Write for Torn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        if count == 0 {
            self.room = usize::MAX;
            return Err(io::Error::other("as the test wants"));
        }
        self.room -= count;
        self.to.lock().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn half_a_line_is_ended_and_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    let to = Arc::default();
    append(&outbox, 1..=3);
    outbox.close(SOON).unwrap();
    let channel = start(&outbox, Torn { to: Arc::clone(&to), room: 100 });
    until("all is delivered", || channel.status().delivered_records == 3);
    let text = String::from_utf8(std::mem::take(&mut *to.lock())).unwrap();
    let (half, rest) = text.split_once('\n').unwrap();
    assert_eq!(half.len(), 100);
    assert!(rest.starts_with(half), "{rest}");
    assert_eq!(names(rest), expected(1..=3));
}

#[test]
fn wrong_settings_are_named() {
    let table = [
        ("rows_per_message", StdoutSettings { rows_per_message: 0, ..StdoutSettings::default() }),
        ("message_bytes", StdoutSettings { message_bytes: 0, ..StdoutSettings::default() }),
    ];
    for (name, settings) in table {
        match Stdout::new(settings).map(drop) {
            Err(ChannelError::Setting { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}
