//! The channels: details under their short names or the library's long ones.

mod kinds;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use spool::channel::{ChannelSettings, Secret, SettingsError};
use spool::source::{
    FilesystemSource, FilesystemSourceSettings, KafkaSource, KafkaSourceSettings, OffsetReset,
    RabbitMqSource, RabbitMqSourceSettings, Source, SourceError,
};

use self::kinds::{KINDS, PREFETCH_NAME};
use super::{ConfigError, unknown};

/// Most messages that RabbitMQ pushes ahead: with many deployments in one queue more than a reader alone would need.
const PREFETCH: u16 = 1000;
/// How long the records of a topic may be worked on, the longest that the client takes: while no server takes anything
/// there is nothing to read, and the group must not take that for death.
const MAX_POLL_INTERVAL_MS: u64 = 86_400_000;
/// A channel to read.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelConfig {
    /// What it is called in statistics and events.
    pub name: String,
    /// Where it is.
    pub kind: ChannelKind,
}

/// Where a channel is.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelKind {
    /// A directory of spool files.
    Filesystem(FilesystemSourceSettings),
    /// A topic.
    Kafka(Box<KafkaSourceSettings>),
    /// A queue.
    RabbitMq(RabbitMqSourceSettings),
}

impl ChannelConfig {
    /// A directory of spool files.
    pub fn of_directory(directory: &Path) -> Self {
        Self {
            name: "files".into(),
            kind: ChannelKind::Filesystem(FilesystemSourceSettings::new(directory)),
        }
    }

    /// The channel without its secrets.
    pub(super) fn show(&self) -> Value {
        let (kind, details) = match &self.kind {
            ChannelKind::Filesystem(settings) => {
                ("FS_SPOOL", json!({"name": self.name, "spoolDirectoryPath": settings.directory}))
            }
            ChannelKind::Kafka(settings) => (
                "KAFKA_SPOOL",
                json!({"name": self.name, "topicName": settings.topic,
                    "bootstrapServers": settings.bootstrap_servers,
                    "MLOPS_KAFKA_CONSUMER_GROUP_ID": settings.group_id}),
            ),
            ChannelKind::RabbitMq(settings) => (
                "RABBITMQ_SPOOL",
                json!({"name": self.name, "queueUrl": "[redacted]", "queueName": settings.queue,
                    "prefetch": settings.prefetch}),
            ),
        };
        json!({"type": kind, "details": details})
    }

    /// `filesystem`, `kafka` or `rabbitMQ`, as events call it.
    pub(crate) fn event_type(&self) -> &'static str {
        match &self.kind {
            ChannelKind::Filesystem(_) => "filesystem",
            ChannelKind::Kafka(_) => "kafka",
            ChannelKind::RabbitMq(_) => "rabbitMQ",
        }
    }

    /// Begins to read.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, or the channel cannot be opened now.
    pub(crate) fn open(&self) -> Result<Box<dyn Source>, SourceError> {
        Ok(match &self.kind {
            ChannelKind::Filesystem(settings) => {
                Box::new(FilesystemSource::open(settings.clone())?)
            }
            ChannelKind::Kafka(settings) => Box::new(KafkaSource::open((**settings).clone())?),
            ChannelKind::RabbitMq(settings) => Box::new(RabbitMqSource::new(settings.clone())?),
        })
    }
}

/// The list under `channelConfigs`.
pub(super) fn read(
    value: Value,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<ChannelConfig>, ConfigError> {
    let wrong = |key: &str, must_be: &str| ConfigError::Value {
        key: key.to_owned(),
        must_be: must_be.to_owned(),
    };
    let list = match value {
        Value::Array(list) => list,
        Value::Null => Vec::new(),
        _other => return Err(wrong("channelConfigs", "a list of {type, details}")),
    };
    let mut channels = Vec::new();
    for (at, entry) in list.into_iter().enumerate() {
        let path = format!("channelConfigs[{at}]");
        let Value::Object(mut entry) = entry else {
            return Err(wrong(&path, "a map with type and details"));
        };
        let kind = entry.remove("type").and_then(|kind| kind.as_str().map(str::to_owned));
        let kind = kind.ok_or_else(|| {
            wrong(&format!("{path}.type"), "FS_SPOOL, RABBITMQ_SPOOL or KAFKA_SPOOL")
        })?;
        let details = match entry.remove("details") {
            Some(Value::Object(details)) => details,
            None | Some(Value::Null) => Map::new(),
            Some(_other) => return Err(wrong(&format!("{path}.details"), "a map")),
        };
        if let Some(key) = entry.keys().next() {
            let known = ["type", "details"].into_iter();
            return Err(with_path(&path, unknown(key.clone(), known)));
        }
        channels.push(channel(&path, at, &kind, details, environment)?);
    }
    Ok(channels)
}

fn with_path(path: &str, error: ConfigError) -> ConfigError {
    match error {
        ConfigError::Unknown { key, nearest } => {
            ConfigError::Unknown { key: format!("{path}.{key}"), nearest }
        }
        other => other,
    }
}

fn channel(
    path: &str,
    at: usize,
    asked: &str,
    details: Map<String, Value>,
    environment: &BTreeMap<String, String>,
) -> Result<ChannelConfig, ConfigError> {
    let Some(kind) = KINDS.iter().find(|kind| kind.name == asked) else {
        let must_be =
            "FS_SPOOL, RABBITMQ_SPOOL or KAFKA_SPOOL; others are not read here".to_owned();
        return Err(ConfigError::Value { key: format!("{path}.type"), must_be });
    };
    // What the details leave open the environment may say, secrets above all.
    let mut variables: BTreeMap<String, String> = environment
        .iter()
        .filter(|(name, _)| kind.long.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut name = None;
    for (key, value) in details {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            _other => {
                let must_be = "a text, a number, or true or false".to_owned();
                return Err(ConfigError::Value { key: format!("{path}.details.{key}"), must_be });
            }
        };
        if key == "name" {
            name = Some(text);
            continue;
        }
        let alias = kind.aliases.iter().find(|(alias, _)| *alias == key).map(|(_, long)| *long);
        let long = kind.long.iter().find(|long| **long == key).copied();
        let Some(variable) = alias.or(long) else {
            let known = kind.aliases.iter().map(|(alias, _)| *alias);
            let known = known.chain(kind.long.iter().copied()).chain(["name"]);
            return Err(with_path(&format!("{path}.details"), unknown(key, known)));
        };
        variables.insert(variable.to_owned(), text);
    }
    variables.insert("MLOPS_SPOOLER_TYPE".to_owned(), kind.spooler.to_owned());
    let name = name.filter(|name| !name.trim().is_empty());
    let name = name.unwrap_or_else(|| format!("{}-{at}", kind.name.to_lowercase()));
    Ok(ChannelConfig { name, kind: settings(path, variables)? })
}

/// The channel that the library's names in the environment ask for.
pub(super) fn of_environment(
    environment: &BTreeMap<String, String>,
) -> Result<Option<ChannelConfig>, ConfigError> {
    let named = ["MLOPS_SPOOLER_TYPE", "MLOPS_OUTPUT_TYPE"];
    let Some(asked) = named.iter().find_map(|name| environment.get(*name)) else { return Ok(None) };
    let spooler = asked.trim().to_ascii_uppercase();
    let Some(kind) = KINDS.iter().find(|kind| kind.spooler == spooler) else { return Ok(None) };
    channel("environment", 0, kind.name, Map::new(), environment).map(Some)
}

fn settings(
    path: &str,
    mut variables: BTreeMap<String, String>,
) -> Result<ChannelKind, ConfigError> {
    let wrong = |key: &str, must_be: &str| ConfigError::Value {
        key: format!("{path}.details.{key}"),
        must_be: must_be.to_owned(),
    };
    let prefetch = variables.remove(PREFETCH_NAME);
    let read = ChannelSettings::from_env_map(&variables).map_err(|error| told(path, &error))?;
    let number = |name: &str| {
        let parse = |text: &String| text.trim().parse::<u64>();
        variables.get(name).map(parse).transpose().map_err(|_| wrong(name, "a whole number"))
    };
    match read {
        Some(ChannelSettings::Filesystem(settings)) => {
            Ok(ChannelKind::Filesystem(FilesystemSourceSettings::new(settings.directory)))
        }
        Some(ChannelSettings::RabbitMq(settings)) => {
            let url = match (&settings.url, &settings.url_file) {
                (Some(url), _) => url.clone(),
                (None, Some(file)) => Secret::read(file).map_err(|error| {
                    wrong("MLOPS_RABBITMQ_QUEUE_URL_FILE", &format!("a secret's file; {error}"))
                })?,
                (None, None) => return Err(wrong("queueUrl", "given")),
            };
            let prefetch = prefetch.map(|text| text.trim().parse::<u16>()).transpose();
            let prefetch = prefetch.map_err(|_| wrong("prefetch", "1 to 65535"))?;
            Ok(ChannelKind::RabbitMq(RabbitMqSourceSettings {
                url,
                queue: settings.queue,
                prefetch: prefetch.unwrap_or(PREFETCH),
                heartbeat_s: settings.heartbeat_s,
                ca_location: settings.tls.ca_location,
                certificate_location: settings.tls.certificate_location,
                key_location: settings.tls.key_location,
                tls_version: settings.tls.version,
                ..RabbitMqSourceSettings::default()
            }))
        }
        Some(ChannelSettings::Kafka(settings)) => {
            let mut source = KafkaSourceSettings {
                security_protocol: settings.security_protocol,
                tls: settings.tls,
                sasl: settings.sasl,
                socket_timeout_ms: settings.socket_timeout_ms,
                metadata_max_age_ms: settings.metadata_max_age_ms,
                socket_keepalive: settings.socket_keepalive,
                max_poll_interval_ms: MAX_POLL_INTERVAL_MS,
                ..KafkaSourceSettings::new(settings.bootstrap_servers, settings.topic)
            };
            if let Some(group) = variables.get("MLOPS_KAFKA_CONSUMER_GROUP_ID") {
                source.group_id.clone_from(group);
            }
            if let Some(session) = number("MLOPS_KAFKA_SESSION_TIMEOUT_MS")? {
                source.session_timeout_ms = session;
            }
            if let Some(reset) = variables.get("MLOPS_KAFKA_AUTO_RELEASE_OFFSET") {
                source.auto_offset_reset = match reset.to_ascii_lowercase().as_str() {
                    "earliest" => OffsetReset::Earliest,
                    "latest" => OffsetReset::Latest,
                    _other => {
                        return Err(wrong("MLOPS_KAFKA_AUTO_RELEASE_OFFSET", "earliest or latest"));
                    }
                };
            }
            Ok(ChannelKind::Kafka(Box::new(source)))
        }
        _other => Err(wrong("type", "FS_SPOOL, RABBITMQ_SPOOL or KAFKA_SPOOL")),
    }
}

/// What the reader of the library's names says, in the file's words.
fn told(path: &str, error: &SettingsError) -> ConfigError {
    let alias = |variable: &str| {
        let aliases = KINDS.iter().flat_map(|kind| kind.aliases);
        let found = aliases.clone().find(|(_, long)| *long == variable);
        found.map_or_else(|| variable.to_owned(), |(alias, _)| (*alias).to_owned())
    };
    let (key, must_be) = match error {
        SettingsError::Missing { variable } => (alias(variable), "given".to_owned()),
        SettingsError::Value { variable, must_be } => (alias(variable), (*must_be).to_owned()),
        other => ("type".to_owned(), format!("one that works; {other}")),
    };
    ConfigError::Value { key: format!("{path}.details.{key}"), must_be }
}

/// Checks that the channels can be read together.
pub(super) fn check(channels: &[ChannelConfig]) -> Result<(), ConfigError> {
    for (at, channel) in channels.iter().enumerate() {
        if channels[..at].iter().any(|other| other.name == channel.name) {
            let key = format!("channelConfigs[{at}].details.name");
            let must_be = format!("another than {:?}, which is taken", channel.name);
            return Err(ConfigError::Value { key, must_be });
        }
        if let ChannelKind::Filesystem(settings) = &channel.kind {
            let same = |other: &ChannelConfig| matches!(&other.kind, ChannelKind::Filesystem(known) if known.directory == settings.directory);
            if channels[..at].iter().any(same) {
                let key = format!("channelConfigs[{at}].details.spoolDirectoryPath");
                return Err(ConfigError::Value {
                    key,
                    must_be: "a directory that no other channel reads".into(),
                });
            }
        }
    }
    Ok(())
}
