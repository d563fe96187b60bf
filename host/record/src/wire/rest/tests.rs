//! The server's shape, against what the library posts for the records that it also writes to Kafka.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::wire::read::{Envelope, Payload};

/// The library 11.2.62's calls, with made-up ids.
const CALLS: &str = include_str!("../read/fixtures/rest.jsonl");
/// The same reports through Kafka.
const KAFKA: &str = include_str!("../read/fixtures/kafka.jsonl");

/// The text without its one timestamp of the record itself.
fn timeless(text: &str) -> String {
    let start = text.find("\"timestamp\":\"").unwrap();
    let end = start + text[start + 13..].find('"').unwrap() + 14;
    format!("{}{}", &text[..start], &text[end..])
}

fn call(envelope: &Envelope) -> Option<String> {
    match &envelope.payload {
        Payload::DeploymentStats(stats) => Some(format!(
            "{{\"data\":[{}]}}",
            serde_json::to_string(&PredictionRequest(stats, Origin::default())).unwrap()
        )),
        Payload::PredictionsData(data) => {
            let input = PredictionInput(data, Origin::default());
            let Flags { skip_drift_tracking, skip_accuracy_tracking } = input.flags();
            let flags = [
                (skip_drift_tracking, ",\"skipDriftTracking\":true"),
                (skip_accuracy_tracking, ",\"skipAccuracyTracking\":true"),
            ];
            let flags: String =
                flags.iter().filter(|(yes, _)| *yes).map(|(_, text)| *text).collect();
            Some(format!("{{\"data\":[{}]{flags}}}", serde_json::to_string(&input).unwrap()))
        }
        _other => None,
    }
}

#[test]
fn entries_are_byte_for_byte_what_the_library_posts() {
    let theirs: BTreeSet<String> = CALLS
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|call| timeless(call["body"].as_str().unwrap()))
        .collect();
    let ours: BTreeSet<String> = KAFKA
        .lines()
        .filter_map(|line| call(&Envelope::read(line.as_bytes()).unwrap()))
        .map(|body| timeless(&body))
        .collect();
    assert_eq!(ours.len(), 13);
    assert_eq!(ours, theirs);
}
