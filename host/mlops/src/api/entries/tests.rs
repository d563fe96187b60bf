//! What the document has is what the reader reads: a field with a value that cannot be is refused by its name, and what
//! the reader does not know would be ignored.

use schemars::schema_for;
use serde_json::{Value, json};

use super::*;
use record::wire::rest::read;

/// A time that cannot be read is flagged and not refused.
const TIME: &str = "timestamp";

/// Values of which every field refuses one.
fn wrong() -> [Value; 3] {
    [json!({"no": {"such": "thing"}}), json!(true), json!([[{}]])]
}

fn fields<T: JsonSchema>() -> Vec<String> {
    let schema = schema_for!(T).to_value();
    let fields = schema["properties"].as_object().expect("fields");
    fields.keys().cloned().collect()
}

/// The field that a list of entries, or the entry alone, was refused for.
fn refused_for<'a, E: read::Entry<'a>>(text: &'a str) -> Option<String> {
    match read::body::<E>(text.as_bytes()) {
        Err(read::BodyError::Shape(fault)) => Some(fault.field),
        Err(read::BodyError::NotJson(error)) => panic!("{error}"),
        Ok(body) => body.data.into_iter().next().unwrap().err().map(|refused| refused.fault.field),
    }
}

/// Holds a type against what reads it: its fields, all but these, and where to find them in a body.
#[track_caller]
fn holds<T: JsonSchema>(body: impl Fn(Value) -> Value, read: impl Fn(&str) -> Option<String>) {
    for field in fields::<T>().into_iter().filter(|field| field != TIME) {
        let known = wrong().into_iter().any(|wrong| {
            let text = body(json!({ &*field: wrong })).to_string();
            read(&text).is_some_and(|named| named.split(['.', '[']).any(|part| part == field))
        });
        assert!(known, "`{field}` of {} is not read", T::schema_name());
    }
}

fn listed(entry: Value) -> Value {
    json!({ "data": [entry] })
}

fn metric(text: &str) -> Option<String> {
    match read::metric(text.as_bytes()) {
        Err(read::BodyError::Shape(fault)) => Some(fault.field),
        Err(read::BodyError::NotJson(error)) => panic!("{error}"),
        Ok(body) => body.err().map(|refused| refused.fault.field),
    }
}

#[test]
fn every_field_of_the_document_is_read() {
    holds::<RequestEntry>(listed, |text| refused_for::<read::RequestEntry<'_>>(text));
    holds::<InputEntry>(listed, |text| refused_for::<read::InputEntry<'_>>(text));
    holds::<Inputs>(|body| body, |text| refused_for::<read::InputEntry<'_>>(text));
    holds::<Column>(
        |column| listed(json!({ "features": [column] })),
        |text| refused_for::<read::InputEntry<'_>>(text),
    );
    holds::<StatsEntry>(listed, |text| refused_for::<read::StatsEntry<'_>>(text));
    holds::<Centroids>(
        |pairs| listed(json!({ "predictions": {"numericStats": {"histogram": pairs}} })),
        |text| refused_for::<read::StatsEntry<'_>>(text),
    );
    holds::<Levels>(
        |pairs| listed(json!({ "features": [{"name": "a", "categories": pairs}] })),
        |text| refused_for::<read::StatsEntry<'_>>(text),
    );
    holds::<ActualEntry>(listed, |text| refused_for::<read::ActualEntry<'_>>(text));
    holds::<MetricValues>(|body| body, metric);
    holds::<MetricValue>(|value| json!({ "buckets": [value] }), metric);
}

#[test]
fn every_time_of_the_document_is_read() {
    // What each of them needs beside it.
    let value = json!({"timestamp": "2026-01-01T00:00:00Z", "value": 1, "associationId": "a", "actualValue": 1,
        "features": [{"name": "a", "values": [1], "count": 1}]});
    let (entries, metric) = (listed(value.clone()).to_string(), json!({"buckets": [value]}));
    macro_rules! reads {
        ($($told:ty => $read:ty),+) => {
            $({
                assert!(fields::<$told>().iter().any(|field| field == TIME));
                let body = read::body::<$read>(entries.as_bytes()).unwrap();
                let read = body.data[0].as_ref().unwrap().timestamp;
                assert!(read.is_some(), "{}", stringify!($read));
            })+
        };
    }
    reads!(
        RequestEntry => read::RequestEntry<'_>,
        InputEntry => read::InputEntry<'_>,
        StatsEntry => read::StatsEntry<'_>,
        ActualEntry => read::ActualEntry<'_>
    );
    let metric = metric.to_string();
    let body = read::metric(metric.as_bytes()).unwrap().unwrap();
    assert!(body.buckets[0].timestamp.is_some());
}

#[test]
fn a_field_that_is_not_read_is_found() {
    #[derive(JsonSchema)]
    struct Other {
        other: String,
    }
    let held = std::panic::catch_unwind(|| {
        holds::<Other>(listed, |text| refused_for::<read::RequestEntry<'_>>(text));
    });
    assert!(held.is_err());
}
