//! A thread for what may block for long, so that its channel can always be told to stop.
//!
//! It does one job after another and never outlives its channel by more than the job at hand, which it finishes alone:
//! nobody waits for it.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// The thread, as its channel sees it.
pub(super) struct Worker<J, R> {
    jobs: SyncSender<J>,
    results: Receiver<R>,
    busy: bool,
}

impl<J: Send + 'static, R: Send + 'static> Worker<J, R> {
    pub(super) fn spawn(
        name: &str,
        mut work: impl FnMut(J) -> R + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, to_do) = sync_channel::<J>(1);
        let (done, results) = sync_channel(1);
        let run = move || {
            while let Ok(job) = to_do.recv() {
                if done.send(work(job)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { jobs, results, busy: false })
    }

    /// Whether a job is at hand whose result was not taken yet.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Hands out a job. Gives it back when there is one already, or no thread any more.
    pub(super) fn give(&mut self, job: J) -> Result<(), J> {
        if self.busy {
            return Err(job);
        }
        match self.jobs.try_send(job) {
            Ok(()) => {
                self.busy = true;
                Ok(())
            }
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => Err(job),
        }
    }

    /// The result of the job at hand, if it comes in time.
    pub(super) fn take(&mut self, wait: Duration) -> Option<R> {
        if !self.busy {
            return None;
        }
        let result = self.results.recv_timeout(wait).ok()?;
        self.busy = false;
        Some(result)
    }
}
