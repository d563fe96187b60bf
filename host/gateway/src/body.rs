//! Reading a body: capped while it is read, in a given time, with a cap on all large bodies together.
//!
//! A small body has usually arrived with its head; then nothing is copied and no timer is set.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Incoming};

use crate::{fault::Fault, settings::INLINE_BODY_BYTES};

/// How long, and how much, is read from a client after it was refused.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// Large bodies in memory, all together.
#[derive(Debug)]
pub(crate) struct Crowd {
    bytes: AtomicUsize,
    limit: usize,
}

/// A body that has been read. Its place in the crowd is freed when it is dropped.
#[derive(Debug)]
pub(crate) struct ReadBody {
    pub(crate) bytes: Bytes,
    _place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    crowd: Arc<Crowd>,
    bytes: usize,
}

impl ReadBody {
    /// The same bytes, out of the crowd.
    pub(crate) fn uncounted(self) -> Self {
        Self { bytes: self.bytes, _place: None }
    }
}

impl Crowd {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), limit }
    }
}

impl Place {
    fn grow(&mut self, bytes: usize) -> Result<(), Fault> {
        self.crowd
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                now.checked_add(bytes).filter(|sum| *sum <= self.crowd.limit)
            })
            .map_err(|_| Fault::Crowded)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads a body of at most `limit` bytes within `time`.
pub(crate) async fn read(
    body: &mut Incoming,
    limit: usize,
    time: Duration,
    crowd: &Arc<Crowd>,
) -> Result<ReadBody, Fault> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Fault::BodyTooLarge { limit });
    }
    // `timeout` polls the future before its timer, which is not registered when the body is there already.
    match tokio::time::timeout(time, all(body, limit, crowd)).await {
        Ok(read) => read,
        Err(_) => Err(Fault::BodyTooSlow),
    }
}

async fn all(body: &mut Incoming, limit: usize, crowd: &Arc<Crowd>) -> Result<ReadBody, Fault> {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    let mut place: Option<Place> = None;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(Fault::BodyBroken)?.into_data() else { continue };
        let length = first.len() + more.len() + data.len();
        if length > limit {
            return Err(Fault::BodyTooLarge { limit });
        }
        if length > INLINE_BODY_BYTES {
            let place = place.get_or_insert_with(|| Place { crowd: Arc::clone(crowd), bytes: 0 });
            place.grow(length - place.bytes)?;
        }
        if first.is_empty() && more.is_empty() {
            first = data;
        } else {
            if more.is_empty() {
                more.extend_from_slice(&std::mem::take(&mut first));
            }
            more.extend_from_slice(&data);
        }
        if body.is_end_stream() {
            break;
        }
    }
    let bytes = if more.is_empty() { first } else { more.freeze() };
    Ok(ReadBody { bytes, _place: place })
}

/// Takes what a client is still sending after it was refused, and drops it: a client that writes all before it reads
/// would otherwise find its connection reset, and never see why.
pub(crate) async fn linger(mut body: Incoming) {
    let drain = async {
        let mut left = LINGER_BYTES;
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            if bytes > left {
                break;
            }
            left -= bytes;
        }
    };
    // Over or not, the body is dropped, and hyper closes a connection whose body was not read to its end.
    drop(tokio::time::timeout(LINGER_TIME, drain).await);
}
