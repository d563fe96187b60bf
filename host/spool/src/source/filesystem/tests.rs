//! Spool files: turns, ends, damage, positions, and what crashes leave.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use proptest::prelude::*;
use record::wire::binary;
use record::wire::read::{Envelope, ReadError};

use super::super::Form;
use super::*;

/// What the public library 11.2.62 wrote in its binary form, with made-up ids.
const BINARY: &[u8] = include_bytes!("../../../../record/src/wire/read/fixtures/binary.spool");
/// The lengths of the frames in it.
const FRAMES: [usize; 6] = [263, 467, 417, 278, 280, 6534];
const NO_WAIT: Duration = Duration::ZERO;

/// Spoils bytes.
type Damage = fn(&mut Vec<u8>);

fn open(dir: &Path) -> FilesystemSource {
    FilesystemSource::open(FilesystemSourceSettings::new(dir)).unwrap()
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("fs_spool.{number}"))
}

fn append(dir: &Path, number: u64, bytes: impl AsRef<[u8]>) {
    let mut file = OpenOptions::new().append(true).create(true).open(path(dir, number)).unwrap();
    file.write_all(bytes.as_ref()).unwrap();
}

fn texts(messages: &[Received]) -> Vec<String> {
    messages.iter().map(|it| String::from_utf8(it.body.clone()).unwrap()).collect()
}

fn tokens(messages: &[Received]) -> Vec<Token> {
    messages.iter().map(|message| message.token).collect()
}

/// Everything that is there now.
fn read(source: &mut FilesystemSource) -> Vec<Received> {
    source.receive(usize::MAX, NO_WAIT).unwrap()
}

/// Reads everything that is there now and acknowledges it.
fn consume(dir: &Path) -> Vec<String> {
    let mut source = open(dir);
    let all = read(&mut source);
    source.acknowledge(&tokens(&all)).unwrap();
    texts(&all)
}

fn position(dir: &Path) -> (String, u64) {
    let position = Position::load(dir).unwrap().unwrap();
    (position.file_name, position.offset)
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(PREFIX))
        .collect();
    names.sort();
    names
}

#[test]
fn files_are_read_in_turn_and_removed_but_for_the_last() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 1, "a\nb\n");
    append(dir.path(), 2, "c\n");
    append(dir.path(), 10, "d\n");
    let mut source = open(dir.path());
    let all = read(&mut source);
    assert_eq!(texts(&all), ["a", "b", "c", "d"]);
    assert_eq!(files(dir.path()).len(), 3, "removed before it was acknowledged");
    source.acknowledge(&tokens(&all[..2])).unwrap();
    assert_eq!(position(dir.path()), ("fs_spool.2".to_owned(), 0));
    assert_eq!(files(dir.path()), ["fs_spool.10", "fs_spool.2"]);
    source.acknowledge(&tokens(&all[2..])).unwrap();
    assert_eq!(position(dir.path()), ("fs_spool.10".to_owned(), 2));
    assert_eq!(files(dir.path()), ["fs_spool.10"]);
    append(dir.path(), 10, "e\n");
    assert_eq!(texts(&read(&mut source)), ["e"]);
    drop(source);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "the lock is gone");
    assert_eq!(consume(dir.path()), ["e"]);
    assert_eq!(consume(dir.path()), [""; 0]);
}

#[test]
fn what_was_not_acknowledged_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 1, "a\nb\nc\n");
    append(dir.path(), 2, "d\ne\n");
    let mut source = open(dir.path());
    let all = read(&mut source);
    source.acknowledge(&[all[0].token, all[2].token, all[3].token]).unwrap();
    assert_eq!(position(dir.path()), ("fs_spool.1".to_owned(), 2));
    source.rewind().unwrap();
    // In this run what was done with out of turn is remembered, and old tokens are void.
    source.acknowledge(&tokens(&all)).unwrap();
    let again = read(&mut source);
    assert_eq!(texts(&again), ["b", "e"]);
    source.acknowledge(&[again[0].token]).unwrap();
    assert_eq!(position(dir.path()), ("fs_spool.2".to_owned(), 2));
    drop(source);
    assert_eq!(consume(dir.path()), ["e"]);
    assert_eq!(position(dir.path()), ("fs_spool.2".to_owned(), 4));
}

#[test]
fn only_so_many_are_given_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 1, "a\nb\nc\n");
    let mut source = open(dir.path());
    assert_eq!(texts(&source.receive(2, NO_WAIT).unwrap()), ["a", "b"]);
    assert_eq!(texts(&source.receive(2, NO_WAIT).unwrap()), ["c"]);
    let large = "x".repeat(RECEIVE_BYTES / 2);
    append(dir.path(), 1, format!("{large}\n{large}\n{large}\n"));
    assert_eq!(source.receive(9, NO_WAIT).unwrap().len(), 2);
    assert_eq!(source.receive(9, NO_WAIT).unwrap().len(), 1);
}

#[test]
fn a_message_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut source = open(dir.path());
    let writer = {
        let dir = dir.path().to_owned();
        std::thread::spawn(move || append(&dir, 1, "late\n"))
    };
    assert_eq!(texts(&source.receive(9, Duration::from_secs(30)).unwrap()), ["late"]);
    writer.join().unwrap();
}

#[test]
fn half_a_line_is_waited_for_and_may_be_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 1, "a\nhal");
    let mut source = open(dir.path());
    assert_eq!(texts(&read(&mut source)), ["a"]);
    assert_eq!(read(&mut source), []);
    append(dir.path(), 1, "f\n");
    assert_eq!(texts(&read(&mut source)), ["half"]);
    append(dir.path(), 1, "lost");
    assert_eq!(read(&mut source), []);
    // A writer that comes back after a crash cuts its half line off.
    OpenOptions::new().write(true).open(path(dir.path(), 1)).unwrap().set_len(7).unwrap();
    append(dir.path(), 1, "new\n");
    assert_eq!(texts(&read(&mut source)), ["new"]);
}

#[test]
fn a_last_line_without_end_is_a_message_once_another_file_follows() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 1, "a\nb");
    let mut source = open(dir.path());
    assert_eq!(texts(&read(&mut source)), ["a"]);
    append(dir.path(), 1, "c");
    append(dir.path(), 2, "");
    let rest = read(&mut source);
    assert_eq!(texts(&rest), ["bc"]);
    source.acknowledge(&[Token(0), rest[0].token]).unwrap();
    assert_eq!(files(dir.path()), ["fs_spool.2"]);
    append(dir.path(), 2, "d\n");
    assert_eq!(texts(&read(&mut source)), ["d"]);
}

#[test]
fn blank_lines_and_carriage_returns_are_no_messages() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 1, "\n\r\na\r\n  \n\nb\n\n");
    append(dir.path(), 2, "\n");
    append(dir.path(), 3, "c\n");
    assert_eq!(consume(dir.path()), ["a", "b", "c"]);
    assert_eq!(files(dir.path()), ["fs_spool.3"]);
}

#[test]
fn the_time_of_the_last_change_comes_before_the_number() {
    let dir = tempfile::tempdir().unwrap();
    let at = |number, seconds| {
        append(dir.path(), number, format!("{number}\n"));
        let file = File::options().write(true).open(path(dir.path(), number)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    };
    at(3, 100);
    at(1, 300);
    at(20, 200);
    at(4, 200);
    // The one that a writer may have open is last, whatever its time says.
    at(21, 50);
    assert_eq!(consume(dir.path()), ["3", "4", "20", "1", "21"]);
    assert_eq!(files(dir.path()), ["fs_spool.21"]);
}

#[test]
fn a_position_that_makes_no_sense_costs_repeats_and_nothing_else() {
    let table: [(&str, &[&str]); 7] = [
        (r#"{"file_name":"fs_spool.1","offset":2}"#, &["bb", "cc"]),
        (r#"{"file_name":"fs_spool.1","offset":5}"#, &["cc"]),
        (r#"{"file_name":"fs_spool.1","offset":3}"#, &["a", "bb", "cc"]),
        (r#"{"file_name":"fs_spool.1","offset":834}"#, &["a", "bb", "cc"]),
        (r#"{"file_name":"fs_spool.9","offset":2}"#, &["a", "bb", "cc"]),
        (r#"{"file_name":"../fs_spool.1","offset":2}"#, &["a", "bb", "cc"]),
        ("nonsense", &["a", "bb", "cc"]),
    ];
    for (text, left) in table {
        let dir = tempfile::tempdir().unwrap();
        append(dir.path(), 1, "a\nbb\n");
        append(dir.path(), 2, "cc\n");
        fs::write(dir.path().join("spool_meta.consumer"), text).unwrap();
        assert_eq!(consume(dir.path()), left, "{text}");
    }
}

#[test]
fn files_that_a_crash_left_are_read_again_and_the_next_goes_on_where_it_stood() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 1, "a\n");
    append(dir.path(), 2, "b\nc\n");
    let position = Position { file_name: "fs_spool.2".to_owned(), offset: 2 };
    position.store(dir.path()).unwrap();
    assert_eq!(consume(dir.path()), ["a", "c"]);
    assert_eq!(files(dir.path()), ["fs_spool.2"]);
}

#[test]
fn a_file_that_is_removed_or_replaced_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 1, "a\nb\n");
    let mut source = open(dir.path());
    assert_eq!(texts(&source.receive(1, NO_WAIT).unwrap()), ["a"]);
    fs::remove_file(path(dir.path(), 1)).unwrap();
    append(dir.path(), 1, "new\n");
    let all = read(&mut source);
    assert_eq!(texts(&all), ["b", "new"]);
    source.acknowledge(&[Token(0), all[0].token, all[1].token]).unwrap();
    assert_eq!(files(dir.path()), ["fs_spool.1"]);
    assert_eq!(position(dir.path()), ("fs_spool.1".to_owned(), 4));
    // Shorter than what was read of it: somebody wrote it anew.
    fs::write(path(dir.path(), 1), "x\n").unwrap();
    assert_eq!(texts(&read(&mut source)), ["x"]);
}

#[test]
fn a_message_may_be_as_large_as_the_limit_and_no_larger() {
    let dir = tempfile::tempdir().unwrap();
    let settings = |max| FilesystemSourceSettings {
        max_message_bytes: max,
        ..FilesystemSourceSettings::new(dir.path())
    };
    append(dir.path(), 1, format!("{}\n{}\nc\n", "a".repeat(100_000), "b".repeat(100_001)));
    let mut source = FilesystemSource::open(settings(100_000)).unwrap();
    let first = source.receive(9, NO_WAIT).unwrap();
    assert_eq!((first.len(), first[0].body.len()), (1, 100_000));
    for _again in 0..2 {
        let error = source.receive(9, NO_WAIT).unwrap_err();
        assert!(error.needs_operator, "{error}");
        let says =
            "fs_spool.1 has a message of more than max_message_bytes (100000) at byte 100001";
        assert!(error.reason.contains(says), "{error}");
    }
    source.acknowledge(&tokens(&first)).unwrap();
    drop(source);
    let mut source = FilesystemSource::open(settings(100_001)).unwrap();
    assert_eq!(source.receive(9, NO_WAIT).unwrap().len(), 2);
}

/// What the bodies are: data types, or why not.
fn kinds(messages: &[Received]) -> Vec<String> {
    let kind = |message: &Received| {
        assert_eq!(message.form, Form::Binary);
        match Envelope::read_binary(&message.body) {
            Ok(envelope) => envelope.header.data_type.name().to_owned(),
            Err(ReadError::Binary(error)) => error.to_string(),
            Err(other) => panic!("{other}"),
        }
    };
    messages.iter().map(kind).collect()
}

const KINDS: [&str; 6] =
    ["DEPLOYMENT_STATS", "PREDICTIONS_DATA", "ACTUALS_DATA", "EVENT", "EVENT", "PREDICTION_STATS"];

#[test]
fn the_librarys_binary_form_is_read_and_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut source = open(dir.path());
    let mut all = Vec::new();
    // In pieces, none of which ends where a frame does.
    for piece in BINARY.chunks(100) {
        append(dir.path(), 1, piece);
        all.extend(read(&mut source));
    }
    assert_eq!(kinds(&all), KINDS);
    append(dir.path(), 1, binary::END);
    append(dir.path(), 2, "{}\n");
    let json = read(&mut source);
    assert_eq!((json.len(), json[0].form), (1, Form::Json));
    source.acknowledge(&tokens(&all[..3])).unwrap();
    let offset = FRAMES[..3].iter().sum::<usize>() as u64;
    assert_eq!(position(dir.path()), ("fs_spool.1".to_owned(), offset));
    drop(source);
    let mut source = open(dir.path());
    let rest = read(&mut source);
    assert_eq!(kinds(&rest[..3]), KINDS[3..]);
    assert_eq!(rest.len(), 4);
    source.acknowledge(&tokens(&rest)).unwrap();
    assert_eq!(files(dir.path()), ["fs_spool.2"]);
}

#[test]
fn a_damaged_frame_costs_itself_and_is_given_out() {
    let damage: [(&str, Damage); 5] = [
        ("the record is not as it was written", |bytes| bytes[FRAMES[0] + 100] ^= 1),
        ("the frame has version 2, this program reads version 1", |bytes| bytes[FRAMES[0] + 7] = 2),
        ("there is no frame", |bytes| bytes[FRAMES[0]] = 0),
        ("the frame ends where it should not: the record", |bytes| bytes[FRAMES[0] + 8] = 0x70),
        ("the frame ends where it should not: the record", |bytes| {
            // Its writer died in the midst of it.
            bytes.drain(FRAMES[0] + 200..FRAMES[0] + FRAMES[1]);
        }),
    ];
    for (why, damage) in damage {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = BINARY.to_vec();
        damage(&mut bytes);
        append(dir.path(), 1, &bytes);
        let mut source = open(dir.path());
        let all = read(&mut source);
        let mut expected = KINDS;
        expected[1] = why;
        assert_eq!(kinds(&all), expected);
        let given: Vec<u8> = all.iter().flat_map(|message| message.body.clone()).collect();
        assert_eq!(given, bytes, "every byte is given out");
    }
}

#[test]
fn a_frame_that_stays_half_is_given_out_once_another_file_follows() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 1, &BINARY[..300]);
    let mut source = open(dir.path());
    assert_eq!(kinds(&read(&mut source)), ["DEPLOYMENT_STATS"]);
    append(dir.path(), 2, BINARY);
    let rest = read(&mut source);
    assert_eq!(kinds(&rest)[0], "the frame ends where it should not: the record");
    assert_eq!(kinds(&rest[1..]), KINDS);
}

#[test]
fn a_frame_may_be_as_large_as_the_limit_and_no_larger() {
    for (max, whole) in [(6534, true), (6533, false)] {
        let dir = tempfile::tempdir().unwrap();
        append(dir.path(), 1, BINARY);
        let settings = FilesystemSourceSettings::new(dir.path());
        let settings = FilesystemSourceSettings { max_message_bytes: max, ..settings };
        let mut source = FilesystemSource::open(settings).unwrap();
        let all = source.receive(9, NO_WAIT).unwrap();
        assert_eq!(kinds(&all), KINDS[..if whole { 6 } else { 5 }]);
        assert_eq!(source.receive(9, NO_WAIT).is_ok(), whole);
    }
}

#[test]
fn a_directory_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = FilesystemSourceSettings::new(dir.path().join("missing"));
    let error = FilesystemSource::open(missing).unwrap_err();
    assert!(error.needs_operator && error.reason.contains("missing"), "{error}");
    for (name, settings) in [
        ("directory", FilesystemSourceSettings::new("")),
        (
            "max_message_bytes",
            FilesystemSourceSettings {
                max_message_bytes: 0,
                ..FilesystemSourceSettings::new(dir.path())
            },
        ),
    ] {
        let error = FilesystemSource::open(settings).unwrap_err();
        assert!(error.needs_operator && error.reason.starts_with(name), "{error}");
    }
    let _first = open(dir.path());
    let error = FilesystemSource::open(FilesystemSourceSettings::new(dir.path())).unwrap_err();
    assert!(error.needs_operator && error.reason.contains("another agent"), "{error}");
}

/// What writer, reader and fate may do next.
#[derive(Clone, Debug)]
enum Step {
    Write {
        lines: usize,
    },
    Rotate,
    Receive {
        messages: usize,
    },
    /// Acknowledges of what is open every so-manyth message.
    Acknowledge {
        every: usize,
    },
    Rewind,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..4usize).prop_map(|lines| Step::Write { lines }),
        2 => Just(Step::Rotate),
        4 => (1..6usize).prop_map(|messages| Step::Receive { messages }),
        4 => (1..4usize).prop_map(|every| Step::Acknowledge { every }),
        1 => Just(Step::Rewind),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens, every line comes until it is acknowledged, and with one reader not afterwards.
    #[test]
    fn nothing_is_lost(steps in proptest::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut source = open(dir.path());
        let (mut file, mut written) = (1, 0);
        let mut open_messages: Vec<(Token, String)> = Vec::new();
        let mut done = std::collections::BTreeSet::new();
        for step in steps.into_iter().chain([Step::Restart]) {
            match step {
                Step::Write { lines } => for _ in 0..lines {
                    append(dir.path(), file, format!("{written}\n"));
                    written += 1;
                },
                Step::Rotate => file += 1,
                Step::Receive { messages } => {
                    let received = source.receive(messages, NO_WAIT).unwrap();
                    for (message, text) in received.iter().zip(texts(&received)) {
                        prop_assert!(!done.contains(&text), "{text} came after it was acknowledged");
                        open_messages.push((message.token, text));
                    }
                }
                Step::Acknowledge { every } => {
                    let (now, later): (Vec<_>, Vec<_>) =
                        open_messages.drain(..).enumerate().partition(|(at, _)| at % every == 0);
                    let tokens: Vec<Token> = now.iter().map(|(_, (token, _))| *token).collect();
                    source.acknowledge(&tokens).unwrap();
                    done.extend(now.into_iter().map(|(_, (_, text))| text));
                    open_messages.extend(later.into_iter().map(|(_, message)| message));
                }
                Step::Rewind => {
                    source.rewind().unwrap();
                    open_messages.clear();
                }
                Step::Restart => {
                    drop(source);
                    source = open(dir.path());
                    open_messages.clear();
                    // What was acknowledged out of turn comes again in the next run.
                    let ahead: Vec<String> = {
                        let mut peek = Vec::new();
                        while let [message] = &source.receive(1, NO_WAIT).unwrap()[..] {
                            peek.extend(texts(std::slice::from_ref(message)));
                        }
                        source.rewind().unwrap();
                        peek
                    };
                    for text in &ahead {
                        done.remove(text);
                    }
                }
            }
        }
        let rest = read(&mut source);
        source.acknowledge(&tokens(&rest)).unwrap();
        done.extend(texts(&rest));
        let all: std::collections::BTreeSet<String> = (0..written).map(|line| line.to_string()).collect();
        prop_assert_eq!(done, all);
        prop_assert!(files(dir.path()).len() <= 1);
    }
}
