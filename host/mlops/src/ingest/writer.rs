//! The one writer: it takes what is queued, sees what is new, adds it up, and stores all of it in one transaction.
//!
//! Nobody else writes statistics, so what it holds in memory is what is stored: the rollups of the hours that are being
//! written, the newest items, the filters of the folds. When a transaction fails, all of that is read anew, and the
//! calls in it are told to try again. Folding sorts on a thread of its own, and stores a few shards with each commit, so
//! that no call waits for it.

mod apply;
mod commit;
mod folding;
mod found;
mod lock;
mod memory;
mod retention;
mod writes;

use std::sync::Arc;
use std::time::Instant;

use sqlx::AnyConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use self::found::Found;
pub(super) use self::lock::Lock;
pub(super) use self::memory::Memory;
use self::writes::Writes;
use super::Settings;
use super::answer::{Accepted, IngestError, StartError};
use super::counts::Counts;
use super::work::Work;
use crate::store::{Retention, Store, StoreError};

/// Rows that are taken into one transaction, by default.
const ROWS_A_COMMIT: usize = 100_000;
/// Calls that are taken into one.
const CALLS_A_COMMIT: usize = 256;

/// What the writer is asked.
#[derive(Debug)]
pub(super) enum Message {
    /// Take a call.
    Take {
        deployment: String,
        work: Box<Work>,
        reply: oneshot::Sender<Result<Accepted, IngestError>>,
        /// The call's place in the queue.
        place: OwnedSemaphorePermit,
    },
    /// Delete what is too old.
    Retain { now_us: i64, keep: Retention, reply: oneshot::Sender<Result<(), StoreError>> },
    /// End, after what is queued.
    Stop,
}

/// A call that is being taken.
struct Taken {
    deployment: String,
    work: Work,
    reply: oneshot::Sender<Result<Accepted, IngestError>>,
    place: OwnedSemaphorePermit,
}

/// A statement failed, or what is stored is damaged.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error("a rollup is damaged")]
    Rollup(#[from] postcard::Error),
    #[error(transparent)]
    Items(#[from] crate::store::pending::item::Damaged),
    #[error("a stored row is damaged: {0}")]
    Row(&'static str),
}

impl From<WriteError> for StartError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Sql(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// The one writer.
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) lock: Lock,
    pub(super) settings: Settings,
    pub(super) memory: Memory,
    /// Closed when ingest is being ended: then nothing is waited for any more.
    pub(super) places: Arc<Semaphore>,
    pub(super) counts: Arc<Counts>,
}

impl Writer {
    /// Works until it is told to stop, or nobody is left who could ask.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        loop {
            let message = if self.memory.folding.can_step() {
                match queue.try_recv() {
                    Ok(message) => Some(message),
                    Err(mpsc::error::TryRecvError::Disconnected) => None,
                    Err(mpsc::error::TryRecvError::Empty) => {
                        self.write(Vec::new()).await;
                        continue;
                    }
                }
            } else {
                tokio::select! {
                    biased;
                    message = queue.recv() => message,
                    () = self.memory.folding.sorted() => continue,
                }
            };
            let Some(message) = message else { break };
            if !self.serve(message, &mut queue).await {
                break;
            }
        }
        self.lock.release().await;
    }

    /// Serves a message and those behind it; false at the end.
    async fn serve(&mut self, message: Message, queue: &mut mpsc::Receiver<Message>) -> bool {
        let mut batch = Vec::new();
        let mut rows = 0;
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                Message::Take { deployment, work, reply, place } => {
                    rows += work.rows + work.entries.len();
                    batch.push(Taken { deployment, work: *work, reply, place });
                }
                Message::Retain { now_us, keep, reply } => {
                    self.write(std::mem::take(&mut batch)).await;
                    let kept = self.retain(now_us, keep).await;
                    drop(reply.send(kept));
                }
                Message::Stop => {
                    self.write(batch).await;
                    return false;
                }
            }
            let full = rows >= ROWS_A_COMMIT || batch.len() >= CALLS_A_COMMIT;
            next = if full { None } else { queue.try_recv().ok() };
        }
        self.write(batch).await;
        true
    }

    /// Takes calls, and answers them. When they cannot be taken together, each is tried alone, so that one which the
    /// database will never take does not hold up the others.
    async fn write(&mut self, batch: Vec<Taken>) {
        if batch.is_empty() && !self.memory.folding.can_step() {
            return;
        }
        let Some(batch) = self.write_together(batch).await else { return };
        for taken in batch {
            self.write_together(vec![taken]).await;
        }
    }

    /// Takes calls in one transaction, and answers them; gives them back when they should be tried one by one.
    async fn write_together(&mut self, batch: Vec<Taken>) -> Option<Vec<Taken>> {
        match self.try_write(&batch).await {
            Ok(answers) => {
                self.settle().await;
                for (taken, answer) in batch.into_iter().zip(answers) {
                    drop(taken.place);
                    // A client that left does not hear that it was taken.
                    drop(taken.reply.send(Ok(answer)));
                }
                None
            }
            Err(error) => {
                self.counts.commit_failed();
                tracing::error!(%error, calls = batch.len(), "the database took nothing; reading it anew");
                // A database that can be read may take some of them; one that cannot takes none now.
                if batch.len() > 1 && self.try_reload().await.is_ok() {
                    return Some(batch);
                }
                for taken in batch {
                    drop(taken.reply.send(Err(IngestError::Unavailable)));
                }
                self.reload().await;
                None
            }
        }
    }

    async fn try_write(&mut self, batch: &[Taken]) -> Result<Vec<Accepted>, WriteError> {
        let Self { lock, memory, settings, store, counts, .. } = self;
        let started = Instant::now();
        let db: &mut AnyConnection = lock.connection();
        let found = Found::look(db, memory, batch).await?;
        let mut writes = Writes::default();
        let mut answers = Vec::with_capacity(batch.len());
        for taken in batch {
            answers.push(memory.apply(db, &found, taken, &mut writes).await?);
        }
        memory.folding.next_shards(settings.shards_a_commit, &mut writes);
        memory.finish(&mut writes)?;
        commit::commit(db, &writes).await?;
        memory.committed(&writes, settings, store.cache());
        counts.committed(started.elapsed(), writes.rows, writes.joined, memory.held());
        Ok(answers)
    }

    /// After a commit: freezes the newest items when they are many.
    async fn settle(&mut self) {
        if self.memory.open.len() < self.settings.fold_items {
            return;
        }
        // The fold before this one is stored first; usually it is long since.
        while self.memory.frozen.is_some() {
            self.memory.folding.sorted().await;
            let Self { lock, memory, settings, store, .. } = self;
            let mut writes = Writes::default();
            memory.folding.next_shards(settings.shards_a_commit, &mut writes);
            let stored = commit::commit(lock.connection(), &writes).await;
            match stored {
                Ok(()) => memory.committed(&writes, settings, store.cache()),
                Err(error) => {
                    self.counts.commit_failed();
                    tracing::error!(%error, "the database took no fold; reading it anew");
                    return self.reload().await;
                }
            }
        }
        self.memory.freeze(self.settings.shard_items);
        self.counts.hold(self.memory.held());
    }

    /// Reads all of it anew, as often as it takes.
    async fn reload(&mut self) {
        while let Err(error) = self.try_reload().await {
            if self.places.is_closed() {
                tracing::error!(%error, "the database cannot be read; ending all the same");
                return;
            }
            tracing::error!(%error, "the database cannot be read; trying again");
            tokio::time::sleep(self.settings.retry_time).await;
        }
    }

    async fn try_reload(&mut self) -> Result<(), StartError> {
        self.lock.renew(&self.store).await?;
        self.memory = Memory::load(self.lock.connection()).await?;
        self.counts.hold(self.memory.held());
        Ok(())
    }
}
