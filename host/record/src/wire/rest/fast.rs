//! The two kinds of message that come in masses, handed on without being taken apart.
//!
//! Columns are copied as text; only their lengths are looked at. Whatever is not written the plain way (a number in a
//! text, `NaN`, features as a list, a time series, more rows than an entry may have) is left to the tolerant reader, and
//! so is every error. What this reader takes, it hands on as the tolerant one does: the tests hold the two together.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Carried, CarryLimits, Flags, Kind, Piece};

/// Bytes of an entry besides what is copied.
const FRAME_BYTES: usize = 256;

#[derive(serde::Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    header: Header<'a>,
    #[serde(borrow)]
    data: Cow<'a, str>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    deployment_id: Option<Text<'a>>,
    #[serde(borrow)]
    data_type: Text<'a>,
    #[serde(borrow)]
    data_format: Option<Text<'a>>,
    #[serde(borrow)]
    model_digest: Option<Text<'a>>,
    #[serde(borrow)]
    role: Option<Text<'a>>,
    #[serde(borrow)]
    gateway: Option<Text<'a>>,
}

/// A text that is borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    model_id: Option<&'a RawValue>,
    #[serde(borrow)]
    batch_id: Option<&'a RawValue>,
    #[serde(borrow)]
    num_predictions: Option<&'a RawValue>,
    #[serde(borrow)]
    execution_time: Option<&'a RawValue>,
    user_error: Option<bool>,
    system_error: Option<bool>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rows<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    model_id: Option<&'a RawValue>,
    #[serde(borrow)]
    batch_id: Option<&'a RawValue>,
    #[serde(borrow)]
    features: Option<Columns<'a>>,
    #[serde(borrow)]
    predictions: Option<&'a RawValue>,
    #[serde(borrow)]
    association_ids: Option<&'a RawValue>,
    #[serde(borrow)]
    class_names: Option<&'a RawValue>,
    skip_drift_tracking: Option<bool>,
    skip_accuracy_tracking: Option<bool>,
    // A time series is not written the plain way.
    request_parameters: Option<IgnoredAny>,
    forecast_distance: Option<IgnoredAny>,
    row_index: Option<IgnoredAny>,
    partition: Option<IgnoredAny>,
    series_id: Option<IgnoredAny>,
}

/// Columns in the order in which they are written.
struct Columns<'a>(Vec<(Text<'a>, &'a RawValue)>);

struct ColumnsVisitor;

impl<'de> Visitor<'de> for ColumnsVisitor {
    type Value = Columns<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of lists")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns<'de>, A::Error> {
        let mut columns = Vec::with_capacity(16);
        while let Some(column) = map.next_entry()? {
            columns.push(column);
        }
        Ok(Columns(columns))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Columns<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ColumnsVisitor)
    }
}

/// Whether a list may have a value that begins with a byte.
type Takes = fn(u8) -> bool;

/// None when the message is for the tolerant reader.
pub(super) fn carry(bytes: &[u8], limits: &CarryLimits) -> Option<Carried> {
    let Envelope { header, data } = serde_json::from_slice(bytes).ok()?;
    let Text(deployment) = header.deployment_id.as_ref().filter(|id| !id.0.is_empty())?;
    let format = header.data_format.as_ref();
    if format.is_some_and(|format| !format.0.eq_ignore_ascii_case("json")) {
        return None;
    }
    let mut left_out = 0;
    let (kind, rows, mut json) = match &*header.data_type.0 {
        "DEPLOYMENT_STATS" => (Kind::Requests, 1, request(&data, limits)?),
        "PREDICTIONS_DATA" => rows(&data, limits, &mut left_out)?,
        _other => return None,
    };
    let id = header.id.filter(|id| !id.0.is_empty());
    for (name, value) in [
        ("recordId", &id),
        ("modelDigest", &header.model_digest),
        ("role", &header.role),
        ("gateway", &header.gateway),
    ] {
        if let Some(Text(value)) = value {
            name_into(&mut json, name);
            text_into(&mut json, value)?;
        }
    }
    json.push(b'}');
    Some(Carried {
        record_id: id.map(|id| id.0.into_owned()),
        deployment_id: Some(deployment.as_ref().to_owned()),
        kind,
        pieces: vec![Piece { rows, json }],
        features_left_out: left_out,
    })
}

/// An entry about a request, still open.
fn request(data: &str, limits: &CarryLimits) -> Option<Vec<u8>> {
    let request: Request<'_> = serde_json::from_str(data).ok()?;
    let mut json = Vec::with_capacity(data.len() + FRAME_BYTES);
    json.push(b'{');
    head(&mut json, request.timestamp, request.model_id, request.batch_id, limits)?;
    if let Some(raw) = request.num_predictions {
        let digits = raw.get().strip_prefix('-').unwrap_or(raw.get());
        if digits.len() > 18 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        raw_into(&mut json, "numPredictions", raw);
    }
    if let Some(raw) = request.execution_time {
        if !is_number(raw.get().as_bytes()[0]) {
            return None;
        }
        raw_into(&mut json, "executionTime", raw);
    }
    for (name, value) in [("userError", request.user_error), ("systemError", request.system_error)]
    {
        if let Some(value) = value {
            name_into(&mut json, name);
            json.extend_from_slice(if value { b"true" } else { b"false" });
        }
    }
    Some(json)
}

/// An entry with rows, still open.
fn rows(data: &str, limits: &CarryLimits, left_out: &mut usize) -> Option<(Kind, usize, Vec<u8>)> {
    let rows: Rows<'_> = serde_json::from_str(data).ok()?;
    let series = rows.request_parameters.is_some()
        || rows.forecast_distance.is_some()
        || rows.row_index.is_some()
        || rows.partition.is_some()
        || rows.series_id.is_some();
    if series {
        return None;
    }
    let mut count = None;
    // Every list must have as many values as the one before it.
    let mut agrees = |found: usize| *count.get_or_insert(found) == found;
    let mut json = Vec::with_capacity(data.len() + FRAME_BYTES);
    json.push(b'{');
    head(&mut json, rows.timestamp, rows.model_id, rows.batch_id, limits)?;
    if let Some(Columns(columns)) = &rows.features {
        name_into(&mut json, "features");
        json.push(b'[');
        for (place, (Text(name), values)) in columns.iter().enumerate() {
            if !agrees(elements(values.get(), |_| true)?) {
                return None;
            }
            if place >= limits.features {
                *left_out += 1;
                continue;
            }
            json.extend_from_slice(if place == 0 { b"{\"name\":" } else { b",{\"name\":" });
            text_into(&mut json, name)?;
            raw_into(&mut json, "values", values);
            json.push(b'}');
        }
        json.push(b']');
    }
    let is_text = |byte| byte == b'"';
    let lists: [(&str, Option<&RawValue>, Takes); 2] = [
        ("predictions", rows.predictions, |byte| is_number(byte) || matches!(byte, b'n' | b'"')),
        ("associationIds", rows.association_ids, |byte| matches!(byte, b'n' | b'"')),
    ];
    for (name, list, takes) in lists {
        if let Some(list) = list {
            if !agrees(elements(list.get(), takes)?) {
                return None;
            }
            raw_into(&mut json, name, list);
        }
    }
    if let Some(names) = rows.class_names {
        elements(names.get(), is_text)?;
        raw_into(&mut json, "classNames", names);
    }
    let has_rows = rows.predictions.is_some()
        || rows.features.as_ref().is_some_and(|columns| !columns.0.is_empty());
    let count = count.filter(|count| has_rows && *count <= limits.rows_per_entry)?;
    let flags = Flags {
        skip_drift_tracking: rows.skip_drift_tracking.unwrap_or(false),
        skip_accuracy_tracking: rows.skip_accuracy_tracking.unwrap_or(false),
    };
    Some((Kind::Inputs(flags), count, json))
}

/// What both kinds begin with. None when one of them is no plain text.
fn head(
    json: &mut Vec<u8>,
    timestamp: Option<&RawValue>,
    model_id: Option<&RawValue>,
    batch_id: Option<&RawValue>,
    limits: &CarryLimits,
) -> Option<()> {
    if model_id.is_none() && limits.model_id.is_some() {
        return None;
    }
    for (name, value) in [("timestamp", timestamp), ("modelId", model_id), ("batchId", batch_id)] {
        if let Some(raw) = value {
            if !raw.get().starts_with('"') {
                return None;
            }
            raw_into(json, name, raw);
        }
    }
    Some(())
}

fn is_number(byte: u8) -> bool {
    byte == b'-' || byte.is_ascii_digit()
}

fn name_into(json: &mut Vec<u8>, name: &str) {
    if !matches!(json.last(), Some(b'{' | b'[')) {
        json.push(b',');
    }
    json.push(b'"');
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
}

fn raw_into(json: &mut Vec<u8>, name: &str, raw: &RawValue) {
    name_into(json, name);
    json.extend_from_slice(raw.get().as_bytes());
}

fn text_into(json: &mut Vec<u8>, text: &str) -> Option<()> {
    serde_json::to_writer(json, text).ok()
}

/// How many values a list has that is known to be JSON. None when it is no list, or `takes` does not take the first
/// byte of one of them.
fn elements(list: &str, takes: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = list.as_bytes();
    if bytes.first() != Some(&b'[') {
        return None;
    }
    let (mut count, mut depth, mut fresh, mut at) = (0, 1_usize, true, 1);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b']' if depth == 1 => return Some(count),
            b',' if depth == 1 => fresh = true,
            byte => {
                if fresh {
                    if !takes(*byte) {
                        return None;
                    }
                    count += 1;
                    fresh = false;
                }
                match byte {
                    b'"' => at = end_of_text(bytes, at)?,
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' => depth -= 1,
                    _other => {}
                }
            }
        }
        at += 1;
    }
    None
}

/// The place of the quote that ends the text that begins at `at`.
fn end_of_text(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _other => at += 1,
        }
    }
}
