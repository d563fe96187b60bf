//! The clock that ends late calls: an OS thread that moves the runtime's epoch.
//!
//! A guest checks the epoch at every loop and call; nothing on the host has to watch it. The thread is a real one,
//! because an async timer would not fire while guests keep every worker busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

/// The running clock. Dropping it stops the thread.
pub(crate) struct Ticker {
    tick: Duration,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: &wasmtime::Engine, tick: Duration) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let engine = engine.weak();
        let thread = thread::Builder::new().name("engine-ticker".to_string()).spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Relaxed) {
                    // An early wake-up would make a deadline short by one tick; `ticks` allows for that.
                    thread::park_timeout(tick);
                    match engine.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => return,
                    }
                }
            }
        })?;
        Ok(Self { tick, stop, thread: Some(thread) })
    }

    /// How many ticks cover `time`: at least that long, and at most two ticks longer.
    pub(crate) fn ticks(&self, time: Duration) -> u64 {
        let whole = time.as_nanos().div_ceil(self.tick.as_nanos());
        u64::try_from(whole).unwrap_or(u64::MAX / 4).min(u64::MAX / 4) + 1
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("Deadline clock had panicked");
            }
        }
    }
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticker").field("tick", &self.tick).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_cover_the_time() {
        let engine = wasmtime::Engine::default();
        let ticker = Ticker::start(&engine, Duration::from_millis(2)).unwrap();
        assert_eq!(ticker.ticks(Duration::from_millis(4)), 3);
        assert_eq!(ticker.ticks(Duration::from_micros(4001)), 4);
        assert_eq!(ticker.ticks(Duration::MAX), u64::MAX / 4 + 1);
    }

    #[test]
    fn dropping_the_ticker_ends_its_thread() {
        let engine = wasmtime::Engine::default();
        let ticker = Ticker::start(&engine, Duration::from_secs(3600)).unwrap();
        let stop = Arc::clone(&ticker.stop);
        drop(ticker);
        // The thread held the other reference, and gave it back although its tick is an hour.
        assert_eq!(Arc::strong_count(&stop), 1);
    }
}
