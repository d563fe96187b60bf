//! The compact form of a record, as it lies in the outbox.
//!
//! One byte for the form (3), then [postcard](https://postcard.jamesmunns.com) of [`Record`]: varints for lengths
//! and integers, eight little-endian bytes for a number, UTF-8 for a text, the place in the list for an enum. It
//! carries no field names, so the order of fields and of enum cases in `model.rs` is the format: a change there is
//! form 4 and new golden bytes beside the old ones. A new kind of payload at the end of its list is no new form.
//!
//! Form 1 ends with the payload: it names no package and no role. Form 2 ends with the role: it names no gateway. Both are
//! still read, because an outbox may hold records of the versions before, and never written.
//!
//! Reading trusts nothing: a damaged record, one with bytes left over, or one whose columns differ in length is an
//! error, so that whoever renders it may index freely.

use std::borrow::Cow;

use postcard::ser_flavors::Flavor;
use serde::Deserialize;

use crate::{ModelDigest, Payload, Record, Role, Rows, Values};

/// The form that this version writes.
const FORM: u8 = 3;
/// The forms that the versions before wrote.
const FORM_2: u8 = 2;
const FORM_1: u8 = 1;

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There are no bytes.
    #[error("read a record: it is empty")]
    Empty,
    /// Written by another version of this program.
    #[error("read a record: it has form {0}, this program reads forms {FORM_1} to {FORM}")]
    Form(u8),
    /// Not a record.
    #[error("read a record: it is damaged")]
    Damaged(#[source] postcard::Error),
    /// A record with something behind it.
    #[error("read a record: {0} bytes are left over")]
    LeftOver(usize),
    /// One list of the rows is longer than another.
    #[error("read a record: {what} has {found} values for {rows} predictions")]
    Uneven {
        /// The column's name, or `association ids`.
        what: String,
        /// How many values it has.
        found: usize,
        /// How many it should have.
        rows: usize,
    },
}

/// What a record of form 1 holds.
#[derive(Deserialize)]
struct Form1<'a>(
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    i64,
    #[serde(borrow)] Payload<'a>,
);

/// What a record of form 2 holds.
#[derive(Deserialize)]
struct Form2<'a>(#[serde(borrow)] Form1<'a>, Option<ModelDigest>, Role);

/// Lets postcard write at the end of a buffer that the caller keeps and reuses.
struct Append<'a>(&'a mut Vec<u8>);

impl<'a> Record<'a> {
    /// Appends the compact form to `out`. What `out` already holds is kept.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORM);
        postcard::serialize_with_flavor(self, Append(out))
            .expect("every list in a record knows its length and the buffer grows");
    }

    /// Reads the compact form. Single texts are borrowed from `bytes`, lists are copied.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (&form, body) = bytes.split_first().ok_or(DecodeError::Empty)?;
        let (record, rest): (Record<'a>, _) = match form {
            FORM => postcard::take_from_bytes(body),
            FORM_2 => postcard::take_from_bytes::<Form2<'a>>(body)
                .map(|(record, rest)| (record.into(), rest)),
            FORM_1 => postcard::take_from_bytes::<Form1<'a>>(body)
                .map(|(record, rest)| (record.into(), rest)),
            _other => return Err(DecodeError::Form(form)),
        }
        .map_err(DecodeError::Damaged)?;
        if !rest.is_empty() {
            return Err(DecodeError::LeftOver(rest.len()));
        }
        if let Payload::Prediction(prediction) = &record.payload {
            prediction.rows.as_ref().map_or(Ok(()), Rows::check_even)?;
        }
        Ok(record)
    }
}

impl<'a> From<Form1<'a>> for Record<'a> {
    fn from(Form1(deployment_id, model_id, timestamp_us, payload): Form1<'a>) -> Self {
        let (model_digest, role, gateway) = (None, Role::Champion, None);
        Self { deployment_id, model_id, timestamp_us, payload, model_digest, role, gateway }
    }
}

impl<'a> From<Form2<'a>> for Record<'a> {
    fn from(Form2(record, model_digest, role): Form2<'a>) -> Self {
        Self { model_digest, role, ..record.into() }
    }
}

impl Rows<'_> {
    fn check_even(&self) -> Result<(), DecodeError> {
        let rows = self.predictions.len();
        let even = |what: &str, found| {
            if found == rows {
                return Ok(());
            }
            Err(DecodeError::Uneven { what: what.to_owned(), found, rows })
        };
        even("association ids", self.association_ids.len())?;
        self.columns.iter().try_for_each(|column| even(&column.name, column.values.len()))
    }
}

impl Values<'_> {
    /// How many rows the column has.
    pub fn len(&self) -> usize {
        match self {
            Values::Numbers(values) => values.len(),
            Values::Texts(values) => values.len(),
        }
    }

    /// Whether the column has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Flavor for Append<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
