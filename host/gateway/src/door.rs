//! The doors of `/predict`: every way in which rows can be written, decoded into one typed batch.
//!
//! A door knows its syntax and nothing of types, limits and names; those are [`Rows`]' business, the same for
//! all. A door never panics and never guesses: what it cannot read is a [`BadRequest`] that names the place.

pub(crate) mod csv;
pub(crate) mod form;
pub(crate) mod json;

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

use crate::{
    batch::{Batch, Rows},
    fault::BadRequest,
};

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
    pub(crate) fn decode<'b>(
        self,
        text: &'b [u8],
        rows: Rows<'_, 'b>,
    ) -> Result<Batch<'b>, BadRequest> {
        match self {
            Self::Form => form::decode(text, rows),
            Self::Json => json::decode(text, rows),
            Self::Csv => csv::decode(text, rows),
        }
    }
}
