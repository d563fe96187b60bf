//! Taking what agents and libraries report: every record once, every row in its hour, every actual to its predictions.
//!
//! A call is read, checked and binned on its own thread ([`work`]), and then waits for the one writer ([`writer`]),
//! which takes all calls that wait in one transaction. The answer comes after the commit: what was answered is not
//! lost, and what was not answered may be sent again, because a record with an id is taken once.

mod answer;
mod counts;
mod plan;
mod prepare;
mod rows;
mod simple;
mod summed;
mod target;
mod work;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

pub use self::answer::{Accepted, IngestError, RefusedEntry, StartError};
pub use self::counts::{COMMIT_BOUNDS_US, CommitTimes, Counts, Entries, EventTaken, Held};
pub use self::plan::{AHEAD_US, BEHIND_US, DeploymentPlan, PackagePlan, SLOW_MS};
use self::work::{Call, Work};
use self::writer::{Lock, Memory, Message, Writer};
use crate::store::{Retention, Store, StoreError};

/// A body that is larger is read on a thread that may block: about a millisecond's work.
const SMALL_BODY: usize = 64 * 1024;
/// Room in the queue for what is no call; calls have places of their own.
const OTHERS: usize = 8;

/// How ingest works.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Calls that are read or wait for the writer; one more is told to try again.
    pub calls: usize,
    /// Items that are kept in memory before they are folded.
    pub fold_items: usize,
    /// Items in a shard of a fold: by default some 8 KB, half a page of the database.
    pub shard_items: usize,
    /// Shards that are stored with one commit: by default some megabytes.
    pub shards_a_commit: usize,
    /// Rollups of hours that were written lately, kept in memory.
    pub cached_rollups: usize,
    /// How long the writer waits between tries, when the database cannot be read.
    pub retry_time: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            calls: 64,
            fold_items: 512 * 1024,
            shard_items: 256,
            shards_a_commit: 128,
            cached_rollups: 2_048,
            retry_time: Duration::from_secs(1),
        }
    }
}

/// Takes calls. Clones share the one writer.
#[derive(Clone, Debug)]
pub struct Ingest(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: mpsc::Sender<Message>,
    /// What bounds the queue: a place is held from before the body is read until the commit.
    places: Arc<Semaphore>,
    /// So many places there are.
    calls: usize,
    counts: Arc<Counts>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Ingest {
    /// Takes the lock, reads what is stored, and starts the writer.
    ///
    /// # Errors
    ///
    /// When another server has the database, or what is stored cannot be read.
    pub async fn start(store: Store, settings: Settings) -> Result<Self, StartError> {
        let mut lock = Lock::take(&store).await?;
        let memory = Memory::load(lock.connection()).await?;
        let (queue, messages) = mpsc::channel(settings.calls + OTHERS);
        let places = Arc::new(Semaphore::new(settings.calls));
        let counts = Arc::new(Counts::default());
        counts.hold(memory.held());
        let writer = Writer {
            store,
            lock,
            settings,
            memory,
            places: Arc::clone(&places),
            counts: Arc::clone(&counts),
        };
        let writer = Mutex::new(Some(tokio::spawn(writer.run(messages))));
        Ok(Self(Arc::new(Shared { queue, places, calls: settings.calls, counts, writer })))
    }

    /// What was counted since the start.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Calls that are read or wait for the writer.
    pub fn waiting_calls(&self) -> usize {
        self.0.calls.saturating_sub(self.0.places.available_permits())
    }

    /// Stores what was queued, and ends the writer. Later calls are told that it ended.
    pub async fn close(&self) {
        self.0.places.close();
        drop(self.0.queue.send(Message::Stop).await);
        let writer = self.0.writer.lock().take();
        if let Some(writer) = writer {
            drop(writer.await);
        }
    }

    /// Takes a `predictionRequests/fromJSON/` call.
    ///
    /// # Errors
    ///
    /// When the body cannot be used, or cannot be taken now.
    pub async fn prediction_requests(
        &self,
        plan: &Arc<DeploymentPlan>,
        body: Bytes,
    ) -> Result<Accepted, IngestError> {
        self.take(Call::Requests, plan, body, simple::requests).await
    }

    /// Takes a `predictionInputs/fromJSON/` call.
    ///
    /// # Errors
    ///
    /// When the body cannot be used, or cannot be taken now.
    pub async fn prediction_inputs(
        &self,
        plan: &Arc<DeploymentPlan>,
        body: Bytes,
    ) -> Result<Accepted, IngestError> {
        self.take(Call::Inputs, plan, body, rows::inputs).await
    }

    /// Takes a `predictionStats/fromJSON/` call.
    ///
    /// # Errors
    ///
    /// When the body cannot be used, or cannot be taken now.
    pub async fn prediction_stats(
        &self,
        plan: &Arc<DeploymentPlan>,
        body: Bytes,
    ) -> Result<Accepted, IngestError> {
        self.take(Call::Stats, plan, body, summed::stats).await
    }

    /// Takes an `actuals/fromJSON/` call.
    ///
    /// # Errors
    ///
    /// When the body cannot be used, or cannot be taken now.
    pub async fn actuals(
        &self,
        plan: &Arc<DeploymentPlan>,
        body: Bytes,
    ) -> Result<Accepted, IngestError> {
        self.take(Call::Actuals, plan, body, simple::actuals).await
    }

    /// Takes a `customMetrics/<metric>/fromJSON/` call.
    ///
    /// # Errors
    ///
    /// When the body cannot be used, or cannot be taken now.
    pub async fn custom_metrics(
        &self,
        plan: &Arc<DeploymentPlan>,
        metric: &str,
        body: Bytes,
    ) -> Result<Accepted, IngestError> {
        let metric = metric.to_owned();
        let read = move |plan: &DeploymentPlan, text: &[u8], now: i64| {
            simple::metric(plan, &metric, text, now)
        };
        self.take(Call::Metrics, plan, body, read).await
    }

    /// Deletes what is older than is kept.
    ///
    /// # Errors
    ///
    /// When the database does not do it.
    pub async fn retain(&self, now_us: i64, keep: Retention) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        drop(self.0.queue.send(Message::Retain { now_us, keep, reply }).await);
        // A writer that has ended deletes nothing, and the next one will.
        answer.await.unwrap_or(Ok(()))
    }

    async fn take(
        &self,
        call: Call,
        plan: &Arc<DeploymentPlan>,
        body: Bytes,
        read: impl FnOnce(&DeploymentPlan, &[u8], i64) -> Result<Work, IngestError> + Send + 'static,
    ) -> Result<Accepted, IngestError> {
        use tokio::sync::TryAcquireError;
        let place = Arc::clone(&self.0.places).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::Closed => IngestError::Closed,
            TryAcquireError::NoPermits => IngestError::Busy,
        });
        let place = place.inspect_err(|error| self.0.counts.turned_away(error))?;
        self.0.counts.body(call, body.len());
        let now_us = jiff::Timestamp::now().as_microsecond();
        let work = if body.len() <= SMALL_BODY {
            read(plan, &body, now_us)
        } else {
            let plan = Arc::clone(plan);
            let task = tokio::task::spawn_blocking(move || read(&plan, &body, now_us));
            task.await.map_err(|_| IngestError::Closed)?
        };
        // A body that cannot be used is counted too.
        let (work, refused) = match work {
            Ok(work) => (work, None),
            Err(error) => (prepare::refused_body(call, plan, &error, now_us), Some(error)),
        };
        let (reply, answer) = oneshot::channel();
        let deployment = plan.id.clone();
        let message = Message::Take { deployment, work: Box::new(work), reply, place };
        self.0.queue.send(message).await.map_err(|_| IngestError::Closed)?;
        let answer = answer.await.unwrap_or(Err(IngestError::Closed));
        self.0.counts.answered(call, &answer);
        refused.map_or(answer, Err)
    }
}

#[cfg(test)]
mod tests;
