//! The public Python library as a judge of our records, used from outside through its readers.

use crate::{parts, records::Envelope};
use std::process::Command;

/// What the library's reader made of one record.
pub type Reading = serde_json::Value;

/// Reads `count` records from a spool folder or a topic (`arguments` as in `tests/python/read_records.py`); none when
/// Python is not set up.
///
/// # Panics
///
/// When the library finds fewer, or refuses one.
#[track_caller]
pub fn read(arguments: &[&str], count: usize) -> Option<Vec<Reading>> {
    let script = crate::root().join("tests/python/read_records.py");
    let mut command = Command::new(parts::python()?);
    command.arg(script).args(arguments).arg(count.to_string());
    let output = command.output().expect("Python starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the library could not read the records: {err}");
    let out = String::from_utf8(output.stdout).expect("JSON lines are UTF-8");
    Some(out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect())
}

/// Whether the library read the same as we did, in whatever order.
///
/// # Panics
///
/// When it read something else.
#[track_caller]
pub fn agrees(readings: &[Reading], envelopes: &[Envelope]) {
    let mut theirs: Vec<String> = readings.iter().map(ToString::to_string).collect();
    let ours = |envelope: &Envelope| {
        serde_json::json!({
            "deploymentId": envelope.deployment,
            "dataType": envelope.data_type,
            "payload": envelope.data,
        })
    };
    let mut ours: Vec<String> =
        envelopes.iter().map(|envelope| ours(envelope).to_string()).collect();
    theirs.sort();
    ours.sort();
    assert_eq!(theirs, ours);
}
