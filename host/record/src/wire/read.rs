//! Reading the wire form: what the public library, its forks and we ourselves may have left on a channel.
//!
//! [`Envelope::read`] takes at least what either of the library's two readers takes, the Python one and the one of the
//! Java agent. What one of them lets pass says nothing about the record, so it passes here too:
//!
//! | in the envelope | |
//! |---|---|
//! | any key of the header but `dataType` and `deploymentId` missing, null or of another kind | passes |
//! | `dataFormat` in capitals, any `version`, keys that nobody knows | passes |
//! | `data` an object, not a text that holds one | passes |
//! | spaces and line breaks between the tokens; the tokens `NaN` and `Infinity`, which are read as null | passes |
//! | a `dataType` in small letters, as a number, or one that nobody knows | error |
//! | no `deploymentId`, where the server has no use for the message without one | error |
//!
//! | in the payload | |
//! |---|---|
//! | a number as text, a whole number as `2.0`, an id as number | read as what it means |
//! | a field missing, null, or not known | none; kept in `extra` |
//! | times of any form | kept as text, see [`Timestamp`] |
//! | `features` as a list of `{name, values}`, as the server has them | read as columns |
//! | lists of one record with different lengths; neither features nor predictions; a value that cannot mean what its field says | error |
//!
//! An error names the field and what is wrong with it, and never shows a value: features may be personal data.

mod aggregate;
mod fields;
mod json;
mod payload;

pub use self::aggregate::{
    Aggregates, CategoricalAggregate, Histogram, HistogramBucket, NumericAggregate,
};
pub use self::payload::{
    Actual, ActualsData, Bucket, CustomMetric, DeploymentStats, Event, Feature, Payload, Ping,
    Prediction, PredictionStats, PredictionsData,
};

use serde_json::Value;

use self::fields::{Fields, kind};
pub(super) use self::json::without_no_numbers;
use self::json::{Data, Document, Object};
use super::binary::{self, BinaryError};
use super::{DataType, Timestamp};

/// A message that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The envelope is not JSON.
    #[error("read a message: it is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// The envelope is something else than an object.
    #[error("read a message: it is not an object with `header` and `data`")]
    NotAnObject,
    /// The payload is not JSON.
    #[error("read a message: `data` does not hold JSON")]
    PayloadNotJson(#[source] serde_json::Error),
    /// It is damaged, or not in the binary form.
    #[error("read a message in the binary form")]
    Binary(#[from] BinaryError),
    /// A field is not there, or null, or empty.
    #[error("read a message: `{field}` is missing")]
    Missing {
        /// The field, with the way to it.
        field: String,
    },
    /// A field holds something that it cannot mean.
    #[error("read a message: `{field}` must be {must_be}, not {found}")]
    Wrong {
        /// The field, with the way to it.
        field: String,
        /// What it must be.
        must_be: &'static str,
        /// What kind of value it is.
        found: &'static str,
    },
    /// A kind of message that nobody knows.
    #[error("read a message: there is no data type {name:?}; it may be newer than this program")]
    DataType {
        /// Its name, cut when it is long.
        name: String,
    },
    /// Lists that belong together have different lengths.
    #[error("read a message: `{field}` has {found} values for {rows} rows")]
    Uneven {
        /// The list.
        field: String,
        /// How many values it has.
        found: usize,
        /// How many it should have.
        rows: usize,
    },
    /// Neither features nor predictions.
    #[error("read a message: it has neither `features` nor `predictions`")]
    NoRows,
}

/// A message, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Who wrote it, for whom.
    pub header: Header,
    /// What it tells.
    pub payload: Payload,
}

/// Who wrote a message, for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The message's own id: a repeat has the same. The binary form has none.
    pub id: Option<String>,
    /// The deployment that it belongs to.
    pub deployment_id: Option<String>,
    /// What kind of message it is.
    pub data_type: DataType,
    /// The version of the envelope; 2 so far.
    pub version: Option<i64>,
    /// In what language the program was written that made it.
    pub language: Option<String>,
    /// The version of that program.
    pub lib_version: Option<String>,
    /// The package that gave the numbers, `sha256:<hex>`: a key of ours, which other writers leave out.
    pub model_digest: Option<String>,
    /// The part that the package plays in its deployment, a key of ours too; none for the champion. Kept as a text,
    /// because a later version may know more parts.
    pub role: Option<String>,
    /// The name of the gateway that the message comes from, a key of ours too.
    pub gateway: Option<String>,
}

impl Envelope {
    /// Reads a message in JSON, as it comes from a queue or is a line of a spool file.
    ///
    /// # Errors
    ///
    /// When it cannot be used; the error names the field.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let document: Document = json::parse(bytes).map_err(|error| {
            if error.is_data() { ReadError::NotAnObject } else { ReadError::NotJson(error) }
        })?;
        let header = Header::read(document.header)?;
        let object = match document.data {
            None | Some(Data::Other(Value::Null)) => return Err(missing("data")),
            Some(Data::Text(text)) => payload_object(text.as_bytes())?,
            Some(Data::Object(object)) => object,
            Some(Data::Other(other)) => return Err(wrong("data", "an object in a text", &other)),
        };
        Self::finish(header, object)
    }

    /// Reads a message in the binary form: one whole frame, as [`binary::frame`] finds it.
    ///
    /// # Errors
    ///
    /// When it is damaged or cannot be used.
    pub fn read_binary(bytes: &[u8]) -> Result<Self, ReadError> {
        let record = binary::record(bytes)?;
        let header = Header {
            id: None,
            deployment_id: Some(record.deployment_id.to_owned()).filter(|id| !id.is_empty()),
            data_type: DataType::from_number(record.data_type)
                .ok_or_else(|| ReadError::DataType { name: record.data_type.to_string() })?,
            version: Some(i64::from(record.version)),
            language: Some(record.language.to_owned()),
            lib_version: Some(record.lib_version.to_owned()),
            model_digest: None,
            role: None,
            gateway: None,
        };
        header.check()?;
        Self::finish(header, payload_object(record.payload)?)
    }

    fn finish(header: Header, object: Object) -> Result<Self, ReadError> {
        let payload = Payload::read(header.data_type, object)?;
        Ok(Self { header, payload })
    }

    /// The deployment that the message belongs to. An event may name it in its payload.
    pub fn deployment_id(&self) -> Option<&str> {
        match &self.payload {
            Payload::Event(event) => event.deployment_id.as_deref(),
            _other => None,
        }
        .or(self.header.deployment_id.as_deref())
    }
}

impl Header {
    fn read(header: Option<Value>) -> Result<Self, ReadError> {
        let map = match header {
            None | Some(Value::Null) => return Err(missing("header")),
            Some(Value::Object(map)) => map,
            Some(other) => return Err(wrong("header", "an object", &other)),
        };
        let mut fields = Fields::new("header", map);
        let data_type = match fields.take("dataType") {
            None => return Err(missing("header.dataType")),
            Some(Value::String(name)) => DataType::from_name(&name)
                .ok_or_else(|| ReadError::DataType { name: name.chars().take(64).collect() })?,
            Some(other) => {
                return Err(wrong(
                    "header.dataType",
                    "a name such as \"DEPLOYMENT_STATS\"",
                    &other,
                ));
            }
        };
        match fields.take("dataFormat") {
            None => {}
            Some(Value::String(format)) if format.eq_ignore_ascii_case("json") => {}
            Some(other) => return Err(wrong("header.dataFormat", "\"json\"", &other)),
        }
        let header = Self {
            deployment_id: fields.text("deploymentId")?.filter(|id| !id.is_empty()),
            data_type,
            // Only told on: nothing depends on them, so whatever they are does no harm.
            id: fields.text("id").ok().flatten().filter(|id| !id.is_empty()),
            version: fields.whole("version").ok().flatten(),
            language: fields.text("language").ok().flatten(),
            lib_version: fields.text("libVersion").ok().flatten(),
            model_digest: fields.text("modelDigest").ok().flatten(),
            role: fields.text("role").ok().flatten(),
            gateway: fields.text("gateway").ok().flatten(),
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), ReadError> {
        if self.data_type.needs_deployment() && self.deployment_id.is_none() {
            return Err(missing("header.deploymentId"));
        }
        Ok(())
    }
}

fn payload_object(text: &[u8]) -> Result<Object, ReadError> {
    json::parse(text).map_err(|error| {
        if error.is_data() {
            let field = "data".to_owned();
            ReadError::Wrong { field, must_be: "an object in a text", found: "something else" }
        } else {
            ReadError::PayloadNotJson(error)
        }
    })
}

fn missing(field: &str) -> ReadError {
    ReadError::Missing { field: field.to_owned() }
}

fn wrong(field: &str, must_be: &'static str, found: &Value) -> ReadError {
    ReadError::Wrong { field: field.to_owned(), must_be, found: kind(found) }
}

#[cfg(test)]
mod tests;
