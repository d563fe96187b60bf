//! The way of a request for predictions: receive, decode, score, answer, record.
//!
//! Receiving waits for the client and may be cut off by it. From there on nothing awaits: a small body is decoded, scored and
//! recorded in one go on the task of the request; a large one, or any while the model is slow or every
//! instance is taken, on a task of its own, which a vanished client does not stop. So whatever was scored is recorded.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hyper::{
    Method, Request, StatusCode,
    body::{Body, Incoming},
    header::HeaderName,
    http::{request::Parts, uri::PathAndQuery},
};
use record::Outcome;
use tokio::time::timeout;
use tracing::{debug, error, warn};

use crate::{
    answer::{self, Answer},
    batch::{Batch, Rows},
    body::{self, ReadBody},
    deployment::Serving,
    door::Door,
    fault::{BadRequest, Fault, Reason},
    metrics::Inflight,
    problem::Problem,
    recorder::{self, Finished, Scored, Ticket},
    request_id::RequestId,
    settings::{ASSOCIATION_ID_CHARS, INLINE_BODY_BYTES, RecordClass},
    state::State,
};

/// The answer's header that names the package that gave it.
const X_MODEL_DIGEST: HeaderName = HeaderName::from_static("x-model-digest");

/// A request on its way.
#[derive(Debug)]
struct Job {
    state: Arc<State>,
    serving: Arc<Serving>,
    request_id: RequestId,
    started: Instant,
    timestamp_us: i64,
    _inflight: Inflight,
}

/// Rows as they came.
#[derive(Debug)]
enum Source {
    Query(PathAndQuery),
    Body(Door, ReadBody),
}

/// An answer, and what it may have to wait for.
struct Done {
    answer: Answer,
    record: Recorded,
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
    serving: &Arc<Serving>,
    request: Request<Incoming>,
) -> Answer {
    let (parts, mut body) = request.into_parts();
    let id = RequestId::of(&parts.headers);
    let (request_id, id_fault) = match id {
        Ok(Some(id)) => (id, None),
        Ok(None) => (state.ids.next(), None),
        Err(fault) => (state.ids.next(), Some(fault)),
    };
    let job = Job {
        state: Arc::clone(state),
        serving: Arc::clone(serving),
        request_id: request_id.clone(),
        started: Instant::now(),
        timestamp_us: now_us(),
        _inflight: Inflight::start(&state.metrics),
    };
    let received = match id_fault {
        Some(fault) => Err(fault),
        None => receive(state, parts, &mut body).await,
    };
    let done = match received {
        Ok(source) => job.dispatch(source).await,
        Err(fault) => {
            if !body.is_end_stream() && !matches!(fault, Fault::BodyTooSlow | Fault::BodyBroken(_))
            {
                tokio::spawn(body::linger(body));
            }
            job.refuse(&fault)
        }
    };
    settle(state, &request_id, done).await
}

/// Reads what was sent.
async fn receive(state: &State, parts: Parts, body: &mut Incoming) -> Result<Source, Fault> {
    let settings = &state.settings;
    let query = parts.uri.query().is_some_and(|query| !query.is_empty());
    let get = parts.method == Method::GET;
    if !body.is_end_stream() {
        // Where the length is announced, what is wrong with the head is said before the body is read.
        let announced = body.size_hint().lower() > 0;
        let door = Door::of(&parts.headers).map_err(Fault::Media);
        if announced && query {
            return Err(Fault::QueryAndBody);
        }
        if announced && let Err(fault) = door {
            return Err(fault);
        }
        let time = settings.body_time.min(settings.request_time);
        let read = body::read(body, settings.body_bytes, time, &state.crowd).await?;
        if !read.bytes.is_empty() {
            return if query { Err(Fault::QueryAndBody) } else { Ok(Source::Body(door?, read)) };
        }
    }
    match parts.uri.into_parts().path_and_query {
        Some(path_and_query) if query => Ok(Source::Query(path_and_query)),
        _ => Err(Fault::Nothing { get }),
    }
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
        if source.len() <= INLINE_BODY_BYTES
            && !self.serving.is_slow()
            && let Ok(_instance) = self.serving.instances.try_acquire()
        {
            return self.run(&source);
        }
        let job = Arc::new(self);
        let task = tokio::spawn(elsewhere(Arc::clone(&job), source, job.state.working()));
        match task.await {
            Ok(done) => done,
            Err(panic) => job.refuse(&Fault::Host(Box::new(panic))),
        }
    }

    /// Decodes, scores, answers and records, without a pause.
    fn run(&self, source: &Source) -> Done {
        let rows = Rows::new(
            &self.serving.schema,
            self.serving.settings.unknown_names,
            self.state.settings.rows,
        );
        match source.decode(rows).map_err(Fault::from).and_then(|batch| self.score(batch, source)) {
            Ok(done) => done,
            Err(fault) => self.refuse(&fault),
        }
    }

    fn score(&self, batch: Batch<'_>, source: &Source) -> Result<Done, Fault> {
        let association_ids = self.association_ids(&batch)?;
        let started = Instant::now();
        let predictions = self.serving.scorer.score(batch.rows, &batch.numbers);
        if source.len() <= INLINE_BODY_BYTES {
            self.serving.took(started.elapsed());
        }
        let predictions = predictions?;
        let metrics = &self.state.metrics;
        metrics.scored(batch.rows, batch.unknown_names);
        let request_id = self.request_id.as_str();
        let text =
            answer::predictions(request_id, &self.serving.target, &association_ids, &predictions);
        let mut answer = answer::json(StatusCode::OK, text);
        answer::identify(&mut answer, &self.request_id);
        answer.headers_mut().insert(X_MODEL_DIGEST, self.serving.digest_header.clone());
        let scored =
            Scored { batch: &batch, predictions: &predictions, association_ids: &association_ids };
        let record = self.record(Outcome::Ok, StatusCode::OK, Some(scored));
        Ok(Done { answer, record })
    }

    /// A row's own id, else the request's, with the row's number where there are several.
    fn association_ids<'a>(&'a self, batch: &'a Batch<'_>) -> Result<Vec<Cow<'a, str>>, Fault> {
        let request_id = self.request_id.as_str();
        let mut ids = Vec::with_capacity(batch.rows as usize);
        for row in 0..batch.rows {
            ids.push(match batch.association_ids.get(row as usize) {
                Some(Some(id)) => Cow::Borrowed(&**id),
                _ if batch.rows == 1 => Cow::Borrowed(request_id),
                _ => {
                    let id = format!("{request_id}-{row}");
                    if id.len() > ASSOCIATION_ID_CHARS {
                        let reason = Reason::AssociationIdTooLong;
                        return Err(BadRequest { field: None, row: Some(row), reason }.into());
                    }
                    Cow::Owned(id)
                }
            });
        }
        Ok(ids)
    }

    /// Answers with a problem, and records it.
    fn refuse(&self, fault: &Fault) -> Done {
        let problem = Problem::of(fault);
        let status = problem.kind.status();
        self.state.metrics.refused(problem.kind);
        match fault {
            Fault::Host(cause) => {
                error!(error = %cause, request_id = self.request_id.as_str(), "Request failed");
            }
            Fault::Broke(cause) => {
                warn!(error = %cause, request_id = self.request_id.as_str(), "Model broke");
            }
            Fault::BodyBroken(cause) => {
                debug!(error = %cause, request_id = self.request_id.as_str(), "Body broke off");
            }
            _ => {}
        }
        let outcome = if fault.is_callers() { Outcome::UserError } else { Outcome::SystemError };
        self.record(outcome, status, None);
        Done { answer: answer::problem(fault, &problem, &self.request_id), record: Recorded::Free }
    }

    fn record(&self, outcome: Outcome, status: StatusCode, scored: Option<Scored<'_>>) -> Recorded {
        let time = self.started.elapsed();
        self.state.metrics.took(time);
        let Some(outbox) = &self.state.outbox else { return Recorded::Free };
        let finished = Finished {
            timestamp_us: self.timestamp_us,
            execution_us: u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
            request_id: self.request_id.as_str(),
            outcome,
            status: status.as_u16(),
            scored,
        };
        // Only a prediction waits for its record: an answer without one has nothing that could be lost.
        let durable =
            self.serving.settings.record_class == RecordClass::Durable && outcome == Outcome::Ok;
        let mut recorded = Recorded::Free;
        recorder::encode(&self.serving, &finished, outbox.max_record_bytes(), |part| {
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

/// Waits for an instance and scores on a thread that may block.
async fn elsewhere(job: Arc<Job>, source: Source, _working: crate::state::Working) -> Done {
    let left = job.state.settings.request_time.saturating_sub(job.started.elapsed());
    let wait = job.state.settings.queue_time.min(left);
    let instances = Arc::clone(&job.serving.instances);
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
            scoring.run(&source)
        };
        drop(instance);
        done
    });
    match run.await {
        Ok(done) => done,
        Err(panic) => job.refuse(&Fault::Host(Box::new(panic))),
    }
}

impl Source {
    fn len(&self) -> usize {
        match self {
            Self::Query(query) => query.as_str().len(),
            Self::Body(_, body) => body.bytes.len(),
        }
    }

    fn decode<'b>(&'b self, rows: Rows<'_, 'b>) -> Result<Batch<'b>, BadRequest> {
        match self {
            Self::Query(query) => Door::Form.decode(query.query().unwrap_or("").as_bytes(), rows),
            Self::Body(door, body) => door.decode(&body.bytes, rows),
        }
    }
}

/// The device's clock. A clock before 1970 is a clock that was never set.
fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
