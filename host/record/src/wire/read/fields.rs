//! Taking fields out of an object, leniently, with errors that name them.

use serde_json::{Map, Number, Value};

use super::{ReadError, Timestamp, missing};

/// An object that is being taken apart.
pub(super) struct Fields {
    /// The way to it; empty for the payload itself.
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    pub(super) fn new(path: impl Into<String>, map: Map<String, Value>) -> Self {
        Self { path: path.into(), map }
    }

    /// An object that is itself the value of a field.
    pub(super) fn of(path: String, value: Value) -> Result<Self, ReadError> {
        match value {
            Value::Object(map) => Ok(Self { path, map }),
            other => Err(wrong(path, "an object", &other)),
        }
    }

    /// A field's name with the way to it.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A field's value; null is none.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key).filter(|value| !value.is_null())
    }

    fn take_as<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(String, Value) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        self.take(key).map(|value| read(self.name(key), value)).transpose()
    }

    /// A text; a number is one too.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, ReadError> {
        self.take_as(key, text)
    }

    /// A text that must be there.
    pub(super) fn needed_text(&mut self, key: &str) -> Result<String, ReadError> {
        let found = self.text(key)?.filter(|text| !text.is_empty());
        found.ok_or_else(|| missing(&self.name(key)))
    }

    /// A whole number.
    pub(super) fn whole(&mut self, key: &str) -> Result<Option<i64>, ReadError> {
        self.take_as(key, whole)
    }

    /// A number, as it is written.
    pub(super) fn number(&mut self, key: &str) -> Result<Option<Number>, ReadError> {
        self.take_as(key, number)
    }

    /// A number for sums.
    pub(super) fn float(&mut self, key: &str) -> Result<Option<f64>, ReadError> {
        Ok(self.number(key)?.and_then(|number| number.as_f64()))
    }

    /// Yes or no.
    pub(super) fn boolean(&mut self, key: &str) -> Result<Option<bool>, ReadError> {
        self.take_as(key, |path, value| match &value {
            Value::Bool(yes) => Ok(*yes),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            _other => Err(wrong(path, "true or false", &value)),
        })
    }

    /// A time of any form.
    pub(super) fn timestamp(&mut self, key: &str) -> Result<Option<Timestamp>, ReadError> {
        self.take_as(key, timestamp)
    }

    /// A list.
    pub(super) fn list(&mut self, key: &str) -> Result<Option<Vec<Value>>, ReadError> {
        self.take_as(key, list)
    }

    /// A list of values that are read alike; an error names the place.
    pub(super) fn list_of<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(String, Value) -> Result<T, ReadError>,
    ) -> Result<Option<Vec<T>>, ReadError> {
        let path = self.name(key);
        let Some(values) = self.list(key)? else { return Ok(None) };
        let values = values.into_iter().enumerate();
        values
            .map(|(at, value)| read(format!("{path}[{at}]"), value))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The fields of an object with names that are values, in the order of the names; none when it is missing.
    pub(super) fn entries(&mut self, key: &str) -> Result<Vec<(String, Fields)>, ReadError> {
        let path = self.name(key);
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let mut entries = Self::of(path, value)?;
        let map = std::mem::take(&mut entries.map);
        let read = |(name, value): (String, Value)| {
            let path = entries.name(&name);
            Ok((name, Self::of(path, value)?))
        };
        map.into_iter().map(read).collect()
    }

    /// An object.
    pub(super) fn object(&mut self, key: &str) -> Result<Option<Fields>, ReadError> {
        self.take_as(key, Self::of)
    }

    /// The names of all fields that are there.
    pub(super) fn keys(&self) -> Vec<String> {
        self.map.keys().cloned().collect()
    }

    /// Puts a field in that was taken out before.
    pub(super) fn put_back(&mut self, key: &str, value: Value) {
        self.map.insert(key.to_owned(), value);
    }

    /// What nobody took.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.map
    }
}

/// What kind of value it is, for an error.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "that number",
        Value::String(_) => "that text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(super) fn wrong(field: String, must_be: &'static str, found: &Value) -> ReadError {
    ReadError::Wrong { field, must_be, found: kind(found) }
}

pub(super) fn text(path: String, value: Value) -> Result<String, ReadError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(wrong(path, "a text", &other)),
    }
}

/// A text, or null.
pub(super) fn text_or_null(path: String, value: Value) -> Result<Option<String>, ReadError> {
    if value.is_null() { Ok(None) } else { text(path, value).map(Some) }
}

pub(super) fn timestamp(path: String, value: Value) -> Result<Timestamp, ReadError> {
    match value {
        Value::String(text) => Ok(Timestamp::new(text)),
        Value::Number(number) => Ok(Timestamp::from_number(&number)),
        other => Err(wrong(path, "a time", &other)),
    }
}

fn list(path: String, value: Value) -> Result<Vec<Value>, ReadError> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(wrong(path, "a list", &other)),
    }
}

pub(super) fn number(path: String, value: Value) -> Result<Number, ReadError> {
    match value {
        Value::Number(number) => Ok(number),
        Value::String(text) => match serde_json::from_str(text.trim()) {
            Ok(number) => Ok(number),
            Err(_) => Err(wrong(path, "a number", &Value::String(text))),
        },
        other => Err(wrong(path, "a number", &other)),
    }
}

pub(super) fn whole(path: String, value: Value) -> Result<i64, ReadError> {
    /// From here on not every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let read = number(path.clone(), value)?;
    let whole = read.as_i64().or_else(|| {
        let float = read.as_f64()?;
        (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
    });
    whole.ok_or_else(|| wrong(path, "a whole number", &Value::Number(read)))
}
