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
    let out = run("read_records.py", &[arguments, &[&count]].concat(), &[])?;
    Some(out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect())
}

/// What the library was told to report: a data type, and fields that its payload must have.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reported {
    /// The name of the data type.
    pub data_type: String,
    /// Fields with their values, by the library's names.
    pub fields: serde_json::Value,
}

/// Reports one of everything (`arguments` as in `tests/python/write_records.py`), with more settings in the
/// environment; none when Python is not set up.
///
/// # Panics
///
/// When the library fails.
#[track_caller]
pub fn write(arguments: &[&str], environment: &[(&str, &str)]) -> Option<Vec<Reported>> {
    let out = run("write_records.py", arguments, environment)?;
    Some(out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect())
}

/// Classifies rows and reports them into a spool folder (`tests/python/classify.py`); gives what was told about it. None when
/// Python is not set up.
///
/// # Panics
///
/// When it fails.
#[track_caller]
pub fn classify(spool: &std::path::Path) -> Option<serde_json::Value> {
    let out = run("classify.py", &[spool.to_str().expect("UTF-8")], &[])?;
    Some(serde_json::from_str(&out).expect("JSON"))
}

/// Holds an OpenAPI document against its own rules, and values against its schemas by their names; none when Python
/// is not set up.
///
/// # Panics
///
/// When something does not fit.
#[track_caller]
pub fn check_openapi(document: &str, values: &[(&str, serde_json::Value)]) -> Option<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("input.json");
    let input = serde_json::json!({ "document": document, "values": values });
    std::fs::write(&file, input.to_string()).expect("it takes a file");
    run("openapi.py", &[file.to_str().expect("UTF-8")], &[]).map(drop)
}

/// What was said to a server and what it answered.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Exchange {
    /// The method, as an OpenAPI document has it: `get`.
    pub method: &'static str,
    /// The path, as the document has it: `/api/v2/deployments/{id}/`.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// The answer; null when it is no JSON.
    pub answer: serde_json::Value,
    /// What was sent, where it was JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<serde_json::Value>,
}

/// Holds an OpenAPI document against its own rules, and what was said against the document; none when Python is not set up.
///
/// # Panics
///
/// When something does not fit.
#[track_caller]
pub fn check_exchanges(document: &str, exchanges: &[Exchange]) -> Option<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("input.json");
    let input = serde_json::json!({ "document": document, "values": [], "exchanges": exchanges });
    std::fs::write(&file, input.to_string()).expect("it takes a file");
    run("openapi.py", &[file.to_str().expect("UTF-8")], &[]).map(drop)
}

/// What a compose file says for a profile (`tests/python/compose.py`); none when Python is not set up.
///
/// # Panics
///
/// When it cannot be read.
#[track_caller]
pub fn compose(file: &std::path::Path, profile: &str) -> Option<serde_json::Value> {
    let out = run("compose.py", &[file.to_str().expect("UTF-8"), profile], &[])?;
    Some(serde_json::from_str(&out).expect("JSON"))
}

/// What a person sees of the status page at this address, one value a visit (`tests/python/status_page.py`); the pictures
/// go to the folder. None when Python is not set up.
///
/// # Panics
///
/// When the browser finds something else than the page.
#[track_caller]
pub fn look_at(url: &str, token: &str, folder: &std::path::Path) -> Option<Vec<serde_json::Value>> {
    let out = run("status_page.py", &[url, token, folder.to_str().expect("UTF-8")], &[])?;
    Some(out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect())
}

/// Whether a value has all that is expected: every field of an object, and the same of everything else. Numbers are
/// compared by what they mean.
pub fn has(value: &serde_json::Value, expected: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (value, expected) {
        (Value::Object(value), Value::Object(expected)) => expected
            .iter()
            .all(|(name, expected)| value.get(name).is_some_and(|value| has(value, expected))),
        (Value::Array(value), Value::Array(expected)) => {
            value.len() == expected.len() && value.iter().zip(expected).all(|(a, b)| has(a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            a.as_f64() == b.as_f64()
        }
        _ => value == expected,
    }
}

#[track_caller]
fn run(script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Option<String> {
    let script = crate::root().join("tests/python").join(script);
    let mut command = Command::new(parts::python()?);
    let output = command
        .arg(&script)
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .expect("Python starts");
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
