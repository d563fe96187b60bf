//! The id of a request: the client's `X-Request-Id`, or one of ours. The same id is in the answer, the log and
//! the record.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::{fault::Fault, settings::REQUEST_ID_BYTES};

/// The header that carries the id, both ways.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Visible ASCII, ready to be a header's value.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

/// Makes ids: 64 random bits drawn when the process starts, then a count. No system call an id.
#[derive(Debug)]
pub(crate) struct RequestIds {
    prefix: String,
    next: AtomicU64,
}

impl RequestId {
    /// The client's id, if there is one.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Fault> {
        let mut values = headers.get_all(X_REQUEST_ID).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let bytes = value.as_bytes();
        let valid = (1..=REQUEST_ID_BYTES).contains(&bytes.len())
            && bytes.iter().all(u8::is_ascii_graphic)
            && values.next().is_none();
        if valid { Ok(Some(Self(value.clone()))) } else { Err(Fault::RequestId) }
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().expect("an id is visible ASCII")
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let (bits, _) = uuid::Uuid::new_v4().as_u64_pair();
        Self { prefix: format!("{bits:016x}-"), next: AtomicU64::new(1) }
    }

    /// The client's id, or the next of ours and what is wrong with the client's.
    pub(crate) fn of(&self, headers: &HeaderMap) -> (RequestId, Option<Fault>) {
        match RequestId::of(headers) {
            Ok(Some(id)) => (id, None),
            Ok(None) => (self.next(), None),
            Err(fault) => (self.next(), Some(fault)),
        }
    }

    pub(crate) fn next(&self) -> RequestId {
        let mut count = self.next.fetch_add(1, Ordering::Relaxed);
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        while count > 0 || at == digits.len() {
            at -= 1;
            digits[at] = b'0' + u8::try_from(count % 10).expect("a digit is below 10");
            count /= 10;
        }
        let mut id = Vec::with_capacity(self.prefix.len() + digits.len() - at);
        id.extend_from_slice(self.prefix.as_bytes());
        id.extend_from_slice(&digits[at..]);
        RequestId(
            HeaderValue::from_maybe_shared(Bytes::from(id))
                .expect("hex and digits are visible ASCII"),
        )
    }
}
