//! Scoring along: challengers on every row, and the champion on the rows that a canary has answered.
//!
//! It happens after the answer, on one thread of its own with the lowest priority, for a set part of a processor. What
//! that does not suffice for is shed, and counted: a challenger may cost its comparison, and never an answer.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

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

/// Requests that wait, whatever their size.
const QUEUE: usize = 1024;
/// What a waiting request takes beside its rows and predictions, about.
const JOB_BYTES: usize = 512;
/// The lowest priority that there is.
const NICE: i32 = 19;
/// The longest rest after a piece of work.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// The way to the thread that scores along.
#[derive(Debug)]
pub(crate) struct Shadow {
    queue: SyncSender<ShadowJob>,
    waiting: Arc<AtomicUsize>,
    limit: usize,
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
        let (queue, jobs) = sync_channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waiting);
        let share = settings.shadow_cpu;
        thread::Builder::new()
            .name("score-along".to_owned())
            .spawn(move || work(&jobs, &counted, share))?;
        Ok(Self { queue, waiting, limit: settings.shadow_bytes })
    }

    /// Takes a request, or sheds it.
    pub(crate) fn offer(&self, job: ShadowJob) {
        let bytes = job.bytes();
        let room = self.waiting.fetch_add(bytes, Relaxed) + bytes <= self.limit;
        let lineup = Arc::clone(&job.lineup);
        if !room || self.queue.try_send(job).is_err() {
            self.waiting.fetch_sub(bytes, Relaxed);
            for challenger in &lineup.challengers {
                challenger.shed.fetch_add(1, Relaxed);
            }
        }
    }
}

fn work(jobs: &Receiver<ShadowJob>, waiting: &AtomicUsize, share: f64) {
    // Of this thread alone. Where it is refused, the rest after each piece of work still holds.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        warn!(%error, "Challengers score at the priority of requests");
    }
    while let Ok(job) = jobs.recv() {
        let started = Instant::now();
        job.run();
        waiting.fetch_sub(job.bytes(), Relaxed);
        drop(job);
        let rest = started.elapsed().mul_f64(1.0 / share - 1.0);
        thread::sleep(rest.min(LONGEST_REST));
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
