//! The agent's settings: the library's YAML as it is, and some keys of our own.
//!
//! An unknown key is an error that names the nearest known one: a limit that nobody reads is worse than a start that
//! fails. The flags win over the environment, the environment over the file. No secret is in anything that is printed.

mod channels;
mod keys;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use record::wire::DataType;
use serde_json::{Map, Value};
use spool::channel::Secret;

pub use self::channels::{ChannelConfig, ChannelKind};
use self::keys::KEYS;

/// The environment's name of the file.
pub const CONFIG_VARIABLE: &str = "MLOPS_AGENT_CONFIG_YAML";
/// The environment's names of the server, the newer first.
const URL_VARIABLES: [&str; 2] = ["MLOPS_SERVICE_URL", "DATAROBOT_ENDPOINT"];
/// The environment's names of the token, the newer first.
const TOKEN_VARIABLES: [&str; 2] = ["MLOPS_API_TOKEN", "DATAROBOT_API_TOKEN"];
/// A file with the token: a name of ours.
const TOKEN_FILE_VARIABLE: &str = "MLOPS_API_TOKEN_FILE";
/// From this likeness on a known name is worth naming.
const ALIKE: f64 = 0.6;

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is not YAML, or no map of settings.
    #[error("read {}: it is no YAML map of settings: {why}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such setting.
    #[error("there is no setting {key:?}{}", nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default())]
    Unknown {
        /// The key, with the way to it.
        key: String,
        /// The known name that is most like it.
        nearest: Option<&'static str>,
    },
    /// A setting has a value that it cannot have.
    #[error("{key} must be {must_be}")]
    Value {
        /// The key, with the way to it.
        key: String,
        /// What it must be.
        must_be: String,
    },
    /// A setting is missing.
    #[error("{key} is missing: {fix}")]
    Missing {
        /// The key.
        key: &'static str,
        /// Where it can be given.
        fix: &'static str,
    },
}

/// Makes a call of what waits when so much of a kind does, or when the oldest has waited so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregator {
    /// Records.
    pub records: usize,
    /// Time.
    pub wait: Duration,
}

/// The settings. What each means is said in the table of keys ([`Config::describe`]).
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the table of keys says what each means, for the user too")]
pub struct Config {
    pub mlops_url: String,
    pub api_token: Option<Secret>,
    pub api_token_file: Option<PathBuf>,
    pub ca_certificate: Option<PathBuf>,
    pub verify_ssl: bool,
    pub run_once: bool,
    pub dry_run: bool,
    pub server_mode: bool,
    pub server_address: String,
    pub server_port: u16,
    pub stats_path: Option<PathBuf>,
    pub prediction_environment_id: Option<String>,
    pub http_timeout_ms: u64,
    pub http_concurrent_request: usize,
    pub max_records_task: usize,
    pub max_aggregated_records: usize,
    pub pending_records_timeout_ms: u64,
    pub max_features: usize,
    pub samples_group_size: usize,
    pub max_groups: usize,
    pub rows_per_call: usize,
    pub actuals_per_call: usize,
    pub call_bytes: usize,
    pub aggregators: BTreeMap<&'static str, Aggregator>,
    pub channels: Vec<ChannelConfig>,
    pub deployment_id: Option<String>,
    pub model_id: Option<String>,
    pub state_directory: PathBuf,
    pub buffer_bytes: usize,
    pub lane_bytes: usize,
    pub parked_bytes: u64,
    pub dead_letter_bytes: u64,
    pub recent_records: usize,
    pub retry_ms: u64,
    pub retry_max_ms: u64,
    pub retry_after_max_ms: u64,
    pub retry_operator_ms: u64,
    pub shutdown_ms: u64,
    /// Settings that are read and change nothing, because what they limit has no limit here.
    pub without_effect: Map<String, Value>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mlops_url: String::new(),
            api_token: None,
            api_token_file: None,
            ca_certificate: None,
            verify_ssl: true,
            run_once: false,
            dry_run: false,
            server_mode: false,
            server_address: "127.0.0.1".to_owned(),
            server_port: 8080,
            stats_path: None,
            prediction_environment_id: None,
            http_timeout_ms: 30_000,
            http_concurrent_request: 10,
            max_records_task: 100,
            max_aggregated_records: 500,
            pending_records_timeout_ms: 5000,
            max_features: 300,
            samples_group_size: 100,
            max_groups: 100,
            rows_per_call: 10_000,
            actuals_per_call: 10_000,
            call_bytes: 8 << 20,
            aggregators: BTreeMap::new(),
            channels: Vec::new(),
            deployment_id: None,
            model_id: None,
            state_directory: PathBuf::from("mlops-agent-state"),
            buffer_bytes: 256 << 20,
            lane_bytes: 32 << 20,
            parked_bytes: 1 << 30,
            dead_letter_bytes: 1 << 30,
            recent_records: 200_000,
            retry_ms: 1000,
            retry_max_ms: 60_000,
            retry_after_max_ms: 600_000,
            retry_operator_ms: 60_000,
            shutdown_ms: 30_000,
            without_effect: Map::new(),
        }
    }
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the flag of its name")]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub mlops_url: Option<String>,
    pub api_token: Option<Secret>,
    pub api_token_file: Option<PathBuf>,
    pub deployment_id: Option<String>,
    pub model_id: Option<String>,
    pub spool_dir: Option<PathBuf>,
    pub state_dir: Option<PathBuf>,
    pub run_once: bool,
    pub dry_run: bool,
    pub server_port: Option<u16>,
}

impl Config {
    /// Reads the file, the environment and the flags, without checking that all that is needed is there.
    ///
    /// # Errors
    ///
    /// Names the key and, when there is no such key, the nearest that there is.
    pub fn load(
        flags: &Flags,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let set = |name: &str| environment.get(name).filter(|value| !value.trim().is_empty());
        let file = flags.config.clone().or_else(|| set(CONFIG_VARIABLE).map(PathBuf::from));
        let mut config = match &file {
            Some(path) => Self::read(path, environment)?,
            None => Self::default(),
        };
        if let Some(url) = URL_VARIABLES.iter().find_map(|name| set(name)) {
            config.mlops_url = url.trim().to_owned();
        }
        if let Some(token) = TOKEN_VARIABLES.iter().find_map(|name| set(name)) {
            (config.api_token, config.api_token_file) = (Some(Secret::new(token.trim())), None);
        } else if let Some(file) = set(TOKEN_FILE_VARIABLE) {
            (config.api_token, config.api_token_file) = (None, Some(file.into()));
        }
        config.take_flags(flags);
        if config.channels.is_empty()
            && let Some(channel) = channels::of_environment(environment)?
        {
            config.channels.push(channel);
        }
        Ok(config)
    }

    fn take_flags(&mut self, flags: &Flags) {
        if let Some(url) = &flags.mlops_url {
            self.mlops_url.clone_from(url);
        }
        if let Some(token) = &flags.api_token {
            (self.api_token, self.api_token_file) = (Some(token.clone()), None);
        } else if let Some(file) = &flags.api_token_file {
            (self.api_token, self.api_token_file) = (None, Some(file.clone()));
        }
        if let Some(port) = flags.server_port {
            (self.server_mode, self.server_port) = (true, port);
        }
        if let Some(directory) = &flags.state_dir {
            self.state_directory.clone_from(directory);
        }
        if let Some(directory) = &flags.spool_dir {
            self.channels = vec![ChannelConfig::of_directory(directory)];
        }
        self.deployment_id = flags.deployment_id.clone().or_else(|| self.deployment_id.take());
        self.model_id = flags.model_id.clone().or_else(|| self.model_id.take());
        self.run_once |= flags.run_once;
        self.dry_run |= flags.dry_run;
    }

    fn read(path: &Path, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        Self::parse(&text, environment).map_err(|error| match error {
            ConfigError::Yaml { why, .. } => ConfigError::Yaml { path: path.to_owned(), why },
            other => other,
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn parse(text: &str, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let yaml = |why: String| ConfigError::Yaml { path: PathBuf::new(), why };
        let map: Option<Map<String, Value>> = if text.trim().is_empty() {
            None
        } else {
            serde_saphyr::from_str(text).map_err(|error| yaml(first_line(&error.to_string())))?
        };
        let mut config = Self::default();
        for (key, value) in map.unwrap_or_default() {
            if key == "channelConfigs" {
                config.channels = channels::read(value, environment)?;
                continue;
            }
            let Some(known) = KEYS.iter().find(|known| known.name == key) else {
                let names = KEYS.iter().map(|known| known.name).chain(["channelConfigs"]);
                return Err(unknown(key, names));
            };
            if value.is_null() {
                continue;
            }
            (known.set)(&mut config, &value)
                .map_err(|must_be| ConfigError::Value { key, must_be })?;
        }
        Ok(config)
    }

    /// Checks that everything is there and goes together.
    ///
    /// # Errors
    ///
    /// Names the key, what it must be, and where it can be given.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !self.dry_run {
            if self.mlops_url.is_empty() {
                let fix = "the server, as mlopsUrl in the file, --mlops-url or MLOPS_SERVICE_URL";
                return Err(ConfigError::Missing { key: "mlopsUrl", fix });
            }
            if self.api_token.is_none() && self.api_token_file.is_none() {
                let fix = "the server's token, as apiToken or apiTokenFile in the file, \
                           MLOPS_API_TOKEN or MLOPS_API_TOKEN_FILE in the environment, or --api-token-file";
                return Err(ConfigError::Missing { key: "apiToken", fix });
            }
        }
        if self.channels.is_empty() {
            let fix = "what to read, as channelConfigs in the file, --spool-dir, or MLOPS_SPOOLER_TYPE \
                       and its companions in the environment";
            return Err(ConfigError::Missing { key: "channelConfigs", fix });
        }
        let url = spool::rest::is_endpoint(&self.mlops_url) || self.dry_run;
        let rules: [(&str, &str, bool); 11] = [
            ("mlopsUrl", spool::rest::ENDPOINT, url),
            (
                "httpConcurrentRequest",
                "1 to 256",
                (1..=256).contains(&self.http_concurrent_request),
            ),
            ("httpTimeout", "at least 1", self.http_timeout_ms >= 1),
            ("agentMaxRecordsTask", "at least 1", self.max_records_task >= 1),
            ("agentMaxAggregatedRecords", "at least 1", self.max_aggregated_records >= 1),
            ("maxFeaturesToMonitor", "at least 1", self.max_features >= 1),
            (
                "samplesGroupSizeForMLOpsAPIEndpoint",
                "at least 1 and at most rowsPerCall",
                (1..=self.rows_per_call).contains(&self.samples_group_size),
            ),
            ("maxGroupsForMLOpsAPIEndpoint", "at least 1", self.max_groups >= 1),
            ("actualsPerCall", "at least 1", self.actuals_per_call >= 1),
            ("laneBytes", "at most bufferBytes", self.lane_bytes <= self.buffer_bytes),
            ("retryMaxMs", "at least retryMs", self.retry_max_ms >= self.retry_ms),
        ];
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((key, must_be, _)) => {
                Err(ConfigError::Value { key: key.to_owned(), must_be: must_be.to_owned() })
            }
            None => channels::check(&self.channels),
        }
    }

    /// What makes a call of what waits of a kind.
    pub(crate) fn aggregator(&self, data_type: DataType) -> Aggregator {
        self.aggregators.get(data_type.name()).copied().unwrap_or(Aggregator {
            records: self.max_aggregated_records,
            wait: Duration::from_millis(self.pending_records_timeout_ms),
        })
    }

    /// All settings with their values, as YAML with comments; a secret is only said to be there.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for key in KEYS {
            let ours = if key.ours { " (a key of Outpost's own)" } else { "" };
            text.push_str(&format!("# {}{ours}\n", key.meaning));
            match (key.show)(self) {
                Value::Null => text.push_str(&format!("# {}:\n", key.name)),
                value => text.push_str(&format!("{}: {value}\n", key.name)),
            }
        }
        text.push_str("# What is read; see docs/AGENT.md for the keys of each kind.\n");
        let channels: Vec<Value> = self.channels.iter().map(ChannelConfig::show).collect();
        text.push_str(&format!("channelConfigs: {}\n", Value::from(channels)));
        text
    }

    /// All settings as one JSON object, without secrets.
    pub fn show(&self) -> Value {
        let mut map: Map<String, Value> =
            KEYS.iter().map(|key| (key.name.to_owned(), (key.show)(self))).collect();
        let channels: Vec<Value> = self.channels.iter().map(ChannelConfig::show).collect();
        map.insert("channelConfigs".to_owned(), channels.into());
        Value::Object(map)
    }
}

/// An error of the YAML reader without the excerpt of the text, which may hold a secret.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The error for a key that is not known.
fn unknown(key: String, names: impl Iterator<Item = &'static str>) -> ConfigError {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let likeness = |name: &str| strsim::jaro_winkler(&plain(&key), &plain(name));
    let nearest = names
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name);
    ConfigError::Unknown { key, nearest }
}

#[cfg(test)]
mod tests;
