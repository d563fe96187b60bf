//! The five bodies: as the library and the Java agent post them, and as nobody should.

use super::*;

fn inputs(text: &str) -> Body<InputEntry<'_>> {
    body(text.as_bytes()).unwrap()
}

fn fault_of(entry: &str) -> String {
    let text = format!("{{\"data\":[{entry}]}}");
    let body = inputs(&text);
    body.data[0].as_ref().unwrap_err().fault.to_string()
}

#[test]
fn what_the_library_posts_is_read() {
    for line in include_str!("../../read/fixtures/rest.jsonl").lines() {
        let call: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = call["body"].as_str().unwrap();
        if text.contains("numPredictions") {
            let body: Body<RequestEntry<'_>> = body(text.as_bytes()).unwrap();
            assert!(body.data.iter().all(|entry| entry.as_ref().unwrap().timestamp.is_some()));
        } else {
            let body = inputs(text);
            assert!(body.data.iter().all(|entry| entry.as_ref().unwrap().rows() > 0), "{text}");
        }
    }
}

#[test]
fn a_value_of_another_kind_is_read_as_what_it_means() {
    let text = r#"{"data":[{"timestamp":"1795562956253","modelId":7,"numPredictions":2.0,"executionTime":"1.5",
        "userError":"TRUE","unknown":{"a":[1]},"recordId":"r","modelDigest":"sha256:00","role":"canary","gateway":"g"}]}"#;
    let body: Body<RequestEntry<'_>> = body(text.as_bytes()).unwrap();
    let entry = body.data[0].as_ref().unwrap();
    assert_eq!(entry.timestamp, Some(Moment::Instant("2026-11-24T23:29:16.253Z".parse().unwrap())));
    assert_eq!((entry.model_id.as_deref(), entry.num_predictions), (Some("7"), 2));
    assert_eq!(
        (entry.execution_time, entry.user_error, entry.system_error),
        (Some(1.5), true, false)
    );
    let Origin { record_id, model_digest, role, gateway } = &entry.origin;
    let origin = [record_id, model_digest, role, gateway].map(|text| text.as_deref().unwrap());
    assert_eq!(origin, ["r", "sha256:00", "canary", "g"]);
}

#[test]
fn columns_are_numbers_until_something_else_comes() {
    let text = r#"{"skipDriftTracking":true,"data":[{"features":[{"values":[1,null],"name":"a"},{"name":"b","values":[1.5,"x"]},
        {"name":"c","values":[null,false]}],"predictions":[[0.25,0.75],null],"associationIds":[1,null],"classNames":["n","y"]}]}"#;
    let body = inputs(text);
    let entry = body.data[0].as_ref().unwrap();
    assert!(body.skip_drift_tracking && !body.skip_accuracy_tracking);
    assert!(
        matches!(&entry.features[0].values, Values::Numbers(all) if all[0] == 1.0 && all[1].is_nan())
    );
    let mixed = Values::Mixed(vec![Value::Number(1.5), Value::Text("x".into())]);
    assert_eq!(entry.features[1].values, mixed);
    assert_eq!(
        entry.features[2].values,
        Values::Mixed(vec![Value::Missing, Value::Boolean(false)])
    );
    assert!(
        matches!(&entry.predictions, Some(Predictions::Probabilities { classes: 2, values }) if values[1] == 0.75 && values[3].is_nan())
    );
    assert_eq!(entry.association_ids, Some(vec![Some("1".into()), None]));
    let object = inputs(r#"{"data":[{"features":{"a":[1],"b":["x"]}}]}"#);
    assert_eq!(object.data[0].as_ref().unwrap().features[1].name, "b");
}

#[test]
fn a_fault_names_its_field_and_no_value() {
    for (entry, fault) in [
        ("7", "`data[]` must be an object, not that number"),
        ("null", "`data[]` must be an object, not null"),
        ("{}", "`features` is missing, and so is `predictions`: there are no rows"),
        (r#"{"features":"secret"}"#, "`features` must be a list of {name, values}, not that text"),
        (
            r#"{"features":[{"name":"a","values":[1,{"secret":2}]}]}"#,
            "`features[0].values[1]` must be a number, a text, true, false or null, not an object",
        ),
        (r#"{"features":[{"values":[1]}]}"#, "`features[0].name` is missing"),
        (r#"{"features":[{"name":"a"}]}"#, "`features[0].values` is missing"),
        (
            r#"{"features":[{"name":"a","values":[1]},{"name":"a","values":[1]}]}"#,
            "`features[1].name` must be there once",
        ),
        (
            r#"{"features":[{"name":"a","values":[1]}],"predictions":[1,2]}"#,
            "`features[0].values` must have one value for each of the 2 rows, not 1",
        ),
        (
            r#"{"predictions":[1],"associationIds":["a","b"]}"#,
            "`associationIds` must have one value for each of the 1 rows, not 2",
        ),
        (
            r#"{"predictions":[1,[0.5]]}"#,
            "`predictions[1]` must be of the kind of the predictions before it",
        ),
        (
            r#"{"predictions":[[0.5,0.5],[0.5]]}"#,
            "`predictions[1]` must have 2 probabilities as the row before it",
        ),
        (r#"{"predictions":[1],"modelId":[]}"#, "`modelId` must be a text, not a list"),
    ] {
        assert_eq!(fault_of(entry), fault, "{entry}");
    }
}

#[test]
fn a_bad_entry_leaves_its_neighbours_and_keeps_its_record() {
    let text =
        r#"{"data":[{"predictions":[1]},{"predictions":{},"recordId":"r-2"},{"predictions":[2]}]}"#;
    let body = inputs(text);
    let refused: Vec<bool> = body.data.iter().map(Result::is_err).collect();
    assert_eq!(refused, [false, true, false]);
    assert_eq!(body.data[1].as_ref().unwrap_err().record_id.as_deref(), Some("r-2"));
}

#[test]
fn a_body_without_a_list_is_an_error() {
    for (text, error) in [
        ("{", "the body is not JSON"),
        ("[1]", "`the body` must be an object with a list `data`, not a list"),
        ("null", "`the body` must be an object with a list `data`, not null"),
        ("{}", "`data` is missing: the body must be {\"data\": [..]}"),
        (r#"{"data":{}}"#, "`data` must be a list, not an object"),
    ] {
        assert_eq!(body::<InputEntry<'_>>(text.as_bytes()).unwrap_err().to_string(), error);
    }
}

#[test]
fn tokens_that_are_no_json_can_be_taken_out() {
    let text = br#"{"data":[{"predictions":[NaN,-Infinity,1],"modelId":"NaN"}]}"#;
    assert!(matches!(body::<InputEntry<'_>>(text), Err(BodyError::NotJson(_))));
    let clean = without_tokens(text).unwrap();
    let body: Body<InputEntry<'_>> = body(&clean).unwrap();
    let entry = body.data[0].as_ref().unwrap();
    assert_eq!((entry.rows(), entry.model_id.as_deref()), (3, Some("NaN")));
}

#[test]
fn actuals_and_metrics_are_read() {
    let text = r#"{"data":[{"associationId":5.0,"actualValue":"yes","wasActedOn":false},{"associationId":"a","actualValue":1,
        "timestamp":[]},{"associationId":"b"},{"actualValue":1}]}"#;
    let actuals: Body<ActualEntry<'_>> = body(text.as_bytes()).unwrap();
    let first = actuals.data[0].as_ref().unwrap();
    assert_eq!((&*first.association_id, first.was_acted_on), ("5", Some(false)));
    assert_eq!(actuals.data[1].as_ref().unwrap().timestamp, Some(Moment::Unknown));
    let faults: Vec<String> = actuals.data[2..]
        .iter()
        .map(|entry| entry.as_ref().unwrap_err().fault.to_string())
        .collect();
    assert_eq!(faults, ["`actualValue` is missing", "`associationId` is missing"]);

    let text = br#"{"modelId":null,"buckets":[{"timestamp":"2024-05-06 07:08:09.123","value":4,"geospatialCoordinate":"POINT(1 2)"}]}"#;
    let body = metric(text).unwrap().unwrap();
    assert_eq!((body.model_id, body.buckets[0].value), (None, 4.0));
    let fault = metric(br#"{"buckets":[{"value":1},{}]}"#).unwrap().unwrap_err().fault;
    assert_eq!(fault.to_string(), "`buckets[1].value` is missing");
    assert!(metric(b"7").is_err());
}

#[test]
fn summed_rows_are_read() {
    let text = r#"{"data":[{"features":[{"name":"age","stats":{"numericStats":{"count":3,"min":1,"max":2,"sum":4.5,
        "histogram":{"centroids":[1.0,2.0],"counts":[1,2]},"decisionCount":0},"missingCount":1}},
        {"name":"sex","stats":{"count":4,"missingCount":0,"categories":{"values":["m","f"],"counts":[1,3]}}}],
        "predictions":{"count":4,"sum":9,"histogram":{"centroids":[2.25],"counts":[4]}},"recordIds":["a","b"]}]}"#;
    let body: Body<StatsEntry<'_>> = body(text.as_bytes()).unwrap();
    let entry = body.data[0].as_ref().unwrap();
    assert_eq!((entry.rows(), entry.record_ids.len()), (4, 2));
    let age = &entry.features[0].stats;
    assert_eq!((age.count, age.missing, age.sum), (3, 1, Some(4.5)));
    assert_eq!(age.centroids, [(1.0, 1), (2.0, 2)]);
    assert_eq!(entry.features[1].stats.levels, [("m".into(), 1), ("f".into(), 3)]);
    let bad = r#"{"data":[{"predictions":{"histogram":{"centroids":[1],"counts":[]}}},{"predictions":{"count":-1}}]}"#;
    let faults: Vec<String> = super::body::<StatsEntry<'_>>(bad.as_bytes())
        .unwrap()
        .data
        .iter()
        .map(|entry| entry.as_ref().unwrap_err().fault.to_string())
        .collect();
    assert_eq!(
        faults,
        [
            "`predictions.histogram.counts` must have one number for each of the 1 centroids",
            "`predictions.count` must be a whole number from 0 on, not that number",
        ]
    );
}
