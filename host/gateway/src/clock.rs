//! The device's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970. A clock before 1970 is a clock that was never set.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
