//! Settings of `outpost serve`: the defaults are a commented file compiled in (`config/default.toml`), over them go a
//! file, the environment's `MLOPS_*` names, and flags. Everything is proven here, before anything is opened or bound.
//!
//! The structs have the names of the file and no defaults of their own: a key that the defaults forget would fail
//! every start, and a test.

mod admin;
mod deployments;
mod fleet;
mod layers;

use crate::cli::Serve;
use crate::error::CliError;
use ::admin::AdminSettings;
use deployments::Deployment;
use engine::{CompileLimits, EngineSettings, LimitSettings, Mode};
use gateway::fleet::Trust;
use gateway::settings::{NAME_CHARS, is_name};
use gateway::{DeploymentSettings, FleetSettings, GatewaySettings};
use serde::{Deserialize, Serialize};
use spool::{NamedChannel, OutboxSettings, WhenFull};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every setting with its default and its meaning.
pub(crate) const DEFAULTS: &str = include_str!("config/default.toml");

/// What `outpost serve` does, proven.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) log: Log,
    /// The deployments that are named.
    pub(crate) deployments: Vec<Named>,
    pub(crate) listen: String,
    /// How deployments that nothing names treat their requests.
    pub(crate) deployment: DeploymentSettings,
    pub(crate) fleet: Fleet,
    /// Where operators come, if they may.
    pub(crate) admin: Option<AdminSettings>,
    pub(crate) gateway: GatewaySettings,
    /// How machine code is made is added by `command/compile.rs`.
    pub(crate) engine: EngineSettings,
    /// What compiling one package may use.
    pub(crate) compile: CompileLimits,
    pub(crate) limits: LimitSettings,
    /// Whom packages must be signed by.
    pub(crate) trust: Trust,
    pub(crate) outbox_dir: PathBuf,
    pub(crate) outbox: OutboxSettings,
    /// Where records go; several channels each get every record.
    pub(crate) channels: Vec<NamedChannel>,
}

/// A deployment that flags or file name.
#[derive(Debug)]
pub(crate) struct Named {
    /// The model's name when there is none.
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    /// The model package's file.
    pub(crate) model: PathBuf,
    pub(crate) model_id: Option<String>,
    pub(crate) settings: DeploymentSettings,
    pub(crate) limits: LimitSettings,
}

/// What is said about all deployments together.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// The folder of packages to follow.
    pub(crate) models: Option<PathBuf>,
    pub(crate) default: Option<String>,
    /// None where nothing can change.
    pub(crate) state: Option<PathBuf>,
    pub(crate) settings: FleetSettings,
}

/// The settings as files spell them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    deployments: Vec<toml::Table>,
    log: Log,
    deployment: Deployment,
    gateway: Gateway,
    fleet: fleet::Fleet,
    admin: admin::Admin,
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
struct Gateway {
    name: Option<String>,
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

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Engine {
    cache: Option<PathBuf>,
    instances_max: Option<usize>,
    mode: String,
    pool_slots: u32,
    declared_bytes_max: Option<u64>,
    working_bytes_max: Option<u64>,
    stack_bytes_max: usize,
    table_elements_max: Option<usize>,
    output_bytes_max: Option<usize>,
    call_numbers_max: Option<usize>,
    call_time_max: Option<u64>,
    start_time_max: Option<u64>,
    compile_time_max: u64,
    compile_cpu_max: u64,
    compile_bytes_max: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signing {
    keys: Vec<PathBuf>,
    only_signed: bool,
    only_newer: bool,
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
    let named = deployments::named(&raw.deployment, &raw.deployments, &raw.engine)?;
    let gateway = GatewaySettings { name: raw.gateway.proven()?, ..raw.http.settings() };
    let admin = raw.admin.settings(gateway.grace)?;
    if named.is_empty() && raw.fleet.models.is_none() && admin.is_none() {
        return Err(CliError::Usage(
            "there is no model to serve: give --model or --models, or `model` under [deployment] or [[deployments]]"
                .into(),
        ));
    }
    let when_full = choose(
        "outbox.when_full",
        &raw.outbox.when_full,
        &[("reject_new", WhenFull::RejectNew), ("drop_oldest", WhenFull::DropOldest)],
    )?;
    let fleet = raw.fleet.proven(admin.is_some())?;
    Ok(Config {
        log: raw.log,
        deployments: named,
        listen: raw.http.listen.clone(),
        deployment: raw.deployment.settings()?,
        admin,
        gateway,
        limits: raw.engine.limits()?,
        compile: raw.engine.compile(),
        engine: raw.engine.settings(fleet.state.as_deref()),
        fleet,
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

impl Gateway {
    fn proven(self) -> Result<Option<String>, CliError> {
        if self.name.as_deref().is_none_or(is_name) {
            return Ok(self.name);
        }
        Err(CliError::Usage(format!(
            "gateway.name must be 1 to {NAME_CHARS} characters, none of them a control character; without it the host's name is taken"
        )))
    }
}

impl Http {
    fn settings(&self) -> GatewaySettings {
        GatewaySettings {
            name: None,
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
    fn limits(&self) -> Result<LimitSettings, CliError> {
        let modes = [("warm", Mode::Warm), ("fresh", Mode::Fresh)];
        Ok(LimitSettings {
            declared_bytes: self.declared_bytes_max,
            working_bytes: self.working_bytes_max,
            table_elements: self.table_elements_max,
            call_deadline: self.call_time_max.map(Duration::from_millis),
            start_deadline: self.start_time_max.map(Duration::from_millis),
            output_bytes: self.output_bytes_max,
            call_numbers: self.call_numbers_max,
            instances: self.instances_max,
            wait: None,
            mode: Some(choose("engine.mode", &self.mode, &modes)?),
        })
    }

    fn compile(&self) -> CompileLimits {
        CompileLimits {
            wall_time: Duration::from_millis(self.compile_time_max),
            cpu_time: Duration::from_millis(self.compile_cpu_max),
            memory_bytes: self.compile_bytes_max,
        }
    }

    /// Where packages come and go, what was compiled once is kept beside them.
    fn settings(self, state: Option<&Path>) -> EngineSettings {
        EngineSettings {
            cache: self.cache.or_else(|| state.map(|state| state.join("cache"))),
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
        Ok(Trust {
            keys: crate::trust::read_keys(&self.keys)?,
            only_signed: self.only_signed,
            only_newer: self.only_newer,
        })
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
