//! Settings of `outpost serve`: the defaults are a commented file compiled in (`config/default.toml`), over them go a
//! file, the environment's `MLOPS_*` names, and flags. Everything is proven here, before anything is opened or bound.

use crate::cli::Serve;
use crate::error::CliError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Every setting with its default and its meaning.
pub(crate) const DEFAULTS: &str = include_str!("config/default.toml");

/// The settings as files spell them. `default.toml` and these structs hold the same names: a test compares them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) log: Log,
    pub(crate) deployment: Deployment,
    pub(crate) http: Http,
    pub(crate) engine: Engine,
    pub(crate) outbox: Outbox,
    pub(crate) spooler: Spooler,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) filter: String,
    pub(crate) json: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deployment {
    pub(crate) model: Option<PathBuf>,
    pub(crate) id: Option<String>,
    pub(crate) model_id: Option<String>,
    pub(crate) association_id_column: String,
    pub(crate) unknown_fields: String,
    pub(crate) record_class: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) listen: String,
    pub(crate) connections_max: usize,
    pub(crate) header_timeout_ms: u64,
    pub(crate) header_bytes_max: usize,
    pub(crate) body_timeout_ms: u64,
    pub(crate) body_bytes_max: usize,
    pub(crate) rows_max: usize,
    pub(crate) queue_timeout_ms: u64,
    pub(crate) durable_timeout_ms: u64,
    pub(crate) grace_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Engine {
    pub(crate) instances: usize,
    pub(crate) mode: String,
    pub(crate) memory_bytes_max: usize,
    pub(crate) stack_bytes_max: usize,
    pub(crate) call_timeout_ms: u64,
    pub(crate) start_timeout_ms: u64,
    pub(crate) cache: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outbox {
    pub(crate) dir: PathBuf,
    pub(crate) bytes_max: u64,
    pub(crate) free_bytes_min: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) queue_records_max: usize,
    pub(crate) queue_bytes_max: usize,
    pub(crate) observe_window_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spooler {
    pub(crate) r#type: String,
    pub(crate) kafka: Kafka,
    pub(crate) filesystem: Filesystem,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kafka {
    pub(crate) brokers: Option<String>,
    pub(crate) topic: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filesystem {
    pub(crate) dir: Option<PathBuf>,
}
