//! Form bodies and query strings (`application/x-www-form-urlencoded`): one row.
//!
//! Stricter than a browser's decoder, which turns broken UTF-8 into replacement characters and lets a broken
//! `%` escape stand: here both are refused, or a typing error would become an unknown level.

use std::{borrow::Cow, ops::Range};

use crate::{
    door::Fill,
    fault::{BadRequest, Reason},
};

pub(crate) fn decode<'b, F: Fill<'b>>(text: &'b [u8], mut rows: F) -> Result<F::Batch, BadRequest> {
    if let Some(b'{' | b'[') = text.trim_ascii_start().first() {
        return Err(BadRequest::new(Reason::JsonAsForm));
    }
    rows.begin()?;
    // Most rows have nothing to unescape: then all of it is looked at once, and not each part by itself.
    let plain = str::from_utf8(text).ok().filter(|_| memchr::memchr2(b'%', b'+', text).is_none());
    let part = |at: Range<usize>| match plain {
        Some(plain) => Some(Cow::Borrowed(&plain[at])),
        None => unescape(&text[at]),
    };
    let mut start = 0;
    while start < text.len() {
        let end = find(text, b'&', start..text.len());
        let pair = start..end;
        start = end + 1;
        if pair.is_empty() {
            continue;
        }
        let equals = find(text, b'=', pair.clone());
        let value = (equals + 1).min(pair.end)..pair.end;
        let Some(name) = part(pair.start..equals) else {
            return Err(rows.plain(Reason::BadEscape));
        };
        let slot = rows.bind(&name)?;
        let Some(value) = part(value) else { return Err(rows.named(&name, Reason::BadEscape)) };
        if let Some(slot) = slot {
            rows.text(slot, value)?;
        }
    }
    rows.end()?;
    rows.finish()
}

/// Where `byte` first is in this part of the text, or where the part ends.
fn find(text: &[u8], byte: u8, part: Range<usize>) -> usize {
    memchr::memchr(byte, &text[part.clone()]).map_or(part.end, |at| part.start + at)
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
