//! Form bodies and query strings (`application/x-www-form-urlencoded`): one row.
//!
//! Stricter than a browser's decoder, which turns broken UTF-8 into replacement characters and lets a broken
//! `%` escape stand: here both are refused, or a typing error would become an unknown level.

use std::borrow::Cow;

use crate::{
    batch::{Batch, Rows},
    fault::{BadRequest, Reason},
};

pub(crate) fn decode<'b>(text: &'b [u8], mut rows: Rows<'_, 'b>) -> Result<Batch<'b>, BadRequest> {
    if let Some(b'{' | b'[') = text.trim_ascii_start().first() {
        return Err(BadRequest::new(Reason::JsonAsForm));
    }
    rows.begin()?;
    let mut rest = text;
    while !rest.is_empty() {
        let pair;
        (pair, rest) = split(rest, b'&');
        if pair.is_empty() {
            continue;
        }
        let (name, value) = split(pair, b'=');
        let Some(name) = unescape(name) else { return Err(rows.plain(Reason::BadEscape)) };
        let slot = rows.bind(&name)?;
        let Some(value) = unescape(value) else { return Err(rows.named(&name, Reason::BadEscape)) };
        if let Some(slot) = slot {
            rows.text(slot, value)?;
        }
    }
    rows.end()?;
    rows.finish()
}

/// What comes before and after the first `separator`.
fn split(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(separator, text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

/// Resolves `+` and `%41`; none when an escape is broken or the result is not UTF-8.
fn unescape(text: &[u8]) -> Option<Cow<'_, str>> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return std::str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(*bytes.next()?).to_digit(16)?;
                let low = char::from(*bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}
