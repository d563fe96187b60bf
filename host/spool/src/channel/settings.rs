//! Channel settings: a table of a configuration file, or the `MLOPS_*` names of the public library.
//!
//! Names are given as values; nothing here reads the environment. A name of one of our channels that we do not know
//! is an error, because a typo must not go unnoticed. Names that only say how the library *reads* are known and have
//! no effect.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::ChannelError;
use super::filesystem::FilesystemSettings;
use super::kafka::{KafkaSettings, SaslSettings, SecurityProtocol};

/// Which channel drains the outbox, and how.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one in a process, and it moves once")]
pub enum ChannelSettings {
    /// To a Kafka topic.
    Kafka(KafkaSettings),
    /// To spool files.
    Filesystem(FilesystemSettings),
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// A variable that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The kind of spooler is not one of ours.
    #[error(
        "read {variable}: spooler type {value:?} is not known here, take KAFKA, FILESYSTEM or NONE"
    )]
    Type {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
    },
    /// A variable is missing.
    #[error("read the spooler's settings: {variable} is missing")]
    Missing {
        /// The variable.
        variable: &'static str,
    },
    /// A variable has a value that it cannot have.
    #[error("read {variable}: it must be {must_be}")]
    Value {
        /// The variable.
        variable: String,
        /// What it must be.
        must_be: &'static str,
    },
    /// There is no such variable.
    #[error("read {variable}: there is no such setting")]
    Unknown {
        /// The variable.
        variable: String,
    },
    /// The variable exists, but we cannot do what it asks for.
    #[error("read {variable}: it is not supported here")]
    Unsupported {
        /// The variable.
        variable: String,
    },
}

const TYPE: [&str; 2] = ["MLOPS_SPOOLER_TYPE", "MLOPS_OUTPUT_TYPE"];
const ROWS: &str = "MLOPS_FEATURE_DATA_ROWS_IN_ONE_MESSAGE";
const DIRECTORY: [&str; 2] = ["MLOPS_FILESYSTEM_DIRECTORY", "MLOPS_SPOOLER_DIR_PATH"];
const FILE_SIZE: [&str; 2] = ["MLOPS_FILESYSTEM_MAX_FILE_SIZE", "MLOPS_SPOOLER_FILE_MAX_SIZE"];
const FILES: [&str; 2] = ["MLOPS_FILESYSTEM_MAX_NUM_FILES", "MLOPS_SPOOLER_MAX_FILES"];
const FILESYSTEM: &str = "MLOPS_FILESYSTEM_";
const KAFKA: &str = "MLOPS_KAFKA_";

/// What the library's readers go by, and its way to give up at the end.
const NO_EFFECT: [&str; 8] = [
    "ACKNOWLEDGEMENT_DEADLINE",
    "ACK_DEADLINE",
    "AUTO_RELEASE_OFFSET",
    "CONSUMER_GROUP_ID",
    "CONSUMER_MAX_NUM_MESSAGES",
    "CONSUMER_POLL_TIMEOUT_MS",
    "MAX_FLUSH_MS",
    "SESSION_TIMEOUT_MS",
];

/// Variables by name.
struct Variables<'a>(&'a BTreeMap<String, String>);

impl ChannelSettings {
    /// Reads the library's names. None when no spooler, or the spooler `NONE`, is asked for.
    ///
    /// # Errors
    ///
    /// Names the variable that is missing, unknown, or has a value that it cannot have.
    pub fn from_env_map(
        variables: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, SettingsError> {
        let variables = Variables(variables);
        let Some((variable, kind)) = variables.first(&TYPE) else { return Ok(None) };
        match kind.to_ascii_uppercase().as_str() {
            "NONE" => Ok(None),
            "KAFKA" => Ok(Some(Self::Kafka(variables.kafka()?))),
            "FILESYSTEM" | "OUTPUT_DIR" => Ok(Some(Self::Filesystem(variables.filesystem()?))),
            _ => Err(SettingsError::Type { variable: variable.to_owned(), value: kind.to_owned() }),
        }
    }

    /// Checks that the settings go together, before anything is opened. [`super::Channel::spawn`] checks them too.
    ///
    /// # Errors
    ///
    /// [`ChannelError::Setting`] with the first one that cannot be.
    pub fn check(&self) -> Result<(), ChannelError> {
        match self {
            Self::Kafka(settings) => settings.check(),
            Self::Filesystem(_) => Ok(()),
        }
    }

    /// The channel's name; its cursor goes by it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kafka(_) => "kafka",
            Self::Filesystem(_) => "filesystem",
        }
    }
}

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'a> Variables<'a> {
    /// The first of several names that is set to something.
    fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &'a str)> {
        names
            .iter()
            .find_map(|&name| Some((name, self.0.get(name)?.trim())).filter(|v| !v.1.is_empty()))
    }

    fn required(&self, names: &[&'static str]) -> Result<String, SettingsError> {
        match self.first(names) {
            Some((_, value)) => Ok(value.to_owned()),
            None => Err(SettingsError::Missing { variable: names[0] }),
        }
    }

    /// Sets `to` when one of the names is set.
    fn number<T: FromStr>(&self, names: &[&str], to: &mut T) -> Result<(), SettingsError> {
        if let Some((variable, value)) = self.first(names) {
            *to = value.parse().map_err(|_| SettingsError::Value {
                variable: variable.to_owned(),
                must_be: "a whole number, not negative",
            })?;
        }
        Ok(())
    }

    /// The variables of a channel, without its prefix, that are set to something.
    fn of(&self, prefix: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| {
            Some((name.strip_prefix(prefix)?, value.trim())).filter(|(_, value)| !value.is_empty())
        })
    }

    fn filesystem(&self) -> Result<FilesystemSettings, SettingsError> {
        for (name, _) in self.of(FILESYSTEM) {
            let known = ["DIRECTORY", "MAX_FILE_SIZE", "MAX_NUM_FILES"].contains(&name);
            if !known && !NO_EFFECT.contains(&name) {
                return Err(SettingsError::Unknown { variable: format!("{FILESYSTEM}{name}") });
            }
        }
        let mut settings = FilesystemSettings::new(self.required(&DIRECTORY)?);
        self.number(&FILE_SIZE, &mut settings.max_file_bytes)?;
        self.number(&FILES, &mut settings.max_files)?;
        self.number(&[ROWS], &mut settings.rows_per_message)?;
        Ok(settings)
    }

    fn kafka(&self) -> Result<KafkaSettings, SettingsError> {
        let mut settings = KafkaSettings::new(
            self.required(&["MLOPS_KAFKA_BOOTSTRAP_SERVERS"])?,
            self.required(&["MLOPS_KAFKA_TOPIC_NAME"])?,
        );
        self.number(&[ROWS], &mut settings.rows_per_message)?;
        let mut sasl: [Option<&str>; 3] = [None; 3];
        for (name, value) in self.of(KAFKA) {
            let variable = format!("{KAFKA}{name}");
            let text = Some(value.to_owned());
            match name {
                "BOOTSTRAP_SERVERS" | "TOPIC_NAME" => {}
                "BUFFER_MAX_KB" => self.number(&[&variable], &mut settings.buffer_kb)?,
                "MESSAGE_BYTE_SIZE_LIMIT" => {
                    self.number(&[&variable], &mut settings.message_bytes)?
                }
                "REQUEST_TIMEOUT_MS" => {
                    self.number(&[&variable], &mut settings.request_timeout_ms)?
                }
                "DELIVERY_TIMEOUT_MS" => {
                    self.number(&[&variable], &mut settings.delivery_timeout_ms)?
                }
                "SOCKET_TIMEOUT_MS" => {
                    self.number(&[&variable], &mut settings.socket_timeout_ms)?
                }
                "METADATA_MAX_AGE_MS" => {
                    self.number(&[&variable], &mut settings.metadata_max_age_ms)?
                }
                "LINGER_MS" => self.number(&[&variable], &mut settings.linger_ms)?,
                "SOCKET_KEEPALIVE" => settings.socket_keepalive = boolean(variable, value)?,
                "SECURITY_PROTOCOL" => settings.security_protocol = protocol(variable, value)?,
                "SSL_CA_LOCATION" => settings.tls.ca_location = text,
                "SSL_KEY_LOCATION" => settings.tls.key_location = text,
                "SSL_KEY_PASSWORD" => settings.tls.key_password = text.map(Secret),
                "SASL_MECHANISM" => sasl[0] = Some(value),
                "SASL_USERNAME" => sasl[1] = Some(value),
                "SASL_PASSWORD" => sasl[2] = Some(value),
                "SASL_OAUTHBEARER_CONFIG" => return Err(SettingsError::Unsupported { variable }),
                name if NO_EFFECT.contains(&name) => {}
                _ => return Err(SettingsError::Unknown { variable }),
            }
        }
        settings.sasl = log_in(sasl)?;
        Ok(settings)
    }
}

/// All three parts of a log-in, or none.
fn log_in(parts: [Option<&str>; 3]) -> Result<Option<SaslSettings>, SettingsError> {
    const NAMES: [&str; 3] =
        ["MLOPS_KAFKA_SASL_MECHANISM", "MLOPS_KAFKA_SASL_USERNAME", "MLOPS_KAFKA_SASL_PASSWORD"];
    if let [Some(mechanism), Some(username), Some(password)] = parts {
        return Ok(Some(SaslSettings {
            mechanism: mechanism.to_owned(),
            username: username.to_owned(),
            password: Secret::new(password),
        }));
    }
    let missing = NAMES.into_iter().zip(parts).find(|(_, part)| part.is_none());
    match missing {
        Some((variable, _)) if parts.iter().any(Option::is_some) => {
            Err(SettingsError::Missing { variable })
        }
        _none_given => Ok(None),
    }
}

fn boolean(variable: String, value: &str) -> Result<bool, SettingsError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(SettingsError::Value { variable, must_be: "true or false" }),
    }
}

fn protocol(variable: String, value: &str) -> Result<SecurityProtocol, SettingsError> {
    match value.to_ascii_uppercase().as_str() {
        "PLAINTEXT" => Ok(SecurityProtocol::Plaintext),
        "SSL" => Ok(SecurityProtocol::Ssl),
        "SASL_PLAINTEXT" => Ok(SecurityProtocol::SaslPlaintext),
        "SASL_SSL" => Ok(SecurityProtocol::SaslSsl),
        _ => {
            let must_be = "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL";
            Err(SettingsError::Value { variable, must_be })
        }
    }
}

#[cfg(test)]
mod tests;
