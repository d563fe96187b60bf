//! Scoring along: challengers on every row, and the champion on the rows that a canary has answered.
//!
//! It happens after the answer, on one thread of its own with the lowest priority, for a set part of a processor. What
//! that does not suffice for is shed, and counted: a challenger may cost its comparison, and never an answer.
//!
//! To wake a thread costs a request more than all the rest of it. So nobody does: the thread looks by itself, many times a
//! second, and is woken only from the long sleep that it falls into when nothing has come for a while.

use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use record::{Outcome, Role};
use tracing::warn;

use super::{
    compare::{Comparison, Given},
    lineup::Lineup,
};
use crate::{
    batch::Rows,
    deployment::Serving,
    fault::Fault,
    problem::Problem,
    recorder::{self, Finished, Scored},
    request_id::RequestId,
    settings::{FleetSettings, UnknownNames},
    source::{Source, association_ids},
    state::State,
};

/// What a waiting request takes beside its rows and predictions, about.
const JOB_BYTES: usize = 512;
/// The lowest priority that there is.
const NICE: i32 = 19;
/// Work at a stretch, after which it rests.
const STRETCH: Duration = Duration::from_millis(5);
/// The shortest rest, and the time between two looks for work.
const REST: Duration = Duration::from_millis(20);
/// The longest rest, after a piece of work that took long.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// Looks in vain before the long sleep.
const LOOKS: u32 = 50;

/// The way to the thread that scores along.
#[derive(Debug)]
pub(crate) struct Shadow {
    queue: Arc<Queue>,
    thread: Thread,
    limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: Mutex<VecDeque<ShadowJob>>,
    /// Bytes that wait.
    waiting: AtomicUsize,
    /// Whether the thread must be woken.
    sleeps: AtomicBool,
    ended: AtomicBool,
}

/// A request that was answered.
pub(crate) struct ShadowJob {
    pub(crate) state: Arc<State>,
    pub(crate) lineup: Arc<Lineup>,
    pub(crate) source: Source,
    pub(crate) answered: Role,
    pub(crate) predictions: Vec<f64>,
    /// How long the call took that answered.
    pub(crate) took: Duration,
    pub(crate) request_id: RequestId,
    pub(crate) timestamp_us: i64,
}

impl Shadow {
    /// Starts the thread. It ends when this is dropped.
    pub(crate) fn start(settings: &FleetSettings) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let worked = Arc::clone(&queue);
        let share = settings.shadow_cpu;
        let thread = thread::Builder::new()
            .name("score-along".to_owned())
            .spawn(move || worked.work(share))?
            .thread()
            .clone();
        Ok(Self { queue, thread, limit: settings.shadow_bytes })
    }

    /// Takes a request, or sheds it.
    pub(crate) fn offer(&self, job: ShadowJob) {
        let bytes = job.bytes();
        if self.queue.waiting.fetch_add(bytes, SeqCst) + bytes > self.limit {
            self.queue.waiting.fetch_sub(bytes, SeqCst);
            for challenger in &job.lineup.challengers {
                challenger.shed.fetch_add(1, SeqCst);
            }
            return;
        }
        self.queue.jobs.lock().push_back(job);
        if self.queue.sleeps.swap(false, SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        self.queue.ended.store(true, SeqCst);
        self.thread.unpark();
    }
}

impl Queue {
    fn work(&self, share: f64) {
        // Of this thread alone. Where it is refused, the rest after each stretch still holds.
        if let Err(error) = rustix::process::setpriority_process(None, NICE) {
            warn!(%error, "Challengers score at the priority of requests");
        }
        let mut vain = 0;
        while !self.ended.load(SeqCst) {
            let started = Instant::now();
            vain = if self.stretch(started) { 0 } else { vain + 1 };
            if vain > LOOKS {
                self.sleep();
                vain = 0;
            }
            let rest = started.elapsed().mul_f64(1.0 / share - 1.0);
            thread::park_timeout(rest.clamp(REST, LONGEST_REST));
        }
    }

    /// Works for a while. Whether there was work.
    fn stretch(&self, started: Instant) -> bool {
        let mut worked = false;
        while started.elapsed() < STRETCH {
            let Some(job) = self.jobs.lock().pop_front() else { break };
            job.run();
            self.waiting.fetch_sub(job.bytes(), SeqCst);
            worked = true;
        }
        worked
    }

    /// Until somebody brings work. Who comes between the two looks sees that it sleeps.
    fn sleep(&self) {
        self.sleeps.store(true, SeqCst);
        while self.sleeps.load(SeqCst) && self.jobs.lock().is_empty() && !self.ended.load(SeqCst) {
            thread::park();
        }
        self.sleeps.store(false, SeqCst);
    }
}

impl std::fmt::Debug for ShadowJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShadowJob").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

impl ShadowJob {
    fn bytes(&self) -> usize {
        JOB_BYTES + self.source.len() + size_of_val(&*self.predictions)
    }

    fn run(&self) {
        let lineup = &self.lineup;
        for challenger in &lineup.challengers {
            self.score(&challenger.serving, Some(Role::Challenger), |own| {
                compare(&challenger.comparison, own, Some(self.given()));
            });
        }
        if let (Role::Canary, Some(canary), Some(champion)) =
            (self.answered, &lineup.canary, &lineup.champion)
        {
            self.score(&champion.serving, None, |champions| {
                // Without them there is nothing to compare with.
                if let Some(champions) = champions {
                    canary.comparison.both(self.given(), champions);
                }
            });
        }
    }

    fn given(&self) -> Given<'_> {
        Given { predictions: &self.predictions, took: self.took }
    }

    /// Scores the same rows by another package, with its own eyes: a field that it does not know is left out.
    fn score(&self, serving: &Serving, record: Option<Role>, told: impl FnOnce(Option<Given<'_>>)) {
        let rows = Rows::new(&serving.schema, UnknownNames::Ignore, self.state.settings.rows);
        let batch = match self.source.decode(rows) {
            Ok(batch) => batch,
            Err(bad) => {
                self.record(serving, record, Err(&bad.into()), Duration::ZERO);
                return told(None);
            }
        };
        let (result, took) = serving.score(batch.rows, &batch.numbers, false);
        let ids: Vec<Cow<'_, str>> =
            association_ids(self.request_id.as_str(), &batch).unwrap_or_default();
        match &result {
            Ok(predictions) if !ids.is_empty() => {
                let scored = Scored { batch: &batch, predictions, association_ids: &ids };
                self.record(serving, record, Ok(scored), took);
                told(Some(Given { predictions, took }));
            }
            Ok(_) => told(None),
            Err(fault) => {
                self.record(serving, record, Err(fault), took);
                told(None);
            }
        }
    }

    fn record(
        &self,
        serving: &Serving,
        role: Option<Role>,
        result: Result<Scored<'_>, &Fault>,
        took: Duration,
    ) {
        let (Some(role), Some(outbox)) = (role, &self.state.outbox) else { return };
        let (outcome, status) = match &result {
            Ok(_) => (Outcome::Ok, hyper::StatusCode::OK),
            Err(fault) if fault.is_callers() => {
                (Outcome::UserError, Problem::of(fault).kind.status())
            }
            Err(fault) => (Outcome::SystemError, Problem::of(fault).kind.status()),
        };
        let finished = Finished {
            timestamp_us: self.timestamp_us,
            execution_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            request_id: self.request_id.as_str(),
            outcome,
            status: status.as_u16(),
            role,
            gateway: self.state.settings.name.as_deref(),
            scored: result.ok(),
        };
        // The outbox counts what it refuses.
        recorder::encode(serving, &finished, outbox.max_record_bytes(), |part| {
            outbox.observe(part);
        });
    }
}

fn compare(comparison: &Comparison, own: Option<Given<'_>>, champions: Option<Given<'_>>) {
    match (own, champions) {
        (Some(own), Some(champions)) => comparison.both(own, champions),
        (None, Some(_)) => comparison.failed(),
        (_, None) => {}
    }
}
