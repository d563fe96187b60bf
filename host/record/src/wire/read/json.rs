//! JSON as others write it, into values.
//!
//! Two things that plain values would lose are kept: the order of the features, because a server that takes only so
//! many takes the first ones; and a message whose numbers are not JSON at all, because Python writes `NaN` when
//! nobody stops it.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};

/// What JSON has no word for, and Python writes all the same.
const NO_NUMBERS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// The envelope before it is looked at.
#[derive(Default)]
pub(super) struct Document {
    pub(super) header: Option<Value>,
    pub(super) data: Option<Data>,
}

/// What stands behind `data`.
pub(super) enum Data {
    Text(String),
    Object(Object),
    Other(Value),
}

/// The payload before it is looked at.
#[derive(Default)]
pub(super) struct Object {
    pub(super) features: Option<Features>,
    pub(super) fields: Map<String, Value>,
}

/// What stands behind `features`.
pub(super) enum Features {
    /// An object, in the order in which it is written.
    Columns(Vec<(String, Value)>),
    Other(Value),
}

impl Features {
    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Columns(columns) => Value::Object(columns.into_iter().collect()),
            Self::Other(value) => value,
        }
    }
}

/// Reads JSON, and once more with null for what is no number when it is none for that reason.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    let error = match serde_json::from_slice(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match error.is_syntax().then(|| without_no_numbers(text)).flatten() {
        Some(text) => serde_json::from_slice(&text),
        None => Err(error),
    }
}

/// The text with null for every `NaN` and `Infinity` outside of strings; none when there is none.
pub(in crate::wire) fn without_no_numbers(text: &[u8]) -> Option<Vec<u8>> {
    let mut clean = Vec::with_capacity(text.len());
    let mut found = false;
    let mut quoted = false;
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let token = NO_NUMBERS.iter().find(|token| !quoted && rest.starts_with(token));
        if let Some(token) = token {
            clean.extend_from_slice(b"null");
            found = true;
            rest = &rest[token.len()..];
            continue;
        }
        clean.push(*byte);
        rest = after;
        match (byte, after) {
            (b'"', _) => quoted = !quoted,
            (b'\\', [escaped, after @ ..]) if quoted => {
                clean.push(*escaped);
                rest = after;
            }
            _other => {}
        }
    }
    found.then_some(clean)
}

/// The parts of a visitor that turn what is no object into a plain value.
macro_rules! plain_values {
    ($wrap:expr) => {
        fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
            Ok($wrap(Value::from(value)))
        }
        fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
            Ok($wrap(Value::from(value)))
        }
        fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
            Ok($wrap(Value::from(value)))
        }
        fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
            Ok($wrap(Value::from(value)))
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($wrap(Value::Null))
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut values = Vec::new();
            while let Some(value) = list.next_element()? {
                values.push(value);
            }
            Ok($wrap(Value::Array(values)))
        }
    };
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut document = Document::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "header" => document.header = Some(map.next_value()?),
                "data" => document.data = Some(map.next_value()?),
                _unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(document)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Data, E> {
        Ok(Data::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Data, E> {
        Ok(Data::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Data, A::Error> {
        ObjectVisitor.visit_map(map).map(Data::Object)
    }

    plain_values!(Data::Other);
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "features" {
                object.features = Some(map.next_value()?);
            } else {
                object.fields.insert(key, map.next_value()?);
            }
        }
        Ok(object)
    }
}

struct FeaturesVisitor;

impl<'de> Visitor<'de> for FeaturesVisitor {
    type Value = Features;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Features, E> {
        Ok(Features::Other(Value::from(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Features, A::Error> {
        let mut columns = Vec::new();
        while let Some(column) = map.next_entry()? {
            columns.push(column);
        }
        Ok(Features::Columns(columns))
    }

    plain_values!(Features::Other);
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DocumentVisitor)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FeaturesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_for_a_number_becomes_null() {
        for (text, clean) in [
            (r#"[NaN,-Infinity, Infinity]"#, Some("[null,null, null]")),
            (r#"["NaN",1]"#, None),
            (r#"["\"NaN\\",NaN,"Infinity"]"#, Some(r#"["\"NaN\\",null,"Infinity"]"#)),
            ("", None),
            ("\"\\", None),
        ] {
            let found = without_no_numbers(text.as_bytes());
            assert_eq!(found.as_deref(), clean.map(str::as_bytes), "{text}");
        }
    }
}
