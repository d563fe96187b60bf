//! Everything that the library wrote, everything that its readers were given, and much that nobody should write.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::wire::binary::tests::framed;
use crate::wire::{Limits, Moment, RecordId, messages};
use crate::{Column, Outcome, PredictionRecord, Record, Rows, Values};

/// One message a line, from the brokers and the spool file that the library 11.2.62 wrote to.
const CHANNELS: [(&str, &str); 3] = [
    ("kafka", include_str!("fixtures/kafka.jsonl")),
    ("rabbitmq", include_str!("fixtures/rabbitmq.jsonl")),
    ("filesystem", include_str!("fixtures/filesystem.jsonl")),
];
/// From older libraries.
const OLD: [(&str, &str); 3] = [
    ("8.2.14", include_str!("fixtures/library-8.2.14.jsonl")),
    ("9.2.18", include_str!("fixtures/library-9.2.18.jsonl")),
    ("10.2.8", include_str!("fixtures/library-10.2.8.jsonl")),
];
/// The same library's binary form.
const BINARY: &[u8] = include_bytes!("fixtures/binary.spool");
/// Messages made by hand: number, what is odd about them, the bytes.
const VARIANTS: &str = include_str!("fixtures/variants.json");

/// A payload without what is null, which says as much as what is not there.
fn without_nulls(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            for value in map.values_mut() {
                *value = without_nulls(value.take());
            }
        }
        Value::Array(values) => {
            for value in values {
                *value = without_nulls(value.take());
            }
        }
        _scalar => {}
    }
    value
}

/// Checks that a message is read as it is: each field of header and payload, none more and none less.
#[track_caller]
fn check_whole(line: &str) -> Envelope {
    let json: Value = serde_json::from_str(line).unwrap();
    let read = Envelope::read(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
    let header = &json["header"];
    assert_eq!(read.header.id.as_deref(), header["id"].as_str());
    assert_eq!(read.header.deployment_id.as_deref(), header["deploymentId"].as_str());
    assert_eq!(read.header.data_type.name(), header["dataType"]);
    assert_eq!(read.header.version, header["version"].as_i64());
    assert_eq!(read.header.language.as_deref(), header["language"].as_str());
    assert_eq!(read.header.lib_version.as_deref(), header["libVersion"].as_str());
    let data: Value = serde_json::from_str(json["data"].as_str().unwrap()).unwrap();
    let again = serde_json::to_value(&read.payload).unwrap();
    assert_eq!(without_nulls(again), without_nulls(data));
    assert_eq!(read.payload.data_type(), read.header.data_type);
    assert!(extra(&read.payload).is_empty(), "{line}");
    read
}

/// Fields that were not known.
fn extra(payload: &Payload) -> &serde_json::Map<String, Value> {
    match payload {
        Payload::DeploymentStats(it) => &it.extra,
        Payload::PredictionsData(it) => &it.extra,
        Payload::Event(it) => &it.extra,
        Payload::ActualsData(it) => &it.extra,
        Payload::PredictionStats(it) => &it.extra,
        Payload::CustomMetric(it) => &it.extra,
        Payload::Ping(it) => &it.extra,
    }
}

#[test]
fn all_that_the_library_writes_is_read_whole() {
    for (channel, text) in CHANNELS {
        let read: Vec<Envelope> = text.lines().map(check_whole).collect();
        assert_eq!(read.len(), 22, "{channel}");
        for kind in DataType::ALL {
            assert!(read.iter().any(|it| it.header.data_type == kind), "{channel} {kind:?}");
        }
    }
}

#[test]
fn old_libraries_are_read_and_say_less() {
    for (version, text) in OLD {
        for line in text.lines() {
            let read = check_whole(line);
            assert_eq!(read.header.lib_version.as_deref(), Some(version));
            if let Payload::DeploymentStats(stats) = read.payload {
                let says = stats.user_error.is_some() && stats.system_error.is_some();
                assert_eq!(says, version == "10.2.8");
            }
        }
    }
}

#[test]
fn the_binary_form_says_the_same_as_json_but_for_the_id() {
    let mut rest = BINARY;
    let mut found = Vec::new();
    while let binary::Begins::Frame(length) = binary::begins(rest) {
        let read = Envelope::read_binary(&rest[..length]).unwrap();
        assert_eq!(
            (read.header.id.as_ref(), read.deployment_id()),
            (None, Some("65f0aa0000000000000000d1"))
        );
        let payload: Value =
            serde_json::from_slice(binary::record(&rest[..length]).unwrap().payload).unwrap();
        assert_eq!(
            without_nulls(serde_json::to_value(&read.payload).unwrap()),
            without_nulls(payload)
        );
        found.push(read.header.data_type);
        rest = &rest[length..];
    }
    let expected = [
        DataType::DeploymentStats,
        DataType::PredictionsData,
        DataType::ActualsData,
        DataType::Event,
        DataType::Event,
        DataType::PredictionStats,
    ];
    assert_eq!(found, expected);
    let read = |deployment, kind| Envelope::read_binary(&framed(deployment, kind, "{}", true));
    assert!(matches!(read("d", 12), Ok(Envelope { payload: Payload::Ping(_), .. })));
    assert!(matches!(read("d", 4), Err(ReadError::DataType { name }) if name == "4"));
    assert!(
        matches!(read("", 3), Err(ReadError::Missing { field }) if field == "header.deploymentId")
    );
    assert!(matches!(Envelope::read_binary(b"{}"), Err(ReadError::Binary(BinaryError::NoFrame))));
}

/// The variants that are an error, and what it says. All others are read.
const REFUSED: [(u64, &str); 9] = [
    (13, "there is no data type \"deployment_stats\""),
    (14, "`header.dataType` must be a name such as \"DEPLOYMENT_STATS\", not that number"),
    (37, "`features.a` has 1 values for 2 rows"),
    (38, "`associationIds` has 1 values for 2 rows"),
    (41, "it has neither `features` nor `predictions`"),
    (43, "it is not JSON"),
    (44, "`header` is missing"),
    (45, "there is no data type \"FUTURE_TYPE\""),
    (46, "`header.deploymentId` is missing"),
];

#[test]
fn every_variant_is_read_or_refused_with_the_reason() {
    let variants: Vec<(u64, String, String)> = serde_json::from_str(VARIANTS).unwrap();
    assert_eq!(variants.len(), 49);
    for (number, about, bytes) in variants {
        let read = Envelope::read(bytes.as_bytes());
        match (read, REFUSED.iter().find(|(refused, _)| *refused == number)) {
            (Err(error), Some((_, why))) => {
                assert!(error.to_string().contains(why), "{about}: {error}")
            }
            (Ok(envelope), None) => check_variant(number, &about, &envelope),
            (read, refused) => panic!("{number} {about}: {read:?}, expected {refused:?}"),
        }
    }
}

/// What is odd about a variant must not change what it says.
fn check_variant(number: u64, about: &str, envelope: &Envelope) {
    assert_eq!(
        envelope.deployment_id(),
        Some(format!("65f0aa0000000000{number:08}").as_str()),
        "{about}"
    );
    let header = &envelope.header;
    match number {
        2 => assert_eq!(header.id, None),
        4 => assert_eq!(header.lib_version, None),
        5 => assert_eq!(header.language, None),
        6 => assert_eq!(header.version, None),
        9 => assert_eq!(header.version, Some(1)),
        10 => assert_eq!(header.version, Some(3)),
        _other => assert!(header.id.is_some() && header.version == Some(2), "{about}"),
    }
    match &envelope.payload {
        Payload::DeploymentStats(stats) => check_stats(number, about, stats),
        Payload::PredictionsData(data) => check_data(number, about, data),
        Payload::ActualsData(actuals) => {
            let id = if number == 48 { "5" } else { "a" };
            assert_eq!(actuals.actuals_list.len(), 1);
            assert_eq!(actuals.actuals_list[0].association_id, id, "{about}");
            assert_eq!(actuals.actuals_list[0].actual_value, 1.0, "{about}");
            assert_eq!(actuals.model_id.is_none(), number == 47, "{about}");
        }
        other => panic!("{about}: {other:?}"),
    }
}

fn check_stats(number: u64, about: &str, stats: &DeploymentStats) {
    let predictions = if number == 31 { 2 } else { number as i64 };
    assert_eq!(stats.num_predictions, Some(predictions), "{about}");
    let time = stats.execution_time.as_ref().and_then(serde_json::Number::as_f64);
    assert_eq!(time, Some(if number == 30 { 7.0 } else { 1.5 }), "{about}");
    assert_eq!(stats.model_id.is_none(), number == 28, "{about}");
    assert_eq!(stats.user_error, (number != 32).then_some(false), "{about}");
    let foo = stats.extra.get("foo").cloned();
    assert_eq!(foo, (number == 21).then(|| json!(1)), "{about}");
    let moment = stats.timestamp.as_ref().map(Timestamp::moment);
    let instant = |text: &str| Some(Moment::Instant(text.parse().unwrap()));
    let expected = match number {
        25 => Some(Moment::Local("2026-11-24T23:29:16.242123".parse().unwrap())),
        26 => None,
        27 => instant("2026-11-24T23:29:16.253Z"),
        _other => instant("2026-11-24T23:29:16.242Z"),
    };
    assert_eq!(moment, expected, "{about}");
}

fn check_data(number: u64, about: &str, data: &PredictionsData) {
    let features = serde_json::to_value(data.features.as_ref().unwrap()).unwrap();
    let [a, c] =
        [json!({"name": "a", "values": [1.0, 2.0]}), json!({"name": "c", "values": ["x", null]})];
    assert_eq!(features, if number == 35 { json!([a]) } else { json!([a, c]) }, "{about}");
    let predictions = serde_json::to_value(&data.predictions).unwrap();
    let expected = match number {
        39 | 40 => json!([1.5, null]),
        42 => json!([[0.1, 0.9], [0.3, 0.7]]),
        _other => json!([1.5, 2.5]),
    };
    assert_eq!(predictions, expected, "{about}");
    let ids = serde_json::to_value(&data.association_ids).unwrap();
    assert_eq!(ids, if number == 36 { json!(["1", "2"]) } else { json!(["p", "q"]) }, "{about}");
}

/// A message of this kind with this payload.
fn message(kind: &str, data: &Value) -> Vec<u8> {
    let header = json!({"deploymentId": "d", "dataType": kind});
    json!({"header": header, "data": data.to_string()}).to_string().into_bytes()
}

#[test]
fn what_cannot_be_used_is_named() {
    let rows = |data: Value| message("PREDICTIONS_DATA", &data);
    let stats = |data: Value| message("DEPLOYMENT_STATS", &data);
    let header = |text: &str| text.as_bytes().to_vec();
    let table: [(Vec<u8>, &str); 31] = [
        (header(""), "it is not JSON"),
        (header("[1]"), "it is not an object with `header` and `data`"),
        (header("\"header\""), "it is not an object"),
        (header(r#"{"header":[]}"#), "`header` must be an object, not a list"),
        (header(r#"{"header":{}}"#), "`header.dataType` is missing"),
        (header(r#"{"header":{"dataType":"PING_MSG"}}"#), "`data` is missing"),
        (
            header(r#"{"header":{"dataType":"PING_MSG"},"data":5}"#),
            "`data` must be an object in a text, not that number",
        ),
        (
            header(r#"{"header":{"dataType":"PING_MSG"},"data":"[]"}"#),
            "`data` must be an object in a text",
        ),
        (header(r#"{"header":{"dataType":"PING_MSG"},"data":"{"}"#), "`data` does not hold JSON"),
        (
            header(r#"{"header":{"dataType":"PING_MSG","dataFormat":"xml"},"data":"{}"}"#),
            "`header.dataFormat` must be \"json\"",
        ),
        (
            header(r#"{"header":{"dataType":"EVENT","deploymentId":[]},"data":"{}"}"#),
            "`header.deploymentId` must be a text, not a list",
        ),
        (
            header(r#"{"header":{"dataType":"ACTUALS_DATA","deploymentId":""},"data":"{}"}"#),
            "`header.deploymentId` is missing",
        ),
        (
            stats(json!({"numPredictions": 2.5})),
            "`numPredictions` must be a whole number, not that number",
        ),
        (
            stats(json!({"numPredictions": "two"})),
            "`numPredictions` must be a number, not that text",
        ),
        (stats(json!({"executionTime": {}})), "`executionTime` must be a number, not an object"),
        (stats(json!({"userError": 1})), "`userError` must be true or false, not that number"),
        (stats(json!({"timestamp": true})), "`timestamp` must be a time, not true or false"),
        (
            rows(json!({"features": {"a": 1}, "predictions": [1]})),
            "`features.a` must be a list, not that number",
        ),
        (
            rows(json!({"features": "a", "predictions": [1]})),
            "`features` must be an object of lists, not that text",
        ),
        (rows(json!({"features": [{"values": []}]})), "`features[0].name` is missing"),
        (rows(json!({"features": [{"name": "a"}]})), "`features[0].values` is missing"),
        (rows(json!({"features": {"a": [1], "b": []}})), "`features.b` has 0 values for 1 rows"),
        (rows(json!({"features": {}})), "it has neither"),
        (
            rows(json!({"predictions": [1, true]})),
            "`predictions[1]` must be a number, a list of numbers or a text",
        ),
        (
            rows(json!({"predictions": [[0.5, "x"]]})),
            "`predictions[0][1]` must be a number, not that text",
        ),
        (
            rows(json!({"features": {"a": [1]}, "associationIds": ["x", "y"]})),
            "`associationIds` has 2 values for 1 rows",
        ),
        (message("ACTUALS_DATA", &json!({})), "`actualsList` is missing"),
        (
            message("ACTUALS_DATA", &json!({"actualsList": [{"associationId": "a"}, {}]})),
            "`actualsList[1].associationId` is missing",
        ),
        (message("CUSTOM_METRIC", &json!({"buckets": []})), "`customMetricId` is missing"),
        (
            message(
                "PREDICTION_STATS",
                &json!({"numericAggregateMap": {"x": {"count": 1, "histogram": {"bucketList": [{"count": 1}]}}}}),
            ),
            "`numericAggregateMap.x.histogram.bucketList[0].centroid` is missing",
        ),
        (
            message(
                "PREDICTION_STATS",
                &json!({"segmentAttributesAggregatedStats": {"segmentStatsMap": {"s": {"v": {"categoricalAggregateMap": {"c": {"count": 1, "categoryCounts": {"k": null}}}}}}}}),
            ),
            "`segmentAttributesAggregatedStats.segmentStatsMap.s.v.categoricalAggregateMap.c.categoryCounts.k` is missing",
        ),
    ];
    for (bytes, why) in table {
        let text = String::from_utf8_lossy(&bytes);
        let error = Envelope::read(&bytes).expect_err(&text).to_string();
        assert!(error.contains(why), "{text}\n{error}\n{why}");
    }
}

#[test]
fn an_error_shows_no_value() {
    let bytes = message(
        "PREDICTIONS_DATA",
        &json!({"features": {"a": "canary"}, "predictions": ["canary"]}),
    );
    let error = Envelope::read(&bytes).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
}

#[test]
fn features_keep_their_order_and_whole_numbers_their_digits() {
    let bytes = br#"{"header":{"dataType":"PREDICTIONS_DATA","deploymentId":7},
        "data":{"predictions":["1.5",null],"features":{"z":[9007199254740993,-5],"a":[NaN,-Infinity]}}}"#;
    let read = Envelope::read(bytes).unwrap();
    assert_eq!(read.deployment_id(), Some("7"));
    let Payload::PredictionsData(data) = read.payload else { panic!("{read:?}") };
    let features = data.features.unwrap();
    assert_eq!((features[0].name.as_str(), features[1].name.as_str()), ("z", "a"));
    assert_eq!(features[0].values, [json!(9_007_199_254_740_993_u64), json!(-5)]);
    assert_eq!(features[1].values, [Value::Null, Value::Null]);
    assert_eq!(
        data.predictions,
        Some(vec![Prediction::Text("1.5".to_owned()), Prediction::Missing])
    );
}

#[test]
fn an_event_may_name_its_deployment_itself() {
    let read = |header: Value, data: Value| {
        let bytes = json!({"header": header, "data": data}).to_string();
        Envelope::read(bytes.as_bytes()).unwrap().deployment_id().map(str::to_owned)
    };
    let none = json!({"dataType": "EVENT"});
    assert_eq!(read(none.clone(), json!({"deploymentId": "e"})), Some("e".to_owned()));
    assert_eq!(read(none.clone(), json!({})), None);
    assert_eq!(
        read(json!({"dataType": "EVENT", "deploymentId": "d"}), json!({})),
        Some("d".to_owned())
    );
}

/// A record of a few rows.
fn some_record() -> impl Strategy<Value = Record<'static>> {
    let number = prop_oneof![any::<f64>(), (-1000i32..1000).prop_map(f64::from)];
    let row = (number.clone(), proptest::option::of(".*"), number, ".*");
    let rows = proptest::collection::vec(row, 0..8);
    let request = (any::<i32>(), 0..1_u64 << 40, 0..3u8);
    (".+", ".+", rows, request).prop_map(
        |(deployment, model, rows, (seconds, execution_us, outcome))| {
            let columns = vec![
                Column {
                    name: "number".into(),
                    values: Values::Numbers(rows.iter().map(|row| row.0).collect()),
                },
                Column {
                    name: "text".into(),
                    values: Values::Texts(
                        rows.iter().map(|row| row.1.clone().map(Into::into)).collect(),
                    ),
                },
            ];
            Record {
                deployment_id: deployment.into(),
                model_id: model.into(),
                timestamp_us: i64::from(seconds) * 1_000_000,
                payload: crate::Payload::Prediction(PredictionRecord {
                    request_id: "r".into(),
                    outcome: [Outcome::Ok, Outcome::UserError, Outcome::SystemError]
                        [usize::from(outcome)],
                    status: 200,
                    execution_us,
                    predictions: rows.len() as u32,
                    part: 0,
                    rows: Some(Rows {
                        columns,
                        predictions: rows.iter().map(|row| row.2).collect(),
                        association_ids: rows.iter().map(|row| row.3.clone().into()).collect(),
                    }),
                }),
                model_digest: None,
                role: crate::Role::Champion,
                gateway: None,
            }
        },
    )
}

/// Numbers as they are after a journey in JSON.
fn sent(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
}

proptest! {
    #[test]
    fn what_we_write_reads_back_equal(record in some_record(), limit in 1..5usize) {
        let id = RecordId { store: uuid::Uuid::from_u128(1), seq: 2 };
        let limits = Limits { rows: std::num::NonZeroUsize::new(limit).unwrap(), bytes: 1 << 20 };
        let written = messages(&record, id, limits);
        let crate::Payload::Prediction(prediction) = &record.payload else { unreachable!() };
        let rows = prediction.rows.as_ref().unwrap();
        let mut first = 0;
        for message in &written {
            let read = Envelope::read(&message.body).unwrap();
            prop_assert_eq!(read.header.id.clone(), Some(message.id.to_string()));
            prop_assert_eq!(read.deployment_id(), Some(&*record.deployment_id));
            prop_assert_eq!(read.header.data_type, message.data_type);
            match read.payload {
                Payload::DeploymentStats(stats) => {
                    prop_assert_eq!(stats.model_id.as_deref(), Some(&*record.model_id));
                    prop_assert_eq!(stats.num_predictions, Some(i64::from(prediction.predictions)));
                    let time = stats.execution_time.and_then(|time| time.as_f64());
                    prop_assert_eq!(time, Some(prediction.execution_us as f64 / 1000.0));
                    prop_assert_eq!(stats.user_error, Some(prediction.outcome == Outcome::UserError));
                    prop_assert_eq!(stats.system_error, Some(prediction.outcome == Outcome::SystemError));
                    let moment = stats.timestamp.map(|timestamp| timestamp.moment());
                    let expected = jiff::Timestamp::from_microsecond(record.timestamp_us).unwrap();
                    prop_assert_eq!(moment, Some(Moment::Instant(expected)));
                }
                Payload::PredictionsData(data) => {
                    let range = first..first + data.rows();
                    first = range.end;
                    let columns: Vec<Feature> = rows.columns.iter().map(|column| Feature {
                        name: column.name.clone().into_owned(),
                        values: match &column.values {
                            Values::Numbers(values) => values[range.clone()].iter().copied().map(sent).collect(),
                            Values::Texts(values) => {
                                values[range.clone()].iter().map(|text| json!(text)).collect()
                            }
                        },
                    }).collect();
                    prop_assert_eq!(data.features, Some(columns));
                    let predictions: Vec<Value> =
                        rows.predictions[range.clone()].iter().copied().map(sent).collect();
                    prop_assert_eq!(serde_json::to_value(&data.predictions).unwrap(), json!(predictions));
                    let ids: Vec<Option<String>> =
                        rows.association_ids[range].iter().map(|id| Some(id.clone().into_owned())).collect();
                    prop_assert_eq!(data.association_ids, Some(ids));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert_eq!(first, rows.predictions.len());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _any = Envelope::read(&bytes);
        let _any = Envelope::read_binary(&bytes);
    }

    #[test]
    fn no_json_makes_it_panic(kind in 0..7usize, field in "[a-zA-Z]{1,16}|features|predictions|actualsList|buckets", value in any_json()) {
        let _any = Envelope::read(&message(DataType::ALL[kind].name(), &json!({field: value})));
    }

    #[test]
    fn changed_messages_do_not_make_it_panic(line in 0..22usize, at in 0..6000usize, to: u8) {
        let mut bytes = CHANNELS[0].1.lines().nth(line).unwrap().as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = to;
        let _any = Envelope::read(&bytes);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((".{0,6}|name|values|count", inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
