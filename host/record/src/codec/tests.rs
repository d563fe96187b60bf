//! The compact form: pinned bytes, round trips, and what is refused.

use std::borrow::Cow;

use proptest::prelude::*;

use super::DecodeError;
use crate::{
    Actual, ActualValue, ActualsRecord, Column, ModelDigest, Outcome, Payload, PredictionRecord,
    Record, Role, Rows, Values,
};

/// Form 1 of [`sample`] without package and role, as version 0.1 wrote it.
const FORM_1: &str = "\
    0102643102 6d31d0faedc2c2c3b006 00 0272 3100c801b9 600200 01 02\
    03616765 00 02 000000000000 3e40 000000000000f87f\
    04706c616e 01 02 01026131 00\
    02 333333333333f33f 00000000000000c0\
    02 0161 0162";

/// Form 2 of [`sample`] without the gateway, as version 0.1 wrote it later.
const FORM_2: &str = "\
    0202643102 6d31d0faedc2c2c3b006 00 0272 3100c801b9 600200 01 02\
    03616765 00 02 000000000000 3e40 000000000000f87f\
    04706c616e 01 02 01026131 00\
    02 333333333333f33f 00000000000000c0\
    02 0161 0162\
    01 abababababababababababababababababababababababababababababababab 01";

/// Form 3 of [`sample`], byte for byte. A change here is a new form.
const FORM_3: &str = "\
    0302643102 6d31d0faedc2c2c3b006 00 0272 3100c801b9 600200 01 02\
    03616765 00 02 000000000000 3e40 000000000000f87f\
    04706c616e 01 02 01026131 00\
    02 333333333333f33f 00000000000000c0\
    02 0161 0162\
    01 abababababababababababababababababababababababababababababababab 01\
    01 026731";

/// Form 3 of [`actuals`], byte for byte.
const ACTUALS: &str = "\
    0302643102 6d31d0faedc2c2c3b006 01 027231 00 02\
    0161 00 000000000000f83f 0101 01d0faedc2c2c3b006\
    0162 01 02c3bc 00 00\
    00 00 00";

fn sample() -> Record<'static> {
    Record {
        deployment_id: Cow::Borrowed("d1"),
        model_id: Cow::Borrowed("m1"),
        timestamp_us: 1_795_562_956_242_600,
        payload: Payload::Prediction(PredictionRecord {
            request_id: Cow::Borrowed("r1"),
            outcome: Outcome::Ok,
            status: 200,
            execution_us: 12_345,
            predictions: 2,
            part: 0,
            rows: Some(Rows {
                columns: vec![
                    Column {
                        name: "age".into(),
                        values: Values::Numbers(vec![30.0, f64::NAN].into()),
                    },
                    Column {
                        name: "plan".into(),
                        values: Values::Texts(vec![Some("a1".into()), None]),
                    },
                ],
                predictions: Cow::Borrowed(&[1.2, -2.0]),
                association_ids: vec!["a".into(), "b".into()],
            }),
        }),
        model_digest: Some(ModelDigest([0xab; 32])),
        role: Role::Canary,
        gateway: Some("g1".into()),
    }
}

fn actuals() -> Record<'static> {
    Record {
        payload: Payload::Actuals(ActualsRecord {
            request_id: "r1".into(),
            part: 0,
            actuals: vec![
                Actual {
                    association_id: "a".into(),
                    value: ActualValue::Number(1.5),
                    acted_on: Some(true),
                    timestamp_us: Some(1_795_562_956_242_600),
                },
                Actual {
                    association_id: "b".into(),
                    value: ActualValue::Text("ü".into()),
                    acted_on: None,
                    timestamp_us: None,
                },
            ],
        }),
        model_digest: None,
        role: Role::Champion,
        gateway: None,
        ..sample()
    }
}

fn prediction<'a>(record: &'a mut Record<'static>) -> &'a mut PredictionRecord<'static> {
    match &mut record.payload {
        Payload::Prediction(prediction) => prediction,
        other => panic!("{other:?}"),
    }
}

fn encoded(record: &Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.replace(' ', "");
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..][..2], 16).expect("the constant is hex"))
        .collect()
}

fn with_rows(change: impl FnOnce(&mut Rows<'static>)) -> Vec<u8> {
    let mut record = sample();
    change(prediction(&mut record).rows.as_mut().expect("the sample has rows"));
    encoded(&record)
}

#[test]
fn form_3_keeps_its_bytes() {
    assert_eq!(hex(&encoded(&sample())), FORM_3.replace(' ', ""));
    assert_eq!(hex(&encoded(&actuals())), ACTUALS.replace(' ', ""));
    assert_eq!(Record::decode(&unhex(ACTUALS)).unwrap(), actuals());
}

#[test]
fn form_2_is_still_read() {
    let form_2 = unhex(FORM_2);
    let read = Record::decode(&form_2).unwrap();
    assert!(matches!(read.deployment_id, Cow::Borrowed("d1")));
    let expected = Record { gateway: None, ..sample() };
    assert_eq!(format!("{read:?}"), format!("{expected:?}"));
    let longer = [&form_2[..], &[0]].concat();
    assert!(matches!(Record::decode(&longer), Err(DecodeError::LeftOver(1))));
    assert!(matches!(Record::decode(&form_2[..form_2.len() - 1]), Err(DecodeError::Damaged(_))));
}

#[test]
fn form_1_is_still_read() {
    let form_1 = unhex(FORM_1);
    let read = Record::decode(&form_1).unwrap();
    assert!(matches!(read.deployment_id, Cow::Borrowed("d1")));
    // By their texts: NaN does not equal itself.
    let expected = Record { model_digest: None, role: Role::Champion, gateway: None, ..sample() };
    assert_eq!(format!("{read:?}"), format!("{expected:?}"));
    let longer = [&form_1[..], &[0]].concat();
    assert!(matches!(Record::decode(&longer), Err(DecodeError::LeftOver(1))));
    assert!(matches!(Record::decode(&form_1[..form_1.len() - 1]), Err(DecodeError::Damaged(_))));
}

#[test]
fn encoding_appends_and_decoding_borrows() {
    let mut bytes = b"kept".to_vec();
    sample().encode(&mut bytes);
    assert_eq!(&bytes[..4], b"kept");
    let record = Record::decode(&bytes[4..]).expect("it was just written");
    assert!(matches!(record.model_id, Cow::Borrowed("m1")));
    assert_eq!(hex(&encoded(&record)), hex(&bytes[4..]));
}

#[test]
fn what_is_no_record_is_refused_with_the_reason() {
    assert!(matches!(Record::decode(&[]), Err(DecodeError::Empty)));
    let mut bytes = encoded(&sample());
    assert!(matches!(Record::decode(&bytes[..9]), Err(DecodeError::Damaged(_))));
    bytes.push(0);
    assert!(matches!(Record::decode(&bytes), Err(DecodeError::LeftOver(1))));
    bytes[0] = 4;
    assert!(matches!(Record::decode(&bytes), Err(DecodeError::Form(4))));
}

#[test]
fn uneven_rows_are_refused() {
    let short_ids = with_rows(|rows| drop(rows.association_ids.pop()));
    let long_column =
        with_rows(|rows| rows.columns[0].values = Values::Numbers(vec![0.0; 3].into()));
    for (bytes, name, count) in [(short_ids, "association ids", 1), (long_column, "age", 3)] {
        match Record::decode(&bytes) {
            Err(DecodeError::Uneven { what, found, rows: 2 }) => {
                assert_eq!((what.as_str(), found), (name, count));
            }
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _either = Record::decode(&bytes);
        for form in [1, 2, 3] {
            let _after_the_form = Record::decode(&[&[form], &bytes[..]].concat());
        }
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0usize..130, to: u8) {
        for record in [sample(), actuals()] {
            let mut bytes = encoded(&record);
            let at = at % bytes.len();
            bytes[at] = to;
            let _either = Record::decode(&bytes);
        }
    }

    #[test]
    fn what_is_written_is_read(
        texts in prop::collection::vec(prop::option::of(".*"), 0..9), us: i64, status: u16, part: u32,
    ) {
        let mut record = sample();
        record.timestamp_us = us;
        let prediction = prediction(&mut record);
        (prediction.status, prediction.part) = (status, part);
        prediction.rows = Some(Rows {
            columns: vec![Column {
                name: "näme".into(),
                values: Values::Texts(texts.iter().cloned().map(|t| t.map(Cow::Owned)).collect()),
            }],
            predictions: texts.iter().map(|_| f64::from(status)).collect::<Vec<_>>().into(),
            association_ids: texts.iter().map(|_| "id".into()).collect(),
        });
        let bytes = encoded(&record);
        prop_assert_eq!(Record::decode(&bytes).unwrap(), record);
    }
}
