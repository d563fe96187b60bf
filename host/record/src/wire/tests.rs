//! The wire form: pinned bytes, the shape that the public library writes, pieces, ids, odd values.

use std::num::NonZeroUsize;

use serde_json::Value;
use uuid::Uuid;

use super::{DataType, Limits, Message, RecordId, messages};
use crate::{
    Actual, ActualValue, ActualsRecord, Column, ModelDigest, Outcome, Payload, PredictionRecord,
    Record, Role, Rows, Values,
};

const ID: RecordId = RecordId { store: Uuid::from_u128(0x0a0b_0c0d), seq: 7 };
const WIDE: Limits = Limits { rows: NonZeroUsize::new(97).unwrap(), bytes: 1_000_000 };

/// What the public library 11.2.62 writes for the same facts, with made-up ids.
const LIBRARY: &str = include_str!("fixtures/library.jsonl");
/// Actuals that the library writes; two of them have no time, which we give them.
const LIBRARY_ACTUALS: &str = include_str!("fixtures/library-actuals.json");
/// What we write for them.
const OURS: &str = include_str!("fixtures/ours.jsonl");

fn record(rows: usize) -> Record<'static> {
    let numbers = |start: f64| (0..rows).map(|row| start + row as f64).collect::<Vec<_>>();
    Record {
        deployment_id: "65f0aa0000000000000000d1".into(),
        model_id: "65f0aa0000000000000000a1".into(),
        timestamp_us: 1_795_563_012_052_900,
        payload: Payload::Prediction(PredictionRecord {
            request_id: "r".into(),
            outcome: Outcome::Ok,
            status: 200,
            execution_us: 12_500,
            predictions: rows as u32,
            part: 0,
            rows: Some(Rows {
                columns: vec![
                    Column { name: "age".into(), values: Values::Numbers(numbers(59.0).into()) },
                    Column {
                        name: "plän \"x\"".into(),
                        values: Values::Texts(vec![Some("ü\n".into()); rows]),
                    },
                ],
                predictions: numbers(1.5).into(),
                association_ids: (0..rows).map(|row| format!("ts{row}").into()).collect(),
            }),
        }),
        model_digest: None,
        role: Role::Champion,
        gateway: None,
    }
}

/// The facts of [`LIBRARY_ACTUALS`].
fn actuals() -> Record<'static> {
    let actual = |association_id: &'static str, value| Actual {
        association_id: association_id.into(),
        value,
        acted_on: None,
        timestamp_us: None,
    };
    let actuals = vec![
        Actual {
            acted_on: Some(true),
            timestamp_us: Some(1_714_979_289_123_000),
            ..actual("row-1", ActualValue::Number(151.0))
        },
        actual("row-2", ActualValue::Number(75.0)),
        Actual { acted_on: Some(false), ..actual("3", ActualValue::Text("yes".into())) },
    ];
    Record {
        payload: Payload::Actuals(ActualsRecord { request_id: "r".into(), part: 0, actuals }),
        ..record(0)
    }
}

fn prediction<'a>(record: &'a mut Record<'static>) -> &'a mut PredictionRecord<'static> {
    match &mut record.payload {
        Payload::Prediction(prediction) => prediction,
        other => panic!("{other:?}"),
    }
}

fn data(message: &Message) -> Value {
    let envelope: Value = serde_json::from_slice(&message.body).unwrap();
    serde_json::from_str(envelope["data"].as_str().unwrap()).unwrap()
}

fn limits(rows: usize, bytes: usize) -> Limits {
    Limits { rows: NonZeroUsize::new(rows).unwrap(), bytes }
}

/// Keys in the order of the text, and the JSON type of each value.
fn shape(text: &str) -> Vec<(String, &'static str)> {
    struct Keys;
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = Vec<(String, &'static str)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            let mut keys = Vec::new();
            while let Some((key, value)) = map.next_entry::<String, Value>()? {
                let kind = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "bool",
                    Value::Number(_) => "number",
                    Value::String(_) => "string",
                    Value::Array(_) => "list",
                    Value::Object(_) => "object",
                };
                keys.push((key, kind));
            }
            Ok(keys)
        }
    }
    use serde::de::Deserializer as _;
    serde_json::Deserializer::from_str(text).deserialize_map(Keys).unwrap()
}

#[test]
fn the_wire_form_keeps_its_bytes() {
    let sent: Vec<String> = messages(&record(2), ID, WIDE)
        .into_iter()
        .map(|message| String::from_utf8(message.body).unwrap() + "\n")
        .collect();
    let version = format!("\"libVersion\":\"{}\"", env!("CARGO_PKG_VERSION"));
    assert_eq!(sent.concat().replace(&version, "\"libVersion\":\"VERSION\""), OURS);
}

#[test]
fn actuals_are_as_the_library_has_them_and_all_have_a_time() {
    let mut record = actuals();
    let sent = messages(&record, ID, WIDE);
    let [message] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(message.data_type, DataType::ActualsData);
    let theirs: Value = serde_json::from_str(LIBRARY_ACTUALS).unwrap();
    let mut theirs: Value = serde_json::from_str(theirs["data"].as_str().unwrap()).unwrap();
    let ours = data(message);
    let first = &ours["actualsList"][0];
    let keys: Vec<_> = shape(&first.to_string()).into_iter().map(|(key, _)| key).collect();
    let order: Vec<_> =
        shape(&theirs["actualsList"][0].to_string()).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, order);
    theirs["actualsList"][0]["timestamp"] = "2024-05-06 07:08:09.123+0000".into();
    for at in [1, 2] {
        theirs["actualsList"][at]["timestamp"] = "2026-11-24 23:30:12.052+0000".into();
    }
    assert_eq!(ours, theirs);
    // Our own reader has them back.
    record.gateway = Some("g".into());
    let sent = messages(&record, ID, WIDE);
    let read = super::read::Envelope::read(&sent[0].body).unwrap();
    let super::read::Payload::ActualsData(read) = read.payload else { panic!("{read:?}") };
    let ids: Vec<_> =
        read.actuals_list.iter().map(|actual| actual.association_id.as_str()).collect();
    assert_eq!(ids, ["row-1", "row-2", "3"]);
}

#[test]
fn actuals_come_in_pieces_with_ids_that_no_rows_have() {
    let of = |record: &Record<'_>, rows| messages(record, ID, limits(rows, usize::MAX));
    let sent = of(&actuals(), 2);
    let sizes: Vec<_> =
        sent.iter().map(|message| data(message)["actualsList"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [2, 1]);
    let name = [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 1, 9];
    assert_eq!(sent[1].id, Uuid::new_v5(&ID.store, &name));
    assert_eq!(of(&actuals(), 2), sent);
    let rows: Vec<_> = of(&record(3), 2).iter().map(|message| message.id).collect();
    assert!(sent.iter().all(|message| !rows.contains(&message.id)));
    assert_eq!(DataType::ActualsData.number(), u32::from(super::ACTUALS_NUMBER));
    let whole = of(&actuals(), 9)[0].body.len();
    assert_eq!(messages(&actuals(), ID, limits(9, whole - 1)).len(), 2);
    assert_eq!(messages(&actuals(), ID, limits(9, 1)).len(), 3);
}

#[test]
fn the_header_names_the_gateway_and_nothing_else_changes() {
    for record in [record(2), actuals()] {
        let named = Record { gateway: Some("ward \"3\"".into()), ..record.clone() };
        for (with, without) in messages(&named, ID, WIDE).iter().zip(messages(&record, ID, WIDE)) {
            let [with, without] =
                [&with.body, &without.body].map(|body| std::str::from_utf8(body).unwrap());
            assert_eq!(with.replacen(r#","gateway":"ward \"3\""}"#, "}", 1), without);
            let header = super::read::Envelope::read(with.as_bytes()).unwrap().header;
            assert_eq!(header.gateway.as_deref(), Some("ward \"3\""));
            let header = super::read::Envelope::read(without.as_bytes()).unwrap().header;
            assert_eq!(header.gateway, None);
        }
    }
}

#[test]
fn the_header_names_package_and_role_and_our_reader_keeps_them() {
    let record =
        Record { model_digest: Some(ModelDigest([0x0f; 32])), role: Role::Challenger, ..record(2) };
    let digest = format!("sha256:{}", "0f".repeat(32));
    let added = format!(",\"modelDigest\":\"{digest}\",\"role\":\"challenger\"}}");
    let without = Record { model_digest: None, role: Role::Champion, ..record.clone() };
    for (with, without) in messages(&record, ID, WIDE).iter().zip(messages(&without, ID, WIDE)) {
        let [with, without] =
            [&with.body, &without.body].map(|body| std::str::from_utf8(body).unwrap());
        // Nothing else changes, and the payload not at all.
        assert_eq!(with.replacen(&added, "}", 1), without);
        let header = super::read::Envelope::read(with.as_bytes()).unwrap().header;
        assert_eq!(header.model_digest.as_ref(), Some(&digest));
        assert_eq!(header.role.as_deref(), Some(Role::Challenger.name()));
        let header = super::read::Envelope::read(without.as_bytes()).unwrap().header;
        assert_eq!((header.model_digest, header.role), (None, None));
    }
    let champion = Record { role: Role::Champion, ..record };
    let body = String::from_utf8(messages(&champion, ID, WIDE).remove(0).body).unwrap();
    assert!(body.contains(&format!(",\"modelDigest\":\"{digest}\"}}")), "{body}");
}

#[test]
fn envelope_and_payloads_have_the_keys_types_and_order_of_the_library() {
    let ours = messages(&record(2), ID, WIDE);
    assert_eq!(ours.len(), LIBRARY.lines().count());
    for (theirs, ours) in LIBRARY.lines().zip(&ours) {
        let ours = std::str::from_utf8(&ours.body).unwrap();
        assert_eq!(shape(ours), shape(theirs));
        let [ours, theirs]: [Value; 2] =
            [ours, theirs].map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(shape(&ours["header"].to_string()), shape(&theirs["header"].to_string()));
        for key in ["deploymentId", "dataType", "dataFormat", "dataLen", "version", "reserved"] {
            assert_eq!(ours["header"][key], theirs["header"][key], "{key}");
        }
        let [ours, theirs] = [ours, theirs].map(|value| value["data"].as_str().unwrap().to_owned());
        assert_eq!(shape(&ours), shape(&theirs));
        let [ours, theirs]: [Value; 2] =
            [&ours, &theirs].map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(ours, theirs);
    }
}

#[test]
fn rows_are_cut_where_the_channel_says() {
    let sizes = |rows, limit| -> Vec<usize> {
        messages(&record(rows), ID, limits(limit, usize::MAX))
            .iter()
            .filter(|message| message.data_type == DataType::PredictionsData)
            .map(|message| data(message)["predictions"].as_array().unwrap().len())
            .collect()
    };
    assert_eq!(sizes(442, 97), [97, 97, 97, 97, 54]);
    assert_eq!(sizes(97, 97), [97]);
    assert_eq!(sizes(98, 97), [97, 1]);
    assert_eq!(sizes(0, 97), [0usize; 0]);
}

#[test]
fn pieces_hold_every_row_once_and_share_the_timestamp() {
    let sent = messages(&record(5), ID, limits(2, usize::MAX));
    let ids: Vec<Value> = sent[1..]
        .iter()
        .flat_map(|message| data(message)["associationIds"].as_array().unwrap().clone())
        .collect();
    assert_eq!(ids, ["ts0", "ts1", "ts2", "ts3", "ts4"]);
    let ages: Vec<Value> = sent[1..]
        .iter()
        .flat_map(|message| data(message)["features"]["age"].as_array().unwrap().clone())
        .collect();
    assert_eq!(ages, [59.0, 60.0, 61.0, 62.0, 63.0]);
    assert!(
        sent.iter().all(|message| data(message)["timestamp"] == "2026-11-24 23:30:12.052+0000")
    );
}

#[test]
fn a_piece_over_the_byte_limit_is_halved_down_to_one_row() {
    let whole = messages(&record(8), ID, WIDE)[1].body.len();
    assert_eq!(messages(&record(8), ID, limits(97, whole)).len(), 2);
    let cut = messages(&record(8), ID, limits(97, whole - 1));
    assert_eq!(cut.len(), 3);
    assert!(cut.iter().all(|message| message.body.len() < whole));
    assert_eq!(messages(&record(8), ID, limits(97, 1)).len(), 1 + 8);
}

#[test]
fn ids_repeat_for_the_same_record_and_differ_for_others() {
    let ids = |seq| -> Vec<Uuid> {
        let id = RecordId { seq, ..ID };
        messages(&record(5), id, limits(2, usize::MAX)).iter().map(|message| message.id).collect()
    };
    assert_eq!(ids(7), ids(7));
    let mut all = [ids(7), ids(8)].concat();
    assert_eq!(all[2], Uuid::new_v5(&ID.store, &[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 2]));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8);
}

#[test]
fn missing_values_and_odd_numbers_are_null() {
    let mut record = record(3);
    let rows = prediction(&mut record).rows.as_mut().unwrap();
    rows.columns[0].values = Values::Numbers(vec![f64::NAN, f64::INFINITY, -0.0].into());
    rows.columns[1].values = Values::Texts(vec![None, Some("a".into()), None]);
    rows.predictions = vec![f64::NAN, 0.1 + 0.2, f64::NEG_INFINITY].into();
    let data = data(&messages(&record, ID, WIDE)[1]);
    assert_eq!(data["features"]["age"], serde_json::json!([null, null, -0.0]));
    assert_eq!(data["features"]["plän \"x\""], serde_json::json!([null, "a", null]));
    assert_eq!(data["predictions"], serde_json::json!([null, 0.1 + 0.2, null]));
}

#[test]
fn only_part_0_speaks_of_the_request() {
    let mut record = record(2);
    prediction(&mut record).part = 1;
    let sent = messages(&record, ID, WIDE);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].data_type, DataType::PredictionsData);
}

#[test]
fn a_request_without_predictions_leaves_its_outcome() {
    for (outcome, user, system) in
        [(Outcome::UserError, true, false), (Outcome::SystemError, false, true)]
    {
        let mut record = record(0);
        prediction(&mut record).outcome = outcome;
        prediction(&mut record).rows = None;
        let sent = messages(&record, ID, WIDE);
        assert_eq!(sent.len(), 1);
        assert_eq!(data(&sent[0])["userError"], user);
        assert_eq!(data(&sent[0])["systemError"], system);
        assert_eq!(data(&sent[0])["numPredictions"], 0);
    }
}

#[test]
fn any_clock_gives_a_timestamp() {
    assert_eq!(super::timestamp(0), "1970-01-01 00:00:00.000+0000");
    assert_eq!(super::timestamp(i64::MAX), "9999-12-30 22:00:00.999+0000");
    assert!(super::timestamp(i64::MIN).starts_with('-'));
}

#[test]
fn other_rows_give_another_id_and_the_same_rows_the_same() {
    let ids = |limit| -> Vec<Uuid> {
        messages(&record(4), ID, limits(limit, usize::MAX)).iter().map(|m| m.id).collect()
    };
    let [whole, halves] = [ids(4), ids(2)];
    assert_eq!(whole, ids(4));
    assert_eq!(whole[0], halves[0]);
    assert!(!halves[1..].contains(&whole[1]));
    assert_ne!(halves[1], halves[2]);
}
