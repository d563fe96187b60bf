//! JSON bodies: an object is one row, an array of objects is a batch.
//!
//! The rows are filled while the text is read; no tree of values is built, so a deep or wide document costs
//! nothing. A value that is itself an object or an array is refused without being looked into.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{
    door::Fill,
    fault::{BadRequest, Reason},
};

pub(crate) fn decode<'b, F: Fill<'b>>(text: &'b [u8], rows: F) -> Result<F::Batch, BadRequest> {
    let mut reader = Reader { rows, slot: None, fault: None };
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = Document(&mut reader).deserialize(&mut json).and_then(|()| json.end());
    match (reader.fault, read) {
        (Some(fault), _) => Err(fault),
        (None, Ok(())) => reader.rows.finish(),
        (None, Err(error)) if error.is_data() => Err(BadRequest::new(Reason::NotRows)),
        (None, Err(error)) => {
            let reason = Reason::JsonSyntax(error);
            Err(match reader.slot {
                Some(slot) => reader.rows.fault(slot, reason),
                None => BadRequest::new(reason),
            })
        }
    }
}

struct Reader<'b, F: Fill<'b>> {
    rows: F,
    /// The value that is being read, to name it when its text is broken.
    slot: Option<F::Slot>,
    /// What a visitor found; serde's own errors cannot carry it.
    fault: Option<BadRequest>,
}

impl<'b, F: Fill<'b>> Reader<'b, F> {
    fn note<T, E: serde::de::Error>(&mut self, result: Result<T, BadRequest>) -> Result<T, E> {
        result.map_err(|fault| {
            self.fault = Some(fault);
            E::custom("refused")
        })
    }
}

/// The whole text.
struct Document<'r, 'b, F: Fill<'b>>(&'r mut Reader<'b, F>);
/// One row.
struct Row<'r, 'b, F: Fill<'b>>(&'r mut Reader<'b, F>);
/// A field's name.
struct Name;
/// A field's value.
struct Value<'r, 'b, F: Fill<'b>>(&'r mut Reader<'b, F>, F::Slot);

impl<'b, F: Fill<'b>> DeserializeSeed<'b> for Document<'_, 'b, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'b, F: Fill<'b>> Visitor<'b> for Document<'_, 'b, F> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of objects")
    }
    fn visit_map<A: MapAccess<'b>>(self, map: A) -> Result<(), A::Error> {
        Row(self.0).visit_map(map)
    }
    fn visit_seq<A: SeqAccess<'b>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.rows.number();
        while seq.next_element_seed(Row(self.0))?.is_some() {}
        Ok(())
    }
}

impl<'b, F: Fill<'b>> DeserializeSeed<'b> for Row<'_, 'b, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'b, F: Fill<'b>> Visitor<'b> for Row<'_, 'b, F> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        let begun = reader.rows.begin();
        reader.note(begun)?;
        while let Some(name) = map.next_key_seed(Name)? {
            let bound = reader.rows.bind(&name);
            reader.slot = reader.note(bound)?;
            match reader.slot {
                Some(slot) => map.next_value_seed(Value(reader, slot))?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
            reader.slot = None;
        }
        let ended = reader.rows.end();
        reader.note(ended)
    }
}

impl<'b> DeserializeSeed<'b> for Name {
    type Value = Cow<'b, str>;
    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'b> Visitor<'b> for Name {
    type Value = Cow<'b, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }
    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'b str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'b, F: Fill<'b>> DeserializeSeed<'b> for Value<'_, 'b, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'b, F: Fill<'b>> Value<'_, 'b, F> {
    fn put<E: serde::de::Error>(
        self,
        put: impl FnOnce(&mut F, F::Slot) -> Result<(), BadRequest>,
    ) -> Result<(), E> {
        let done = put(&mut self.0.rows, self.1);
        self.0.note(done)
    }
}

impl<'b, F: Fill<'b>> Visitor<'b> for Value<'_, 'b, F> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.put(|rows, slot| rows.boolean(slot, value))
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        // To the nearest, as parsing the same digits would.
        self.put(|rows, slot| rows.numeric(slot, value as f64))
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.put(|rows, slot| rows.numeric(slot, value as f64))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.put(|rows, slot| rows.numeric(slot, value))
    }
    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'b str) -> Result<(), E> {
        self.put(|rows, slot| rows.string(slot, Cow::Borrowed(text)))
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.put(|rows, slot| rows.string(slot, Cow::Owned(text.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'b>>(self, _: A) -> Result<(), A::Error> {
        self.put(|rows, slot| Err(rows.fault(slot, Reason::Nested)))
    }
    fn visit_map<A: MapAccess<'b>>(self, _: A) -> Result<(), A::Error> {
        self.put(|rows, slot| Err(rows.fault(slot, Reason::Nested)))
    }
}
