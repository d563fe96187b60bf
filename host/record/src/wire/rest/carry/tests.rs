//! The fast reader against the tolerant one, and what is cut how.

use serde_json::{Value, json};

use super::*;

const KAFKA: &str = include_str!("../../read/fixtures/kafka.jsonl");

fn message(data_type: &str, data: &Value) -> Vec<u8> {
    let header = json!({"id": "7b", "deploymentId": "d", "dataType": data_type, "dataFormat": "json", "dataLen": null,
        "version": 2, "language": "python", "libVersion": "11.2.62", "reserved": "", "modelDigest": "sha256:00",
        "role": "canary", "gateway": "g \"1\""});
    json!({"header": header, "data": data.to_string()}).to_string().into_bytes()
}

fn slow(bytes: &[u8], limits: &CarryLimits) -> Carried {
    carry_envelope(Envelope::read(bytes).unwrap(), limits)
}

fn values(carried: &Carried) -> Vec<Value> {
    let parse = |piece: &Piece| serde_json::from_slice(&piece.json).unwrap();
    carried.pieces.iter().map(parse).collect()
}

/// Both readers say the same, as far as the fast one says anything.
fn agree(bytes: &[u8], limits: &CarryLimits) -> bool {
    let slow = slow(bytes, limits);
    let Some(fast) = fast::carry(bytes, limits) else { return false };
    assert_eq!(values(&fast), values(&slow));
    let rows =
        |carried: &Carried| carried.pieces.iter().map(|piece| piece.rows).collect::<Vec<_>>();
    assert_eq!(rows(&fast), rows(&slow));
    let rest = |carried: Carried| Carried { pieces: Vec::new(), ..carried };
    assert_eq!(rest(fast), rest(slow));
    true
}

#[test]
fn the_two_readers_agree_on_what_the_library_writes() {
    let mut fast = 0;
    for line in KAFKA.lines() {
        fast += usize::from(agree(line.as_bytes(), &CarryLimits::default()));
    }
    assert!(fast >= 4, "{fast}");
}

#[test]
fn the_two_readers_agree_on_plain_messages() {
    let limits = CarryLimits { features: 2, ..CarryLimits::default() };
    let columns = json!({"b": [1, 2.50], "a \"x\"": ["],[", null], "c": [[1, 2], {"k": [1]}]});
    for data in [
        json!({"timestamp": "t", "modelId": "m", "features": columns, "predictions": [1.0, -2e-9],
            "associationIds": ["a,\"]", null], "extra": 1}),
        json!({"predictions": [null, "text"], "skipDriftTracking": true, "batchId": "b"}),
        json!({"features": {"only": []}}),
    ] {
        assert!(agree(&message("PREDICTIONS_DATA", &data), &limits), "{data}");
    }
    for data in [
        json!({"timestamp": "t", "modelId": "m", "numPredictions": 3, "executionTime": 1.5, "userError": false}),
        json!({"numPredictions": -1, "systemError": true, "executionTime": 2}),
        json!({}),
    ] {
        assert!(agree(&message("DEPLOYMENT_STATS", &data), &limits), "{data}");
    }
}

#[test]
fn what_is_not_plain_is_left_to_the_tolerant_reader() {
    let limits = CarryLimits { rows_per_entry: 2, ..CarryLimits::default() };
    for (kind, data) in [
        ("DEPLOYMENT_STATS", json!({"numPredictions": 2.0})),
        ("DEPLOYMENT_STATS", json!({"executionTime": "1.5"})),
        ("DEPLOYMENT_STATS", json!({"timestamp": 1_700_000_000})),
        ("DEPLOYMENT_STATS", json!({"userError": "true"})),
        ("PREDICTIONS_DATA", json!({"predictions": [1, 2, 3]})),
        ("PREDICTIONS_DATA", json!({"predictions": [1], "associationIds": [5]})),
        ("PREDICTIONS_DATA", json!({"predictions": [[0.5, 0.5]], "classNames": ["a", "b"]})),
        (
            "PREDICTIONS_DATA",
            json!({"predictions": [1], "features": [{"name": "x", "values": [1]}]}),
        ),
        ("PREDICTIONS_DATA", json!({"predictions": [1], "forecastDistance": [1]})),
    ] {
        assert!(!agree(&message(kind, &data), &limits), "{data}");
    }
    let uneven =
        message("PREDICTIONS_DATA", &json!({"predictions": [1], "features": {"x": [1, 2]}}));
    let error = carry(&uneven, &limits).unwrap_err();
    assert!(error.to_string().contains("features.x"), "{error}");
}

#[test]
fn not_a_number_is_handed_on_as_null() {
    let text = r#"{"header":{"deploymentId":"d","dataType":"PREDICTIONS_DATA","dataFormat":"json"},"data":"{\"predictions\":[1,NaN]}"}"#;
    let carried = carry(text.as_bytes(), &CarryLimits::default()).unwrap();
    assert_eq!(values(&carried), [json!({"predictions": [1, null]})]);
}

#[test]
fn long_messages_are_cut_and_each_piece_has_an_id() {
    let data = json!({"modelId": "m", "features": {"x": [1, 2, 3, 4, 5]}, "predictions": [1, 2, 3, 4, 5],
        "associationIds": ["a", "b", "c", "d", "e"], "seriesId": ["s"]});
    let limits = CarryLimits { rows_per_entry: 2, ..CarryLimits::default() };
    let carried = carry(&message("PREDICTIONS_DATA", &data), &limits).unwrap();
    let found = values(&carried);
    let ids: Vec<&Value> = found.iter().map(|entry| &entry["recordId"]).collect();
    assert_eq!(ids, ["7b", "7b/1", "7b/2"]);
    let predictions: Vec<&Value> = found.iter().map(|entry| &entry["predictions"]).collect();
    assert_eq!(predictions, [&json!([1, 2]), &json!([3, 4]), &json!([5])]);
    assert_eq!(found[2]["features"], json!([{"name": "x", "values": [5]}]));
    assert_eq!(found[1]["associationIds"], json!(["c", "d"]));
    assert_eq!(carried.pieces.iter().map(|piece| piece.rows).collect::<Vec<_>>(), [2, 2, 1]);
    // Exactly as many as an entry may have are not cut.
    let limits = CarryLimits { rows_per_entry: 5, ..CarryLimits::default() };
    assert_eq!(carry(&message("PREDICTIONS_DATA", &data), &limits).unwrap().pieces.len(), 1);

    let actuals = json!({"actualsList": [{"associationId": "a", "actualValue": 1, "wasActedOn": true},
        {"associationId": "b", "actualValue": "x", "timestamp": "t"}, {"associationId": "c", "actualValue": 2}]});
    let limits = CarryLimits { actuals_per_piece: 2, ..CarryLimits::default() };
    let carried = carry(&message("ACTUALS_DATA", &actuals), &limits).unwrap();
    assert_eq!(carried.pieces.len(), 2);
    let list: Vec<Value> =
        serde_json::from_str(&format!("[{}]", String::from_utf8_lossy(&carried.pieces[0].json)))
            .unwrap();
    assert_eq!(list[0]["associationId"], "a");
    assert!(list.iter().all(|entry| entry["recordId"] == "7b"), "{list:?}");
}

#[test]
fn what_a_message_does_not_say_can_be_filled_in() {
    let text = r#"{"header":{"deploymentId":null,"dataType":"DEPLOYMENT_STATS","dataFormat":"json"},"data":"{\"numPredictions\":1}"}"#;
    assert!(carry(text.as_bytes(), &CarryLimits::default()).is_err());
    let limits = CarryLimits {
        deployment_id: Some("d2".into()),
        model_id: Some("m2".into()),
        ..CarryLimits::default()
    };
    let carried = carry(text.as_bytes(), &limits).unwrap();
    assert_eq!(carried.deployment_id.as_deref(), Some("d2"));
    assert_eq!(values(&carried)[0]["modelId"], "m2");
}

#[test]
fn sums_have_the_servers_shape() {
    let numbers = json!({"count": 2, "missingCount": 1, "min": 1.0, "max": 2.0, "sum": 3.0, "sumOfSquares": 5.0,
        "histogram": {"maxLength": 10, "bucketList": [{"centroid": 1.0, "count": 1}, {"centroid": 2.0, "count": 1}]}});
    let data = json!({"modelId": "m", "numericAggregateMap": {"age": numbers},
        "categoricalAggregateMap": {"sex": {"count": 3, "missingCount": 0, "categoryCounts": {"f": 1, "m": 2}}},
        "predictionAggregateMap": {"0": numbers},
        "segmentAttributesAggregatedStats": {"segmentStatsMap": {}}});
    let carried = carry(&message("PREDICTION_STATS", &data), &CarryLimits::default()).unwrap();
    let stats = json!({"count": 2, "min": 1.0, "max": 2.0, "sum": 3.0, "sumOfSquares": 5.0,
        "histogram": {"centroids": [1.0, 2.0], "counts": [1, 1]}});
    assert_eq!(carried.kind, Kind::Stats);
    assert_eq!(
        values(&carried)[0]["features"],
        json!([{"name": "age", "stats": {"numericStats": stats, "missingCount": 1}},
            {"name": "sex", "stats": {"count": 3, "missingCount": 0, "categories": {"values": ["f", "m"], "counts": [1, 2]}}}])
    );
    assert_eq!(values(&carried)[0]["predictions"], stats);
}

#[test]
fn events_and_metrics_travel_alone() {
    let event = json!({"timestamp": "t", "eventType": "e", "message": "m", "deploymentId": "d9", "data": {"k": 1}});
    let carried = carry(&message("EVENT", &event), &CarryLimits::default()).unwrap();
    assert_eq!((carried.kind.clone(), carried.deployment_id.as_deref()), (Kind::Event, Some("d9")));
    assert_eq!(values(&carried)[0]["data"], json!({"k": 1}));
    let metric = json!({"modelId": null, "customMetricId": "c", "buckets": [{"timestamp": "t", "value": 3.25}]});
    let carried = carry(&message("CUSTOM_METRIC", &metric), &CarryLimits::default()).unwrap();
    assert_eq!(carried.kind, Kind::CustomMetric("c".into()));
    assert_eq!(values(&carried)[0]["modelId"], Value::Null);
    let ping =
        carry(&message("PING_MSG", &json!({"message": "hello"})), &CarryLimits::default()).unwrap();
    assert_eq!((ping.kind, ping.pieces.len()), (Kind::Ping, 0));
}
