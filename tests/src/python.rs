//! The public Python library as a judge of our records, used from outside through its readers.

use crate::{parts, records::Envelope};
use std::process::Command;

/// What the library's reader made of one record.
pub type Reading = serde_json::Value;

/// Reads `count` records from a spool folder, a topic or a queue (`arguments` as in `tests/python/read_records.py`); none when
/// Python is not set up.
///
/// # Panics
///
/// When the library finds fewer, or refuses one.
#[track_caller]
pub fn read(arguments: &[&str], count: usize) -> Option<Vec<Reading>> {
    let count = count.to_string();
    let out = run("read_records.py", &[arguments, &[&count]].concat())?;
    Some(out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect())
}

/// Writes one record of each kind into a queue, and gives the kinds in their order; none when Python is not set up.
///
/// # Panics
///
/// When the library cannot.
#[track_caller]
pub fn write_rabbitmq(url: &str, queue: &str) -> Option<Vec<String>> {
    let out = run("write_rabbitmq.py", &[url, queue])?;
    Some(out.lines().map(str::to_owned).collect())
}

#[track_caller]
fn run(script: &str, arguments: &[&str]) -> Option<String> {
    let script = crate::root().join("tests/python").join(script);
    let mut command = Command::new(parts::python()?);
    let output = command.arg(&script).args(arguments).output().expect("Python starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {err}", script.display());
    Some(String::from_utf8(output.stdout).expect("the script prints UTF-8"))
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
