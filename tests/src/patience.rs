//! Waiting for something that will be true soon, without guessing how soon.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a story waits for anything. Far longer than it takes on a busy two-core machine: it is only spent when
/// the story is about to fail.
pub const PATIENCE: Duration = Duration::from_secs(120);

const PAUSE: Duration = Duration::from_millis(10);

/// Asks until there is an answer and gives it back.
///
/// # Panics
///
/// When there is none within [`PATIENCE`]; `what` completes "waited in vain for".
pub fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what} ({PATIENCE:?})");
        pause();
    }
}

/// Between two questions.
pub(crate) fn pause() {
    sleep(PAUSE);
}
