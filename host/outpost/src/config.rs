//! Settings of `outpost serve`: the defaults are a commented file compiled in (`config/default.toml`), over them go a
//! file, the environment's `MLOPS_*` names, and flags. Everything is proven here, before anything is opened or bound.
//!
//! The structs have the names of the file and no defaults of their own: a key that the defaults forget would fail
//! every start, and a test.

mod layers;

use crate::cli::Serve;
use crate::error::{CliError, chain};
use crate::trust::Trust;
use engine::{CompileLimits, EngineSettings, Limits, Mode};
use gateway::privacy::{PrivacyAction, PrivacyRule, PrivacySettings};
use gateway::{DeploymentSettings, GatewaySettings, RecordClass, UnknownNames};
use serde::Deserialize;
use spool::channel::Secret;
use spool::{NamedChannel, OutboxSettings, WhenFull};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Every setting with its default and its meaning.
pub(crate) const DEFAULTS: &str = include_str!("config/default.toml");

/// What `outpost serve` does, proven.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) log: Log,
    /// The model package's file.
    pub(crate) model: PathBuf,
    pub(crate) deployment_id: Option<String>,
    pub(crate) model_id: Option<String>,
    pub(crate) listen: String,
    pub(crate) deployment: DeploymentSettings,
    pub(crate) gateway: GatewaySettings,
    /// How machine code is made is added by `command/compile.rs`.
    pub(crate) engine: EngineSettings,
    /// What compiling one package may use.
    pub(crate) compile: CompileLimits,
    pub(crate) limits: Limits,
    /// Whom packages must be signed by.
    pub(crate) trust: Trust,
    pub(crate) outbox_dir: PathBuf,
    pub(crate) outbox: OutboxSettings,
    /// Where records go; several channels each get every record.
    pub(crate) channels: Vec<NamedChannel>,
}

/// The settings as files spell them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    log: Log,
    deployment: Deployment,
    http: Http,
    engine: Engine,
    signing: Signing,
    outbox: Outbox,
    /// One table, or several.
    spooler: toml::Value,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) filter: String,
    pub(crate) json: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deployment {
    model: Option<PathBuf>,
    id: Option<String>,
    model_id: Option<String>,
    association_id_column: String,
    unknown_fields: String,
    record_class: String,
    association_ids: String,
    privacy_key_file: Option<PathBuf>,
    privacy: Vec<PrivateFeature>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrivateFeature {
    feature: String,
    action: String,
    width: Option<f64>,
    edges: Option<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    listen: String,
    connections_max: usize,
    header_time_max: u64,
    header_bytes_max: usize,
    idle_time_max: u64,
    write_stall_time_max: u64,
    body_time_max: u64,
    body_bytes_max: usize,
    all_bodies_bytes_max: usize,
    rows_max: u32,
    queue_time_max: u64,
    request_time_max: u64,
    durable_time_max: u64,
    grace_time: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Engine {
    cache: Option<PathBuf>,
    instances_max: usize,
    mode: String,
    pool_slots: u32,
    declared_bytes_max: u64,
    working_bytes_max: u64,
    stack_bytes_max: usize,
    table_elements_max: usize,
    output_bytes_max: usize,
    call_numbers_max: usize,
    call_time_max: u64,
    start_time_max: u64,
    compile_time_max: u64,
    compile_cpu_max: u64,
    compile_bytes_max: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signing {
    keys: Vec<PathBuf>,
    only_signed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outbox {
    dir: PathBuf,
    bytes_max: u64,
    when_full: String,
    free_bytes_min: u64,
    segment_bytes: u64,
    record_bytes_max: usize,
    queue_records_max: usize,
    queue_bytes_max: usize,
    observe_window: u64,
    dead_letter_bytes_max: u64,
}

impl Config {
    /// Puts the layers together: defaults, the file of `--config`, `environment`, flags.
    pub(crate) fn load(
        args: &Serve,
        environment: BTreeMap<String, String>,
    ) -> Result<Self, CliError> {
        let file = match &args.config {
            Some(path) => Some((path.as_path(), crate::files::read(path)?)),
            None => None,
        };
        let mut raw = layers::file_over_defaults(file)?;
        let channels = layers::channels(args, &environment, &raw.spooler)?;
        layers::environment_over(&mut raw, &environment);
        layers::flags_over(&mut raw, args);
        prove(raw, channels)
    }
}

fn prove(raw: Raw, channels: Vec<NamedChannel>) -> Result<Config, CliError> {
    let privacy = raw.deployment.privacy()?;
    let model = raw.deployment.model.ok_or_else(|| {
        CliError::Usage(
            "there is no model to serve: give --model, or `model` under [deployment]".into(),
        )
    })?;
    let deployment = DeploymentSettings {
        unknown_names: choose(
            "deployment.unknown_fields",
            &raw.deployment.unknown_fields,
            &[("refuse", UnknownNames::Refuse), ("ignore", UnknownNames::Ignore)],
        )?,
        privacy,
        association_id_column: raw.deployment.association_id_column,
        record_class: choose(
            "deployment.record_class",
            &raw.deployment.record_class,
            &[("observe", RecordClass::Observe), ("durable", RecordClass::Durable)],
        )?,
    };
    let mode =
        choose("engine.mode", &raw.engine.mode, &[("warm", Mode::Warm), ("fresh", Mode::Fresh)])?;
    let when_full = choose(
        "outbox.when_full",
        &raw.outbox.when_full,
        &[("reject_new", WhenFull::RejectNew), ("drop_oldest", WhenFull::DropOldest)],
    )?;
    Ok(Config {
        log: raw.log,
        model,
        deployment_id: raw.deployment.id,
        model_id: raw.deployment.model_id,
        listen: raw.http.listen.clone(),
        deployment,
        gateway: raw.http.settings(),
        limits: raw.engine.limits(mode),
        compile: raw.engine.compile(),
        engine: raw.engine.settings(),
        trust: raw.signing.trust()?,
        outbox: raw.outbox.settings(when_full),
        outbox_dir: raw.outbox.dir,
        channels,
    })
}

/// One of several words.
fn choose<T: Clone>(key: &str, given: &str, words: &[(&str, T)]) -> Result<T, CliError> {
    words.iter().find(|(word, _)| *word == given).map(|(_, value)| value.clone()).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        CliError::Usage(format!("{key} is {}, not `{given}`", words.join(" or ")))
    })
}

impl Deployment {
    /// What is kept out of the records. Reads the key.
    fn privacy(&self) -> Result<PrivacySettings, CliError> {
        let hash_association_ids = choose(
            "deployment.association_ids",
            &self.association_ids,
            &[("keep", false), ("hash", true)],
        )?;
        let rules = self.privacy.iter().map(PrivateFeature::rule).collect::<Result<_, _>>()?;
        let key = self.privacy_key_file.as_deref().map(Secret::read).transpose();
        let key = key.map_err(|error| {
            CliError::Usage(format!("deployment.privacy_key_file: {}", chain(&error)))
        })?;
        Ok(PrivacySettings { rules, hash_association_ids, key })
    }
}

impl PrivateFeature {
    fn rule(&self) -> Result<PrivacyRule, CliError> {
        let key = format!("deployment.privacy of {:?}: ", self.feature);
        let action = match (&*self.action, self.width, &self.edges) {
            ("bucket", Some(width), None) => PrivacyAction::Width(width),
            ("bucket", None, Some(edges)) => PrivacyAction::Edges(edges.clone()),
            ("bucket", ..) => {
                return Err(CliError::Usage(key + "a bucket has either a width or edges"));
            }
            (action, None, None) => choose(
                &(key + "action"),
                action,
                &[
                    ("drop", PrivacyAction::Drop),
                    ("hash", PrivacyAction::Hash),
                    // Taken above.
                    ("bucket", PrivacyAction::Drop),
                ],
            )?,
            _ => return Err(CliError::Usage(key + "only a bucket has a width or edges")),
        };
        Ok(PrivacyRule { feature: self.feature.clone(), action })
    }
}

impl Http {
    fn settings(&self) -> GatewaySettings {
        GatewaySettings {
            connections: self.connections_max,
            header_time: Duration::from_millis(self.header_time_max),
            idle_time: Duration::from_millis(self.idle_time_max),
            write_stall_time: Duration::from_millis(self.write_stall_time_max),
            header_bytes: self.header_bytes_max,
            body_bytes: self.body_bytes_max,
            all_bodies_bytes: self.all_bodies_bytes_max,
            body_time: Duration::from_millis(self.body_time_max),
            rows: self.rows_max,
            queue_time: Duration::from_millis(self.queue_time_max),
            request_time: Duration::from_millis(self.request_time_max),
            durable_time: Duration::from_millis(self.durable_time_max),
            grace: Duration::from_millis(self.grace_time),
        }
    }
}

impl Engine {
    fn limits(&self, mode: Mode) -> Limits {
        Limits {
            declared_bytes: self.declared_bytes_max,
            working_bytes: self.working_bytes_max,
            table_elements: self.table_elements_max,
            call_deadline: Duration::from_millis(self.call_time_max),
            start_deadline: Duration::from_millis(self.start_time_max),
            output_bytes: self.output_bytes_max,
            call_numbers: self.call_numbers_max,
            instances: self.instances_max,
            mode,
            ..Limits::default()
        }
    }

    fn compile(&self) -> CompileLimits {
        CompileLimits {
            wall_time: Duration::from_millis(self.compile_time_max),
            cpu_time: Duration::from_millis(self.compile_cpu_max),
            memory_bytes: self.compile_bytes_max,
        }
    }

    fn settings(self) -> EngineSettings {
        EngineSettings {
            cache: self.cache,
            pool_slots: self.pool_slots,
            stack_bytes: self.stack_bytes_max,
            ..EngineSettings::default()
        }
    }
}

impl Signing {
    /// Reads the keys.
    fn trust(&self) -> Result<Trust, CliError> {
        if self.only_signed && self.keys.is_empty() {
            return Err(CliError::Usage(
                "signing.only_signed needs the public keys to trust: name their files in signing.keys"
                    .into(),
            ));
        }
        Trust::read(&self.keys, self.only_signed)
    }
}

impl Outbox {
    fn settings(&self, when_full: WhenFull) -> OutboxSettings {
        OutboxSettings {
            record_bytes: self.record_bytes_max,
            segment_bytes: self.segment_bytes,
            max_bytes: self.bytes_max,
            min_free_bytes: self.free_bytes_min,
            queue_records: self.queue_records_max,
            queue_bytes: self.queue_bytes_max,
            observe_window: Duration::from_millis(self.observe_window),
            when_full,
            dead_letter_bytes: self.dead_letter_bytes_max,
        }
    }
}

#[cfg(test)]
mod tests;
