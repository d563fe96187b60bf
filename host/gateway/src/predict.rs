//! The way of a request for predictions: receive, decode, score, answer, record.
//!
//! Receiving waits for the client and may be cut off by it. From there on nothing awaits: a small body is decoded, scored and
//! recorded in one go on the task of the request; a large one, or any while the model is slow or every
//! instance is taken, on a task of its own, which a vanished client does not stop. So whatever was scored is recorded.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::{Request, StatusCode, body::Incoming, header::HeaderName};
use record::{Outcome, Role};
use tokio::{sync::SemaphorePermit, time::timeout};
use tracing::{debug, error, warn};

use crate::{
    answer::{self, Answer},
    batch::{Batch, Rows},
    clock::now_us,
    deployment::Serving,
    fault::Fault,
    fleet::{Champion, Fleet, Lineup, Pick, ShadowJob, Slot, Verdict, Watch},
    metrics::Inflight,
    problem::Problem,
    receive::receive,
    recorder::{self, Finished, Scored, Ticket},
    request_id::RequestId,
    settings::{INLINE_BODY_BYTES, RecordClass, UnknownNames},
    source::{Source, association_ids},
    state::State,
};

/// The answer's header that names the package that gave it.
const X_MODEL_DIGEST: HeaderName = HeaderName::from_static("x-model-digest");

/// A request on its way.
#[derive(Debug)]
struct Job {
    state: Arc<State>,
    slot: Arc<Slot>,
    /// Who took part when it came; a change in between does not matter to it.
    lineup: Arc<Lineup>,
    request_id: RequestId,
    started: Instant,
    timestamp_us: i64,
    _inflight: Inflight,
}

/// An answer, what it may have to wait for, and what scores along.
struct Done {
    answer: Answer,
    record: Recorded,
    given: Option<Given>,
}

/// What was answered, for those who score along.
struct Given {
    role: Role,
    predictions: Vec<f64>,
    took: Duration,
}

/// What a package gave for a batch.
struct Gave<'a, 'b> {
    serving: &'a Arc<Serving>,
    role: Role,
    predictions: Vec<f64>,
    took: Duration,
    /// The rows as it read them, where it read them itself.
    read: Option<Batch<'b>>,
}

enum Recorded {
    /// Nothing to wait for.
    Free,
    Awaits(Ticket),
    Refused,
}

/// Answers a request for predictions.
pub(crate) async fn predict(
    state: &Arc<State>,
    slot: Arc<Slot>,
    lineup: Arc<Lineup>,
    request: Request<Incoming>,
) -> Answer {
    let (parts, body) = request.into_parts();
    let (request_id, id_fault) = state.ids.of(&parts.headers);
    let job = Job {
        state: Arc::clone(state),
        slot,
        lineup,
        request_id: request_id.clone(),
        started: Instant::now(),
        timestamp_us: now_us(),
        _inflight: Inflight::start(&state.metrics),
    };
    let done = match receive(state, parts, body, id_fault).await {
        Ok(source) => job.dispatch(source).await,
        Err(fault) => job.refuse(&fault),
    };
    settle(state, &request_id, done).await
}

/// Waits for a durable record, and counts the answer as it goes out.
async fn settle(state: &State, request_id: &RequestId, done: Done) -> Answer {
    let durable = match done.record {
        Recorded::Free => true,
        Recorded::Refused => false,
        Recorded::Awaits(ticket) => {
            timeout(state.settings.durable_time, ticket).await.unwrap_or(false)
        }
    };
    if durable {
        return done.answer;
    }
    let fault = Fault::NotDurable;
    let problem = Problem::of(&fault);
    state.metrics.refused(problem.kind);
    answer::problem(&fault, &problem, request_id)
}

impl Job {
    /// Scores here or elsewhere.
    async fn dispatch(self, source: Source) -> Done {
        let source = match self.inline(source) {
            Ok(done) => return done,
            Err(source) => source,
        };
        let job = Arc::new(self);
        let task = tokio::spawn(elsewhere(Arc::clone(&job), source, job.state.working()));
        match task.await {
            Ok(done) => done,
            Err(panic) => job.refuse(&Fault::Host(Box::new(panic))),
        }
    }

    /// Answers on this thread, when the body is small, the model is quick and an instance of it is free.
    fn inline(&self, source: Source) -> Result<Done, Source> {
        if source.len() > INLINE_BODY_BYTES {
            return Err(source);
        }
        let champion = &self.champion().serving;
        // Without a canary it is known who answers before anything is decoded.
        let mut instance = None;
        if self.lineup.canary.is_none() {
            instance = free_here(champion);
            if instance.is_none() {
                return Err(source);
            }
        }
        let batch = match self.decode(champion, &source) {
            Ok(batch) => batch,
            Err(fault) => return Ok(self.refuse(&fault)),
        };
        let pick = self.pick(&batch);
        let Some(_instance) = instance.or_else(|| free_here(pick.serving)) else {
            return Err(source);
        };
        let done = self.finish(pick, &batch, &source);
        Ok(self.shadow(done, source))
    }

    /// Decodes, scores, answers and records, without a pause.
    fn run(&self, source: Source) -> Done {
        let done = match self.decode(&self.champion().serving, &source) {
            Ok(batch) => self.finish(self.pick(&batch), &batch, &source),
            Err(fault) => self.refuse(&fault),
        };
        self.shadow(done, source)
    }

    fn champion(&self) -> &Champion {
        self.lineup.champion.as_ref().expect("a request is let in where there is a champion")
    }

    fn decode<'b>(&self, serving: &Serving, source: &'b Source) -> Result<Batch<'b>, Fault> {
        self.decode_with(serving, serving.settings.unknown_names, source)
    }

    /// For one who is asked in another's place: a field that it does not know may be the other's.
    fn decode_leniently<'b>(
        &self,
        serving: &Serving,
        source: &'b Source,
    ) -> Result<Batch<'b>, Fault> {
        self.decode_with(serving, UnknownNames::Ignore, source)
    }

    fn decode_with<'b>(
        &self,
        serving: &Serving,
        names: UnknownNames,
        source: &'b Source,
    ) -> Result<Batch<'b>, Fault> {
        Ok(source.decode(Rows::new(&serving.schema, names, self.state.settings.rows))?)
    }

    /// Who is to answer. With a canary the first row's association id decides, so that what belongs together is
    /// answered by one model; else the request's id.
    fn pick(&self, batch: &Batch<'_>) -> Pick<'_> {
        if let Some(canary) = &self.lineup.canary {
            let key = match batch.association_ids.first() {
                Some(Some(id)) => id,
                _ => self.request_id.as_str(),
            };
            if canary.takes(key) {
                return canary.pick();
            }
        }
        self.champion().pick()
    }

    /// Scores, answers and records. `batch` is as the champion reads it.
    fn finish(&self, pick: Pick<'_>, batch: &Batch<'_>, source: &Source) -> Done {
        // A canary with other features reads the rows itself.
        let own;
        let mut read = batch;
        if pick.role == Role::Canary && pick.watch.is_some_and(|watch| !watch.same_layout) {
            match self.decode_leniently(pick.serving, source) {
                Ok(batch) => {
                    own = batch;
                    read = &own;
                }
                // What it cannot read is the champion's to answer.
                Err(_) => return self.finish(self.champion().pick(), batch, source),
            }
        }
        let ids = match association_ids(self.request_id.as_str(), read) {
            Ok(ids) => ids,
            Err(bad) => return self.refuse(&bad.into()),
        };
        let gave = match self.score(pick, read, source) {
            Ok(gave) => gave,
            Err(fault) => return self.refuse_by(pick, &fault),
        };
        let metrics = &self.state.metrics;
        metrics.scored(read.rows, read.unknown_names);
        let Gave { serving, role, predictions, took, read: reread } = gave;
        let request_id = self.request_id.as_str();
        let text = answer::predictions(request_id, &serving.target, &ids, &predictions);
        let mut answer = answer::json(StatusCode::OK, text);
        answer::identify(&mut answer, &self.request_id);
        answer.headers_mut().insert(X_MODEL_DIGEST, serving.digest_header.clone());
        // Whoever stood in may have read the rows in another way; the record has them as it did.
        let batch = reread.as_ref().unwrap_or(read);
        let scored = Scored { batch, predictions: &predictions, association_ids: &ids };
        let record = self.record(serving, role, Outcome::Ok, StatusCode::OK, Some(scored));
        Done { answer, record, given: Some(Given { role, predictions, took }) }
    }

    /// Asks the one who was picked; while that one is new, its predecessor stands in where it fails.
    fn score<'a, 'b>(
        &self,
        pick: Pick<'a>,
        batch: &Batch<'_>,
        source: &'b Source,
    ) -> Result<Gave<'a, 'b>, Fault> {
        let small = source.len() <= INLINE_BODY_BYTES;
        let Pick { serving, role, watch } = pick;
        let (result, took) = serving.score(batch.rows, &batch.numbers, small);
        let Some(watch) = watch else {
            return result.map(|predictions| Gave { serving, role, predictions, took, read: None });
        };
        let fault = match result {
            Ok(predictions) => {
                self.watched(watch, pick, watch.is_late(took));
                return Ok(Gave { serving, role, predictions, took, read: None });
            }
            Err(fault @ (Fault::Declined(_) | Fault::Overran | Fault::Broke(_))) => fault,
            // It was not asked.
            Err(fault) => return Err(fault),
        };
        let fallback = &watch.fallback;
        let read = if watch.same_layout {
            Ok(None)
        } else {
            self.decode_leniently(fallback, source).map(Some)
        };
        let saved = read.and_then(|read| {
            let batch = read.as_ref().unwrap_or(batch);
            let (result, took) = fallback.score(batch.rows, &batch.numbers, small);
            let role = Role::Champion;
            result.map(|predictions| Gave { serving: fallback, role, predictions, took, read })
        });
        // A row that both decline is the caller's affair.
        let declined = matches!(fault, Fault::Declined(_));
        self.watched(watch, pick, saved.is_ok() || !declined);
        if saved.is_ok() {
            self.note_broken(&fault);
        }
        saved.map_err(|_| fault)
    }

    /// One more request of a new package; what follows from it is somebody else's work.
    fn watched(&self, watch: &Watch, pick: Pick<'_>, fault: bool) {
        let verdict = watch.note(fault);
        if verdict == Verdict::Wait {
            return;
        }
        let fleet = Fleet::of(&self.state);
        let (slot, digest, role) = (Arc::clone(&self.slot), pick.serving.digest.clone(), pick.role);
        tokio::task::spawn_blocking(move || fleet.judged(&slot, &digest, role, verdict));
    }

    /// Hands an answered request to those who score along.
    fn shadow(&self, mut done: Done, source: Source) -> Done {
        if let Some(Given { role, predictions, took }) = done.given.take()
            && self.lineup.is_shadowed(role)
        {
            self.state.shadow.offer(ShadowJob {
                state: Arc::clone(&self.state),
                lineup: Arc::clone(&self.lineup),
                source: source.kept(),
                answered: role,
                predictions,
                took,
                request_id: self.request_id.clone(),
                timestamp_us: self.timestamp_us,
            });
        }
        done
    }

    /// Answers with a problem, and records it.
    fn refuse(&self, fault: &Fault) -> Done {
        self.refuse_by(self.champion().pick(), fault)
    }

    fn refuse_by(&self, pick: Pick<'_>, fault: &Fault) -> Done {
        let problem = Problem::of(fault);
        let status = problem.kind.status();
        self.state.metrics.refused(problem.kind);
        match fault {
            Fault::Host(cause) => {
                error!(error = %cause, request_id = self.request_id.as_str(), "Request failed");
            }
            Fault::BodyBroken(cause) => {
                debug!(error = %cause, request_id = self.request_id.as_str(), "Body broke off");
            }
            _ => self.note_broken(fault),
        }
        let outcome = if fault.is_callers() { Outcome::UserError } else { Outcome::SystemError };
        self.record(pick.serving, pick.role, outcome, status, None);
        let answer = answer::problem(fault, &problem, &self.request_id);
        Done { answer, record: Recorded::Free, given: None }
    }

    fn note_broken(&self, fault: &Fault) {
        if let Fault::Broke(cause) = fault {
            warn!(error = %cause, request_id = self.request_id.as_str(), "Model broke");
        }
    }

    fn record(
        &self,
        serving: &Serving,
        role: Role,
        outcome: Outcome,
        status: StatusCode,
        scored: Option<Scored<'_>>,
    ) -> Recorded {
        let time = self.started.elapsed();
        self.state.metrics.took(time);
        self.slot.traffic.answered(time, outcome == Outcome::SystemError);
        let Some(outbox) = &self.state.outbox else { return Recorded::Free };
        let finished = Finished {
            timestamp_us: self.timestamp_us,
            execution_us: u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
            request_id: self.request_id.as_str(),
            outcome,
            status: status.as_u16(),
            role,
            gateway: self.state.settings.name.as_deref(),
            scored,
        };
        // Only a prediction waits for its record: an answer without one has nothing that could be lost.
        let durable =
            serving.settings.record_class == RecordClass::Durable && outcome == Outcome::Ok;
        let mut recorded = Recorded::Free;
        recorder::encode(serving, &finished, outbox.max_record_bytes(), |part| {
            if !durable {
                // The outbox counts what it refuses.
                outbox.observe(part);
            } else if !matches!(recorded, Recorded::Refused) {
                // Parts become durable in order, so the last ticket speaks for all.
                recorded = outbox.durable(part).map_or(Recorded::Refused, Recorded::Awaits);
            }
        });
        recorded
    }
}

/// An instance, when one is free and the model is quick enough for the thread of a request.
fn free_here(serving: &Serving) -> Option<SemaphorePermit<'_>> {
    if serving.pace.is_slow() { None } else { serving.instances.try_acquire().ok() }
}

/// Waits for an instance and scores on a thread that may block.
async fn elsewhere(job: Arc<Job>, source: Source, _working: crate::state::Working) -> Done {
    let left = job.state.settings.request_time.saturating_sub(job.started.elapsed());
    let wait = job.state.settings.queue_time.min(left);
    let instances = Arc::clone(&job.champion().serving.instances);
    let instance = match timeout(wait, instances.acquire_owned()).await {
        Ok(Ok(instance)) => instance,
        Ok(Err(closed)) => return job.refuse(&Fault::Host(Box::new(closed))),
        Err(_) if wait == left => return job.refuse(&Fault::Late),
        Err(_) => return job.refuse(&Fault::Busy),
    };
    let scoring = Arc::clone(&job);
    let run = tokio::task::spawn_blocking(move || {
        let done = if scoring.started.elapsed() > scoring.state.settings.request_time {
            scoring.refuse(&Fault::Late)
        } else {
            scoring.run(source)
        };
        drop(instance);
        done
    });
    match run.await {
        Ok(done) => done,
        Err(panic) => job.refuse(&Fault::Host(Box::new(panic))),
    }
}
