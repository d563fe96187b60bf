//! Spool files: their bytes, their turns, and what a crash leaves.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::FilesystemSettings;
use crate::channel::tests::{append, outbox, record, rejected, until};
use crate::channel::{Channel, ChannelError, ChannelSettings};
use crate::outbox::{Class, Outbox};

/// Makes one setting wrong.
type Change = fn(&mut FilesystemSettings);

const SOON: Duration = Duration::from_secs(30);

fn settings(dir: &Path) -> FilesystemSettings {
    FilesystemSettings::new(dir.join("spool/deep"))
}

fn spawn(outbox: &Outbox, settings: FilesystemSettings) -> Channel {
    Channel::spawn(outbox, ChannelSettings::Filesystem(settings)).unwrap()
}

/// Sends what the outbox holds and stops.
fn drain(outbox: &Outbox, settings: FilesystemSettings) {
    until("durable", || outbox.status().durable_seq + 1 == outbox.status().next_seq);
    assert_eq!(spawn(outbox, settings).stop(SOON).waiting_records, 0);
}

fn file(dir: &Path, number: u64) -> std::path::PathBuf {
    dir.join(format!("spool/deep/fs_spool.{number}"))
}

/// The association ids in the lines of a file, in order; every line must be whole.
fn names(dir: &Path, number: u64) -> Vec<String> {
    let text = fs::read_to_string(file(dir, number)).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .filter_map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let data: Value = serde_json::from_str(line["data"].as_str().unwrap()).unwrap();
            Some(data["associationIds"][0].as_str()?.to_owned())
        })
        .collect()
}

#[test]
fn each_message_is_a_line_and_a_later_run_goes_on_in_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=3);
    drain(&outbox, settings(dir.path()));
    append(&outbox, 4..=4);
    drain(&outbox, settings(dir.path()));
    assert_eq!(names(dir.path(), 1), ["1-0", "2-0", "3-0", "4-0"]);
    assert_eq!(fs::read_to_string(file(dir.path(), 1)).unwrap().lines().count(), 8);
}

#[test]
fn a_file_takes_exactly_its_bytes_and_the_next_number_follows() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=1);
    drain(&outbox, settings(dir.path()));
    let one = fs::metadata(file(dir.path(), 1)).unwrap().len();
    append(&outbox, 2..=5);
    drain(&outbox, FilesystemSettings { max_file_bytes: 2 * one, ..settings(dir.path()) });
    assert_eq!(names(dir.path(), 1), ["1-0", "2-0"]);
    assert_eq!(names(dir.path(), 2), ["3-0", "4-0"]);
    assert_eq!(names(dir.path(), 3), ["5-0"]);
    assert_eq!(fs::metadata(file(dir.path(), 2)).unwrap().len(), 2 * one);
}

#[test]
fn a_full_directory_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=1);
    drain(&outbox, settings(dir.path()));
    let one = fs::metadata(file(dir.path(), 1)).unwrap().len();
    append(&outbox, 2..=3);
    let small = FilesystemSettings { max_file_bytes: one, max_files: 2, ..settings(dir.path()) };
    let channel = spawn(&outbox, small);
    until("it waits", || channel.status().paused.is_some());
    assert!(channel.status().paused.unwrap().contains("2 files"));
    fs::remove_file(file(dir.path(), 1)).unwrap();
    until("it goes on", || channel.status().waiting_records == 0);
    until("it says so", || channel.status().paused.is_none());
    assert_eq!(names(dir.path(), 2), ["2-0"]);
    assert_eq!(names(dir.path(), 3), ["3-0"]);
}

#[test]
fn a_record_that_would_still_fit_does_not_overtake_one_that_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    let large = || outbox.append(&record("large", 20), Class::Observe).unwrap();
    append(&outbox, 1..=1);
    large();
    drain(&outbox, settings(dir.path()));
    let both = fs::metadata(file(dir.path(), 1)).unwrap().len();
    fs::remove_file(file(dir.path(), 1)).unwrap();

    append(&outbox, 3..=3);
    large();
    append(&outbox, 5..=5);
    until("durable", || outbox.status().durable_seq == 5);
    let small =
        FilesystemSettings { max_file_bytes: both - 1, max_files: 1, ..settings(dir.path()) };
    let channel = spawn(&outbox, small);
    until("it waits", || channel.status().paused.is_some());
    assert_eq!(names(dir.path(), 1), ["3-0"]);
    assert_eq!(channel.status().waiting_records, 2);
}

#[test]
fn a_half_line_is_cut_off_and_a_whole_one_without_end_gets_it() {
    for (tail, kept) in [("{\"header\":{\"id\"", ""), ("{\"data\":\"{}\"}", "{\"data\":\"{}\"}\n")]
    {
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path());
        append(&outbox, 1..=1);
        drain(&outbox, settings(dir.path()));
        let before = fs::read_to_string(file(dir.path(), 1)).unwrap();
        fs::write(file(dir.path(), 1), format!("{before}{tail}")).unwrap();
        append(&outbox, 2..=2);
        drain(&outbox, settings(dir.path()));
        let after = fs::read_to_string(file(dir.path(), 1)).unwrap();
        assert!(after.starts_with(&format!("{before}{kept}{{\"header\":{{\"id\":\"")), "{after}");
        assert_eq!(names(dir.path(), 1), ["1-0", "2-0"]);
    }
}

#[test]
fn a_long_half_line_is_found_from_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("spool/deep")).unwrap();
    fs::write(file(dir.path(), 1), format!("{{}}\n\"{}", "y".repeat(200_000))).unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=1);
    drain(&outbox, settings(dir.path()));
    assert!(fs::read_to_string(file(dir.path(), 1)).unwrap().starts_with("{}\n{\"header\""));
}

#[test]
fn a_row_larger_than_a_file_is_rejected_and_its_neighbours_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=1);
    outbox.append(&record(&"n".repeat(3000), 1), Class::Observe).unwrap();
    append(&outbox, 3..=3);
    drain(&outbox, FilesystemSettings { max_file_bytes: 2000, ..settings(dir.path()) });
    let all: Vec<_> = (1..).take_while(|&n| file(dir.path(), n).exists()).collect();
    let all: Vec<_> = all.into_iter().flat_map(|number| names(dir.path(), number)).collect();
    assert!(all.contains(&"1-0".to_owned()) && all.contains(&"3-0".to_owned()), "{all:?}");
    assert_eq!(rejected(dir.path(), "filesystem"), ["2"]);
}

#[test]
fn a_file_that_somebody_removed_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=1);
    let channel = spawn(&outbox, settings(dir.path()));
    until("the first is there", || {
        outbox.status().durable_seq == 1 && channel.status().waiting_records == 0
    });
    fs::remove_file(file(dir.path(), 1)).unwrap();
    append(&outbox, 2..=2);
    until("the second is there", || {
        outbox.status().durable_seq == 2 && channel.status().waiting_records == 0
    });
    assert_eq!(names(dir.path(), 1), ["2-0"]);
}

#[test]
fn wrong_settings_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    let wrong: [(&str, Change); 4] = [
        ("directory", |s| s.directory = "".into()),
        ("max_file_bytes", |s| s.max_file_bytes = 0),
        ("max_files", |s| s.max_files = 0),
        ("rows_per_message", |s| s.rows_per_message = 0),
    ];
    for (name, change) in wrong {
        let mut settings = settings(dir.path());
        change(&mut settings);
        match Channel::spawn(&outbox, ChannelSettings::Filesystem(settings)) {
            Err(ChannelError::Setting { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}
