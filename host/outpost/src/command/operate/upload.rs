//! A body that shows how much of it is sent.

use crate::progress::Sending;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes between two looks at the bar.
const PART: usize = 64 << 10;

/// A body in memory, which goes out part by part.
pub(super) struct Upload {
    left: Bytes,
    sending: Sending,
}

impl Upload {
    pub(super) fn new(bytes: Bytes, sending: Sending) -> Self {
        Self { left: bytes, sending }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.left.len().min(PART);
        let part = self.left.split_to(length);
        self.sending.show(self.left.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
