//! Puts a day that never was on the spool, as a gateway would have: scored by the real package, recorded in an outbox,
//! drained by the real channel.

use super::day::{Happening, What, day};
use crate::command::rows::{self, Rows};
use crate::error::{CliError, chain};
use engine::{Batch, Package, Scorer};
use models::{Feature, Kind};
use record::{
    Actual, ActualValue, ActualsRecord, Column, ModelDigest, Outcome, Payload, PredictionRecord,
    Record, Role, Values,
};
use spool::channel::FilesystemSettings;
use spool::{Channel, ChannelSettings, Class, Outbox, OutboxSettings, Refused};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// For the records to get from the outbox to the spool.
const DRAIN_TIME: Duration = Duration::from_secs(60);
/// Between two looks whether they have.
const LOOK: Duration = Duration::from_millis(20);

/// What was put on the spool.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Simulated {
    pub(super) records: u64,
    /// Requests, whatever came of them.
    pub(super) requests: u64,
    /// Rows whose outcome became known.
    pub(super) outcomes: u64,
}

impl Simulated {
    fn of(happenings: &[Happening]) -> Self {
        let known: BTreeSet<&str> = happenings
            .iter()
            .filter_map(|it| match &it.what {
                What::Actual { id, .. } => Some(id.as_str()),
                _ => None,
            })
            .collect();
        let is_request = |it: &&Happening| !matches!(it.what, What::Actual { .. });
        Self {
            records: happenings.len() as u64,
            requests: happenings.iter().filter(is_request).count() as u64,
            outcomes: known.len() as u64,
        }
    }
}

/// What is simulated, and where it goes.
pub(super) struct Simulation<'a> {
    pub(super) package: &'a Package,
    pub(super) rows: &'a Path,
    pub(super) deployment: &'a str,
    /// A folder for the outbox, which is gone afterwards.
    pub(super) scratch: &'a Path,
    /// The folder of the spool.
    pub(super) spool: &'a Path,
    pub(super) now_us: i64,
}

impl Simulation<'_> {
    /// Simulates, and says what there is to be counted.
    pub(super) fn run(&self, scorer: &Scorer) -> Result<Simulated, CliError> {
        let manifest = self.package.manifest();
        let rows: Rows = rows::read(self.rows, &manifest.features, &manifest.target)?;
        if rows.target.is_none() {
            return Err(CliError::Usage(format!(
                "{} has no column {:?}: a day needs outcomes",
                self.rows.display(),
                manifest.target
            )));
        }
        let happenings = day(&rows, &manifest.features, self.now_us, self.now_us as u64);
        let outbox = Outbox::open(self.scratch, OutboxSettings::default())
            .map_err(|error| internal("open an outbox for the simulated day", error))?;
        let channel = ChannelSettings::Filesystem(FilesystemSettings::new(self.spool));
        let channel = Channel::spawn(&outbox, channel)
            .map_err(|error| internal("spool the simulated day", error))?;
        let mut bytes = Vec::new();
        for happening in &happenings {
            bytes.clear();
            self.record(scorer, happening, &mut bytes)?;
            append(&outbox, &bytes)?;
        }
        let until = std::time::Instant::now() + DRAIN_TIME;
        let appended = happenings.len() as u64;
        while outbox.status().durable_seq < appended || channel.status().waiting_records > 0 {
            if std::time::Instant::now() > until {
                let why = "the records do not leave the outbox";
                return Err(CliError::Unavailable {
                    what: "spool the simulated day".into(),
                    source: why.into(),
                });
            }
            std::thread::sleep(LOOK);
        }
        channel.stop(DRAIN_TIME);
        outbox.close(DRAIN_TIME).map_err(|error| internal("close an outbox", error))?;
        std::fs::remove_dir_all(self.scratch).map_err(|source| CliError::File {
            action: "remove",
            path: self.scratch.to_owned(),
            source,
        })?;
        Ok(Simulated::of(&happenings))
    }

    fn record(
        &self,
        scorer: &Scorer,
        happening: &Happening,
        out: &mut Vec<u8>,
    ) -> Result<(), CliError> {
        let payload = match &happening.what {
            What::Request { numbers, ids, took_us } => {
                let rows = ids.len() as u32;
                let predictions = scorer
                    .score(Batch { rows, numbers })
                    .map_err(|error| internal("score a simulated row", error))?;
                let rows = record::Rows {
                    columns: columns(&self.package.manifest().features, numbers),
                    predictions: predictions.into(),
                    association_ids: ids.iter().map(|id| Cow::Borrowed(id.as_str())).collect(),
                };
                request(Outcome::Ok, 200, *took_us, Some(rows))
            }
            What::Refused { took_us } => request(Outcome::UserError, 422, *took_us, None),
            What::Failed { took_us } => request(Outcome::SystemError, 504, *took_us, None),
            What::Actual { id, value } => Payload::Actuals(ActualsRecord {
                request_id: Cow::Borrowed("simulated"),
                part: 0,
                actuals: vec![Actual {
                    association_id: Cow::Borrowed(id),
                    value: ActualValue::Number(*value),
                    acted_on: None,
                    timestamp_us: None,
                }],
            }),
        };
        let digest = self.package.digest();
        let record = Record {
            deployment_id: Cow::Borrowed(self.deployment),
            model_id: Cow::Owned(digest.to_string()["sha256:".len()..][..24].to_owned()),
            timestamp_us: happening.at_us,
            payload,
            model_digest: Some(ModelDigest(digest.0)),
            role: Role::Champion,
            gateway: Some(Cow::Borrowed("simulated")),
        };
        record.encode(out);
        Ok(())
    }
}

fn request<'a>(
    outcome: Outcome,
    status: u16,
    execution_us: u64,
    rows: Option<record::Rows<'a>>,
) -> Payload<'a> {
    Payload::Prediction(PredictionRecord {
        request_id: Cow::Borrowed("simulated"),
        outcome,
        status,
        execution_us,
        predictions: rows.as_ref().map_or(0, |rows| rows.predictions.len() as u32),
        part: 0,
        rows,
    })
}

/// Rows as records have them: numbers, and levels by their names.
fn columns<'a>(features: &'a [Feature], numbers: &[f64]) -> Vec<Column<'a>> {
    let column = |(place, feature): (usize, &'a Feature)| {
        let numbers = numbers.iter().skip(place).step_by(features.len()).copied();
        let values = match &feature.kind {
            Kind::Numeric => Values::Numbers(numbers.collect()),
            Kind::Categorical(levels) => {
                let level = |code: f64| levels.get(code as usize).map(|it| Cow::Borrowed(&**it));
                Values::Texts(
                    numbers.map(|code| if code >= 0.0 { level(code) } else { None }).collect(),
                )
            }
        };
        Column { name: Cow::Borrowed(&*feature.name), values }
    };
    features.iter().enumerate().map(column).collect()
}

/// Appends a record; when the queue is full, waits for it to get shorter.
fn append(outbox: &Outbox, bytes: &[u8]) -> Result<(), CliError> {
    loop {
        match outbox.append(bytes, Class::Observe) {
            Ok(_) => return Ok(()),
            Err(Refused::QueueFull) => std::thread::sleep(LOOK),
            Err(refused) => return Err(internal("record the simulated day", refused)),
        }
    }
}

fn internal(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> CliError {
    tracing::debug!(error = chain(&source), what, "Simulation failed");
    CliError::Internal { what: what.to_owned(), source: source.into() }
}
