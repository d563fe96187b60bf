//! Monitoring jobs over HTTP. What a job is at is stored after every part of its file, so that it can be asked for, and
//! ended, while the file comes; a call that brings a file is answered when all of it is counted.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batches::BATCH;
use super::fault::chain;
use super::file::file;
use super::here::Here;
use super::shape::{Body, List, Page, Queried, page};
use super::{App, Fault};
use crate::ingest::Accepted;
use crate::monitoring_job::{File, Intake, Job, JobFault};
use crate::registry::Definition;
use crate::report::Moment;

/// The kind of its definitions.
const JOB: &str = "monitoring job";

/// A job as it is stored.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Stored {
    job: Job,
    batch: Option<String>,
    at: Progress,
}

/// What a job is at.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Progress {
    /// Its step.
    status: Step,
    /// In words.
    status_details: String,
    /// How much of the file was read.
    percentage_completed: u64,
    /// Rows that are counted.
    scored_rows: u64,
    /// Rows that are not.
    failed_rows: u64,
}

/// The steps of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(rename = "MonitoringJobStatus")]
enum Step {
    /// Its file is waited for.
    #[default]
    Initializing,
    /// Its file comes.
    Running,
    /// Everything is counted.
    Completed,
    /// Somebody ended it.
    Aborted,
    /// It cannot be done.
    Failed,
}

impl Step {
    /// Whether a file may still come.
    fn is_open(self) -> bool {
        matches!(self, Self::Initializing | Self::Running)
    }
}

/// A job as it is shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "MonitoringJob")]
pub(super) struct Shown {
    /// Its id.
    id: String,
    /// When it was made.
    created: Moment,
    /// The batch that its rows are in; null where it was not to make one.
    batch_id: Option<String>,
    #[serde(flatten)]
    at: Progress,
    #[serde(flatten)]
    job: Job,
    /// Where a client goes on.
    links: Links,
}

/// Where a client goes on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "MonitoringJobLinks")]
struct Links {
    /// The job.
    #[serde(rename = "self")]
    this: String,
    /// Where its file goes.
    csv_upload: String,
}

impl Shown {
    fn of(id: &str, created_us: i64, stored: Stored, here: &Here) -> Self {
        let this = here.address(&format!("/api/v2/batchJobs/{id}/"));
        Self {
            id: id.to_owned(),
            created: Moment(created_us),
            batch_id: stored.batch,
            at: stored.at,
            job: stored.job,
            links: Links { csv_upload: format!("{this}csvUpload/"), this },
        }
    }

    fn of_definition(definition: &Definition, here: &Here) -> Result<Self, Fault> {
        Ok(Self::of(&definition.id, definition.created_us, stored(definition)?, here))
    }
}

fn stored(definition: &Definition) -> Result<Stored, Fault> {
    serde_json::from_value(definition.body.clone()).map_err(|error| Fault::inside(&error))
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    here: Here,
    body: Body<Job>,
) -> Result<(StatusCode, Json<Shown>), Fault> {
    let job = body?.0;
    job.check()?;
    let deployment = job.deployment_id.clone();
    app.registry.deployment(&deployment)?;
    let file = match &job.intake_settings {
        Intake::LocalFile => None,
        Intake::Dataset { dataset_id } => Some(app.registry.dataset_bytes(dataset_id).await?),
    };
    let batch = match &job.monitoring_batch_prefix {
        None => None,
        Some(prefix) => {
            let name = format!("{prefix} {}", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S"));
            let batch = json!({"batchName": name});
            Some(app.registry.define(&deployment, BATCH, batch).await?.id)
        }
    };
    let at = Progress { status_details: "waits for its file".to_owned(), ..Progress::default() };
    let made = Stored { job, batch, at };
    let definition = app.registry.define(&deployment, JOB, json!(made)).await?;
    if let Some(bytes) = file {
        count(&app, &definition.id, &bytes).await?;
    }
    let (_, definition) = app.registry.find_definition(JOB, &definition.id).await?;
    Ok((StatusCode::ACCEPTED, Json(Shown::of_definition(&definition, &here)?)))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
) -> Result<Json<Shown>, Fault> {
    let (_, definition) = app.registry.find_definition(JOB, &id).await?;
    Ok(Json(Shown::of_definition(&definition, &here)?))
}

/// The jobs of all deployments, the oldest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<List<Shown>>, Fault> {
    let part = part?.0;
    let mut all = Vec::new();
    for known in app.registry.deployments() {
        all.extend(app.registry.definitions(&known.deployment.id, JOB).await?);
    }
    all.sort_by(|a, b| (a.created_us, &a.id).cmp(&(b.created_us, &b.id)));
    let shown = all.iter().map(|definition| Shown::of_definition(definition, &here));
    let mut shown = shown.collect::<Result<Vec<_>, _>>()?;
    shown.retain(|job| part.finds(&job.id, &[&job.job.deployment_id]));
    Ok(Json(page(&app, &here, &part, shown.into_iter())?))
}

/// Ends a job. What it has counted stays counted.
pub(super) async fn abort(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
) -> Result<(StatusCode, Json<Shown>), Fault> {
    loop {
        let (_, definition) = app.registry.find_definition(JOB, &id).await?;
        let mut stored = stored(&definition)?;
        let mut is_ended = true;
        if stored.at.status.is_open() {
            stored.at.status = Step::Aborted;
            stored.at.status_details = "was ended by a client".to_owned();
            is_ended = app.registry.redefine(&id, &definition.body, &json!(stored)).await?;
        }
        // Otherwise a part of its file was counted in between.
        if is_ended {
            let shown = Shown::of(&id, definition.created_us, stored, &here);
            return Ok((StatusCode::ACCEPTED, Json(shown)));
        }
    }
}

/// Takes the job's file. One that broke off may come again: what was counted of it is not counted twice.
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, Fault> {
    app.registry.find_definition(JOB, &id).await?;
    let (_, bytes) = file(request).await?;
    count(&app, &id, &bytes).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A job whose file comes, as it was stored last.
struct Running<'a> {
    app: &'a App,
    id: &'a str,
    known: Value,
    stored: Stored,
}

impl Running<'_> {
    /// Stores what it is at. Somebody may have ended it in between, or brought its file once more.
    async fn store(&mut self) -> Result<(), Fault> {
        let body = json!(self.stored);
        if self.app.registry.redefine(self.id, &self.known, &body).await? {
            self.known = body;
            return Ok(());
        }
        let (_, now) = self.app.registry.find_definition(JOB, self.id).await?;
        Err(over(self.id, &stored(&now)?.at))
    }
}

/// The file is not wanted.
fn over(id: &str, at: &Progress) -> Fault {
    let message = match at.status {
        Step::Initializing | Step::Running => {
            format!("{JOB} {id:?} gets its file from another call")
        }
        _over => format!("{JOB} {id:?} is over: {}", at.status_details),
    };
    Fault::new(StatusCode::CONFLICT, message)
}

/// Counts a file.
async fn count(app: &App, id: &str, bytes: &[u8]) -> Result<(), Fault> {
    let (deployment, definition) = app.registry.find_definition(JOB, id).await?;
    let mut stored = stored(&definition)?;
    if !stored.at.status.is_open() {
        return Err(over(id, &stored.at));
    }
    stored.at = Progress { status: Step::Running, ..Progress::default() };
    let mut running = Running { app, id, known: definition.body, stored };
    running.store().await?;
    let counted = parts(&mut running, &deployment, bytes).await;
    if let Err(fault) = &counted
        // Otherwise the client may bring the file again.
        && !fault.is_ours()
    {
        running.stored.at.status = Step::Failed;
        running.stored.at.status_details = fault.to_string();
        // One that was ended in between stays so.
        if let Err(fault) = running.store().await
            && fault.is_ours()
        {
            return Err(fault);
        }
    }
    counted
}

async fn parts(running: &mut Running<'_>, deployment: &str, bytes: &[u8]) -> Result<(), Fault> {
    let (app, id) = (running.app, running.id);
    let (job, batch) = (running.stored.job.clone(), running.stored.batch.clone());
    let mut file = File::open(&job, id, batch.as_deref(), bytes)?;
    let plan = Arc::clone(&app.registry.deployment(deployment)?.plan);
    let mut first_fault = None;
    while let Some(calls) = file.next()? {
        let mut fault = calls.first_fault;
        let at = &mut running.stored.at;
        at.failed_rows += calls.failed;
        if let Some(inputs) = calls.inputs {
            match refused(app.ingest.prediction_inputs(&plan, inputs.into()).await?) {
                None => at.scored_rows += calls.rows,
                Some(reason) => {
                    at.failed_rows += calls.rows;
                    fault.get_or_insert(reason);
                }
            }
        }
        if let Some(actuals) = calls.actuals
            && let Some(reason) = refused(app.ingest.actuals(&plan, actuals.into()).await?)
        {
            fault.get_or_insert(reason);
        }
        first_fault = first_fault.or(fault);
        at.percentage_completed = file.percent();
        at.status_details = first_fault.clone().unwrap_or_default();
        running.store().await?;
    }
    let at = &mut running.stored.at;
    at.status = Step::Completed;
    at.percentage_completed = 100;
    if first_fault.is_none() {
        at.status_details = "everything is counted".to_owned();
    }
    running.store().await
}

/// Why the first entry was not taken.
fn refused(accepted: Accepted) -> Option<String> {
    let first = accepted.refused.into_iter().next()?;
    Some(format!("`{}` {}", first.field, first.reason))
}

impl From<JobFault> for Fault {
    fn from(fault: JobFault) -> Self {
        match fault {
            JobFault::Setting { field, reason } => Self::field(field, reason),
            other => Self::new(StatusCode::UNPROCESSABLE_ENTITY, chain(&other)),
        }
    }
}
