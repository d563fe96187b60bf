//! The way of a request with actuals: receive, decode, put into the outbox, answer.
//!
//! An actual cannot be made again by asking the model once more, so an answer of 200 always means that it is on the
//! disk, whatever the deployment's record class says. What is refused leaves no record: nothing was predicted, so there is
//! nothing to count as an error of the deployment. All rows of a request are taken, or none.
//!
//! Association ids are made private exactly as those of predictions are, or the two would never meet.

mod rows;

use std::{borrow::Cow, sync::Arc};

use hyper::{Request, StatusCode, body::Incoming};
use record::{Actual, ActualValue, ActualsRecord, Payload, Record, Role};
use tokio::time::timeout;
use tracing::error;

use crate::{
    answer::{self, Answer},
    clock::now_us,
    deployment::Serving,
    fault::Fault,
    metrics::Inflight,
    problem::Problem,
    receive::receive,
    recorder::{Keep, Ticket},
    request_id::RequestId,
    settings::INLINE_BODY_BYTES,
    source::Source,
    state::State,
};
use rows::Rows;

/// Bytes of a number or a length in a record, at most.
const NUMBER: usize = 10;

/// What a request with actuals is about.
struct Job {
    state: Arc<State>,
    /// The deployment's champion, for its ids and its privacy.
    serving: Arc<Serving>,
    request_id: RequestId,
    timestamp_us: i64,
}

/// Actuals that the outbox has taken.
struct Taken {
    count: usize,
    on_disk: Ticket,
}

/// Answers a request with actuals.
pub(crate) async fn actuals(
    state: &Arc<State>,
    serving: Arc<Serving>,
    request: Request<Incoming>,
) -> Answer {
    let _inflight = Inflight::start(&state.metrics);
    let (parts, body) = request.into_parts();
    let (request_id, wrong) = state.ids.of(&parts.headers);
    let state = Arc::clone(state);
    let job = Job { state, serving, request_id, timestamp_us: now_us() };
    let (state, request_id) = (Arc::clone(&job.state), job.request_id.clone());
    let kept = match receive(&state, parts, body, wrong).await {
        Ok(source) => keep(job, source).await,
        Err(Fault::Nothing { .. }) => Err(Fault::NoActuals),
        Err(fault) => Err(fault),
    };
    match kept {
        Ok(count) => {
            let mut answer =
                answer::json(StatusCode::OK, answer::accepted(request_id.as_str(), count));
            answer::identify(&mut answer, &request_id);
            answer
        }
        Err(fault) => {
            let problem = Problem::of(&fault);
            state.metrics.refused(problem.kind);
            if let Fault::Host(cause) = &fault {
                error!(error = %cause, request_id = request_id.as_str(), "Actuals failed");
            }
            answer::problem(&fault, &problem, &request_id)
        }
    }
}

/// Takes the actuals and waits until they are on disk.
async fn keep(job: Job, source: Source) -> Result<usize, Fault> {
    let time = job.state.settings.durable_time;
    let working = job.state.working();
    let taken = if source.len() > INLINE_BODY_BYTES {
        // It goes on without the client, once everything is there.
        let taken = tokio::task::spawn_blocking(move || {
            let taken = job.take(&source);
            drop(working);
            taken
        });
        taken.await.map_err(|panic| Fault::Host(Box::new(panic)))??
    } else {
        job.take(&source)?
    };
    match timeout(time, taken.on_disk).await {
        Ok(true) => Ok(taken.count),
        _ => Err(Fault::ActualsNotDurable),
    }
}

impl Job {
    /// Decodes, and hands the outbox what there is.
    fn take(&self, source: &Source) -> Result<Taken, Fault> {
        let Self { state, serving, .. } = self;
        let settings = &serving.settings;
        let rows =
            Rows::new(&settings.association_id_column, settings.unknown_names, state.settings.rows);
        let mut told = source.decode(rows)?;
        for actual in &mut told.actuals {
            let hidden = match serving.privacy.association_id(&actual.association_id) {
                Cow::Owned(hidden) => Some(hidden),
                Cow::Borrowed(_) => None,
            };
            if let Some(hidden) = hidden {
                actual.association_id = Cow::Owned(hidden);
            }
        }
        let outbox = state.outbox.as_deref().ok_or(Fault::ActualsNotDurable)?;
        let count = told.actuals.len();
        let on_disk = self.record(outbox, told.actuals).ok_or(Fault::ActualsNotDurable)?;
        state.metrics.told(count, told.unknown_names);
        Ok(Taken { count, on_disk })
    }

    /// Puts them into the outbox, in as many records as it asks for; none when it refuses one. Records become durable in
    /// order, so the last ticket speaks for all.
    fn record(&self, outbox: &dyn Keep, mut actuals: Vec<Actual<'_>>) -> Option<Ticket> {
        let gateway = self.state.settings.name.as_deref();
        let Serving { id, model_id, .. } = &*self.serving;
        let texts = [id, model_id.as_str(), self.request_id.as_str(), gateway.unwrap_or("")];
        let head = 10 * NUMBER + texts.iter().map(|text| text.len()).sum::<usize>();
        let room = outbox.max_record_bytes().saturating_sub(head);
        let mut ticket = None;
        let mut out = Vec::new();
        let mut part = 0;
        while !actuals.is_empty() {
            let rest = actuals.split_off(fitting(&actuals, room));
            let payload = Payload::Actuals(ActualsRecord {
                request_id: Cow::Borrowed(self.request_id.as_str()),
                part,
                actuals,
            });
            let record = Record {
                deployment_id: Cow::Borrowed(id),
                model_id: Cow::Borrowed(model_id),
                timestamp_us: self.timestamp_us,
                payload,
                // An actual is the outcome of a prediction, whichever package made that.
                model_digest: None,
                role: Role::Champion,
                gateway: gateway.map(Cow::Borrowed),
            };
            out.clear();
            record.encode(&mut out);
            ticket = Some(outbox.durable(&out)?);
            actuals = rest;
            part += 1;
        }
        ticket
    }
}

/// How many of these fit into so many bytes, at least one.
fn fitting(actuals: &[Actual<'_>], room: usize) -> usize {
    let mut left = room;
    let fit = actuals.iter().take_while(|actual| {
        let value = match &actual.value {
            ActualValue::Number(_) => NUMBER,
            ActualValue::Text(text) => NUMBER + text.len(),
        };
        let bytes = 3 * NUMBER + value + actual.association_id.len();
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    });
    fit.count().max(1)
}
