//! The rows of a request as they came, which can be decoded again: by a canary's schema, by a predecessor's, by a challenger's.

use std::borrow::Cow;

use hyper::http::uri::PathAndQuery;

use crate::{
    batch::Batch,
    body::ReadBody,
    door::{Door, Fill},
    fault::{BadRequest, Reason},
    settings::ASSOCIATION_ID_CHARS,
};

/// Rows as they came.
#[derive(Debug)]
pub(crate) enum Source {
    Query(PathAndQuery),
    Body(Door, ReadBody),
}

impl Source {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Query(query) => query.as_str().len(),
            Self::Body(_, body) => body.bytes.len(),
        }
    }

    pub(crate) fn decode<'b, F: Fill<'b>>(&'b self, rows: F) -> Result<F::Batch, BadRequest> {
        match self {
            Self::Query(query) => Door::Form.decode(query.query().unwrap_or("").as_bytes(), rows),
            Self::Body(door, body) => door.decode(&body.bytes, rows),
        }
    }

    /// The same rows, which count no more among the large bodies of requests in progress.
    pub(crate) fn kept(self) -> Self {
        match self {
            Self::Query(query) => Self::Query(query),
            Self::Body(door, body) => Self::Body(door, body.uncounted()),
        }
    }
}

/// A row's own id, else the request's, with the row's number where there are several.
pub(crate) fn association_ids<'a>(
    request_id: &'a str,
    batch: &'a Batch<'_>,
) -> Result<Vec<Cow<'a, str>>, BadRequest> {
    let mut ids = Vec::with_capacity(batch.rows as usize);
    for row in 0..batch.rows {
        ids.push(match batch.association_ids.get(row as usize) {
            Some(Some(id)) => Cow::Borrowed(&**id),
            _ if batch.rows == 1 => Cow::Borrowed(request_id),
            _ => {
                let id = format!("{request_id}-{row}");
                if id.len() > ASSOCIATION_ID_CHARS {
                    let reason = Reason::AssociationIdTooLong;
                    return Err(BadRequest { field: None, row: Some(row), reason });
                }
                Cow::Owned(id)
            }
        });
    }
    Ok(ids)
}
