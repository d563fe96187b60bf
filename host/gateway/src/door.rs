//! The doors: every way in which rows can be written, decoded into one typed batch.
//!
//! A door knows its syntax and nothing of types, limits and names; those are the business of whoever takes the rows
//! ([`Fill`]), the same for all. A door never panics and never guesses: what it cannot read is a [`BadRequest`] that names the place.

pub(crate) mod csv;
pub(crate) mod form;
pub(crate) mod json;

use std::borrow::Cow;

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

use crate::fault::{BadRequest, Reason};

/// Takes rows from a door: named values go in, one batch comes out.
pub(crate) trait Fill<'b> {
    /// Where a named value goes.
    type Slot: Copy + PartialEq;
    /// What comes out.
    type Batch;

    /// Says that there can be several rows, so that faults name theirs.
    fn number(&mut self);
    /// A row begins.
    fn begin(&mut self) -> Result<(), BadRequest>;
    /// Finds where a name's value goes, once a row; none when the value is to be left out.
    fn bind(&mut self, name: &str) -> Result<Option<Self::Slot>, BadRequest>;
    /// Like [`Self::bind`], for a door that has the names once for all rows and looks for duplicates itself.
    fn lookup(&mut self, name: &str) -> Result<Option<Self::Slot>, BadRequest>;
    /// Says that every row gives these; for doors that do not [`Self::bind`].
    fn gives(&mut self, columns: &[Option<Self::Slot>]);
    /// A value as text. Nothing at all is a missing value.
    fn text(&mut self, slot: Self::Slot, text: Cow<'b, str>) -> Result<(), BadRequest>;
    /// A value as text that does not outlive the call.
    fn passing_text(&mut self, slot: Self::Slot, text: &str) -> Result<(), BadRequest>;
    /// A value as a JSON string, which is no number even where it looks like one.
    fn string(&mut self, slot: Self::Slot, text: Cow<'b, str>) -> Result<(), BadRequest>;
    /// A value as a finite number.
    fn numeric(&mut self, slot: Self::Slot, value: f64) -> Result<(), BadRequest>;
    /// A value as true or false.
    fn boolean(&mut self, slot: Self::Slot, value: bool) -> Result<(), BadRequest>;
    /// The row is complete.
    fn end(&mut self) -> Result<(), BadRequest>;
    /// All rows are there.
    fn finish(self) -> Result<Self::Batch, BadRequest>;
    /// The name of what goes into this slot.
    fn name(&self, slot: Self::Slot) -> &str;
    /// A fault of the current row.
    fn plain(&self, reason: Reason) -> BadRequest;

    /// A fault of the field with this name in the current row.
    fn named(&self, name: &str, reason: Reason) -> BadRequest {
        BadRequest { field: Some(name.to_owned()), ..self.plain(reason) }
    }

    /// A fault of the value in this slot of the current row.
    fn fault(&self, slot: Self::Slot, reason: Reason) -> BadRequest {
        self.named(self.name(slot), reason)
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Form,
    Json,
    Csv,
}

/// A body that no door takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MediaError {
    /// A content type that is not ours, as sent; none when there was none.
    Type(Option<String>),
    /// A character set other than UTF-8.
    Charset(String),
    /// A compressed body.
    Encoding(String),
}

impl Door {
    /// The door that a body's headers ask for.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, MediaError> {
        if let Some(encoding) = headers.get(CONTENT_ENCODING)
            && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            let encoding = String::from_utf8_lossy(encoding.as_bytes()).into_owned();
            return Err(MediaError::Encoding(encoding));
        }
        let Some(value) = headers.get(CONTENT_TYPE) else { return Err(MediaError::Type(None)) };
        let value = String::from_utf8_lossy(value.as_bytes());
        let (essence, parameters) = value.split_once(';').unwrap_or((&value, ""));
        let essence = essence.trim();
        let door = if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Self::Form
        } else if essence.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else if essence.eq_ignore_ascii_case("text/csv") {
            Self::Csv
        } else {
            return Err(MediaError::Type(Some(essence.to_owned())));
        };
        for parameter in parameters.split(';') {
            if let Some((name, charset)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("charset")
            {
                let charset = charset.trim().trim_matches('"');
                if !["utf-8", "utf8", "us-ascii"]
                    .iter()
                    .any(|ours| charset.eq_ignore_ascii_case(ours))
                {
                    return Err(MediaError::Charset(charset.to_owned()));
                }
            }
        }
        Ok(door)
    }

    /// Reads rows.
    pub(crate) fn decode<'b, F: Fill<'b>>(
        self,
        text: &'b [u8],
        rows: F,
    ) -> Result<F::Batch, BadRequest> {
        match self {
            Self::Form => form::decode(text, rows),
            Self::Json => json::decode(text, rows),
            Self::Csv => csv::decode(text, rows),
        }
    }
}
