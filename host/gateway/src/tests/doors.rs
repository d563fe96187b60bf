//! The doors by themselves: one meaning, whatever the syntax, and no input that hurts.

use proptest::prelude::*;

use super::harness::features;
use crate::{
    batch::{Batch, Rows},
    door::Door,
    fault::{BadRequest, Reason},
    schema::Schema,
    settings::UnknownNames,
};

fn schema() -> Schema {
    Schema::new(&features(), "id").unwrap()
}

fn decode<'b>(door: Door, text: &'b [u8], unknown: UnknownNames) -> Result<Batch<'b>, BadRequest> {
    door.decode(text, Rows::new(&schema(), unknown, 100))
}

/// What must be the same through every door.
type Plain = (u32, Vec<u64>, Vec<Option<String>>, Vec<Option<String>>);

fn plain(batch: Batch<'_>) -> Plain {
    let mut ids: Vec<_> =
        batch.association_ids.into_iter().map(|id| id.map(|id| id.into_owned())).collect();
    ids.resize(batch.rows as usize, None);
    let texts = batch.texts.into_iter().map(|text| text.map(|text| text.into_owned())).collect();
    (batch.rows, batch.numbers.iter().map(|number| number.to_bits()).collect(), texts, ids)
}

fn read(door: Door, text: &[u8]) -> Plain {
    let text = text.to_vec();
    plain(decode(door, &text, UnknownNames::Refuse).unwrap_or_else(|bad| panic!("{bad:?}")))
}

#[derive(Clone, Debug)]
struct Row {
    a: Option<f64>,
    b: Option<f64>,
    c: Option<String>,
    id: Option<String>,
    /// How numbers are spelled.
    spelling: u8,
}

impl Row {
    fn number(&self, number: Option<f64>) -> String {
        match (number, self.spelling % 3) {
            (None, _) => String::new(),
            (Some(number), 0) => format!("{number}"),
            (Some(number), 1) => format!("{number:e}"),
            (Some(number), _) => format!("{number:?}"),
        }
    }

    fn fields(&self) -> [(&'static str, String); 4] {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            ("c", text(&self.c)),
            ("a", self.number(self.a)),
            ("id", text(&self.id)),
            ("b", self.number(self.b)),
        ]
    }

    fn form(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.fields()).finish()
    }

    fn json(&self) -> String {
        let literal = |text: String| if text.is_empty() { "null".to_owned() } else { text };
        let string = |text: &Option<String>| serde_json::to_string(text).unwrap();
        format!(
            r#"{{"b": {}, "id": {}, "c": {}, "a": {}}}"#,
            literal(self.number(self.b)),
            string(&self.id),
            string(&self.c),
            literal(self.number(self.a)),
        )
    }
}

fn csv(rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["c", "a", "id", "b"]).unwrap();
    for row in rows {
        writer.write_record(row.fields().map(|(_, value)| value)).unwrap();
    }
    writer.into_inner().unwrap()
}

fn row() -> impl Strategy<Value = Row> {
    let number =
        || proptest::option::of(any::<f64>().prop_filter("finite", |number| number.is_finite()));
    let text = || {
        proptest::option::of(prop_oneof!["red|green|1|true", "\\PC{1,20}", "[ ,;\"'&=+%\r\n]{1,6}"])
    };
    (number(), number(), text(), proptest::option::of("\\PC{1,30}"), any::<u8>())
        .prop_map(|(a, b, c, id, spelling)| Row { a, b, c, id, spelling })
}

proptest! {
    #[test]
    fn one_row_is_the_same_through_every_door(row in row()) {
        let form = read(Door::Form, row.form().as_bytes());
        prop_assert_eq!(&form, &read(Door::Json, row.json().as_bytes()));
        prop_assert_eq!(&form, &read(Door::Json, format!(" [{}]\n", row.json()).as_bytes()));
        prop_assert_eq!(&form, &read(Door::Csv, &csv(std::slice::from_ref(&row))));
    }

    #[test]
    fn rows_are_the_same_as_json_and_as_csv(rows in proptest::collection::vec(row(), 1..20)) {
        let objects: Vec<String> = rows.iter().map(Row::json).collect();
        let json = format!("[{}]", objects.join(","));
        prop_assert_eq!(read(Door::Json, json.as_bytes()), read(Door::Csv, &csv(&rows)));
    }

    #[test]
    fn no_bytes_hurt(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for door in [Door::Form, Door::Json, Door::Csv] {
            for unknown in [UnknownNames::Refuse, UnknownNames::Ignore] {
                drop(decode(door, &bytes, unknown));
            }
        }
    }

    #[test]
    fn no_damaged_rows_hurt(rows in proptest::collection::vec(row(), 1..4), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let json = format!("[{}]", rows.iter().map(Row::json).collect::<Vec<_>>().join(","));
        for (door, text) in [
            (Door::Form, rows[0].form().into_bytes()),
            (Door::Json, json.into_bytes()),
            (Door::Csv, csv(&rows)),
        ] {
            let mut text = text;
            let at = at.index(text.len());
            text[at] = byte;
            drop(decode(door, &text, UnknownNames::Ignore));
            text.truncate(at);
            drop(decode(door, &text, UnknownNames::Ignore));
        }
    }
}

#[test]
fn values_land_where_their_names_say() {
    let (rows, numbers, texts, ids) = read(Door::Form, b"c=green&b=-2.5&a=3e1&id=x%20y");
    assert_eq!(rows, 1);
    assert_eq!(numbers, [30.0f64, -2.5, 1.0].map(f64::to_bits));
    assert_eq!(texts, [Some("green".to_owned())]);
    assert_eq!(ids, [Some("x y".to_owned())]);
}

#[test]
fn nothing_and_null_are_missing_through_every_door() {
    let missing = read(Door::Json, br#"{"a": 1, "b": null, "c": null}"#);
    for same in [&b"a=1&b=null&c=null"[..], b"a=1&b=&c=", b"a=1"] {
        assert_eq!(read(Door::Form, same), missing);
    }
    assert_eq!(read(Door::Csv, b"a,b,c\n1,null,null\n"), missing);
    assert_eq!(read(Door::Csv, b"a,b,c\n1,,\n"), missing);
}

#[test]
fn unknown_levels_are_minus_one_and_keep_their_text() {
    let (_, numbers, texts, _) = read(Door::Json, br#"{"a":1,"c":"blue"}"#);
    assert_eq!(f64::from_bits(numbers[2]), -1.0);
    assert_eq!(texts, [Some("blue".to_owned())]);
}

#[test]
fn json_numbers_and_booleans_name_levels_by_their_plain_text() {
    for (value, code) in
        [("1", 2.0), ("1.0", 2.0), ("10e-1", 2.0), ("true", 3.0), ("false", -1.0), ("-0", -1.0)]
    {
        let text = format!(r#"{{"c": {value}}}"#);
        let (_, numbers, texts, _) = read(Door::Json, text.as_bytes());
        assert_eq!(f64::from_bits(numbers[2]), code, "{value}");
        assert!(value != "-0" || texts == [Some("0".to_owned())]);
    }
}

#[test]
fn ignored_names_are_counted() {
    let batch =
        decode(Door::Json, br#"[{"a":1,"x":[{}],"y":"z"},{"x":1,"b":2}]"#, UnknownNames::Ignore)
            .unwrap();
    assert_eq!(batch.unknown_names, 3);
    let none = decode(Door::Json, br#"{"x":1}"#, UnknownNames::Ignore).unwrap_err();
    assert!(matches!(none.reason, Reason::NothingGiven));
}

#[test]
fn the_row_limit_is_exact() {
    let row = "1,2,red\n";
    let text = |rows: usize| format!("a,b,c\n{}", row.repeat(rows)).into_bytes();
    assert_eq!(read(Door::Csv, &text(100)).0, 100);
    let bad = decode(Door::Csv, &text(101), UnknownNames::Refuse).unwrap_err();
    assert!(matches!(bad.reason, Reason::TooManyRows { limit: 100 }));
}

#[test]
fn the_association_id_limit_is_exact_and_counts_characters() {
    let fits = format!("a=1&id={}", "%C3%A4".repeat(128));
    assert_eq!(read(Door::Form, fits.as_bytes()).3, [Some("ä".repeat(128))]);
    let long = format!("a=1&id={}", "x".repeat(129));
    let bad = decode(Door::Form, long.as_bytes(), UnknownNames::Refuse).unwrap_err();
    assert!(matches!(bad.reason, Reason::AssociationIdTooLong));
}

#[test]
fn csv_takes_a_byte_order_mark_and_windows_lines() {
    let (rows, numbers, ..) = read(Door::Csv, "\u{feff}a,b\r\n1,2\r\n\r\n3,\"4\"\r\n".as_bytes());
    assert_eq!(rows, 2);
    assert_eq!(f64::from_bits(numbers[4]), 4.0);
}
