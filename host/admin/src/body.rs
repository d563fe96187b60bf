//! Reading a body: capped while it is read, in a given time.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};

use crate::problem::Problem;

/// How long, and how much, is read from a client after it was refused.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 128 << 20;

/// How much of a body is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
    /// The setting that raises it.
    pub(crate) setting: Option<&'static str>,
}

/// Reads a body.
pub(crate) async fn read(body: &mut Incoming, limit: Limit) -> Result<Vec<u8>, Problem> {
    if body.size_hint().lower() > limit.bytes as u64 {
        return Err(Problem::too_large(limit.bytes, limit.setting));
    }
    let all = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Problem::broken_body())?.into_data() else { continue };
            if bytes.len() + data.len() > limit.bytes {
                return Err(Problem::too_large(limit.bytes, limit.setting));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    };
    tokio::time::timeout(limit.time, all).await.unwrap_or_else(|_| Err(Problem::too_slow()))
}

/// Takes what a client is still sending after it was refused, and drops it: a client that writes all before it reads
/// would otherwise find its connection reset, and never see why.
pub(crate) async fn linger(mut body: Incoming) {
    let drain = async {
        let mut left = LINGER_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, bytes::Bytes::len);
            if bytes > left {
                break;
            }
            left -= bytes;
        }
    };
    // Over or not, the body is dropped, and hyper closes a connection whose body was not read to its end.
    drop(tokio::time::timeout(LINGER_TIME, drain).await);
}
