//! Channel settings: a table of a configuration file, the `MLOPS_*` names of the public library, or a channel
//! configuration string ([`config_string`]).
//!
//! Names are given as values; nothing here reads the environment. A name of one of our channels that we do not know
//! is an error, because a typo must not go unnoticed. Names that only say how the library *reads* are known and have
//! no effect. What the names of one kind mean lies in that kind's folder; [`KINDS`] is the list of them all.

mod config_string;
mod variables;

use std::collections::BTreeMap;

use super::ChannelError;
use super::direct::{self, DirectSettings};
use super::filesystem::{self, FilesystemSettings};
use super::kafka::{self, KafkaSettings};
use super::rabbitmq::{self, RabbitMqSettings};
use super::stdout::{self, StdoutSettings};
use crate::outbox::is_channel_name;

pub use self::variables::SettingsError;
pub(super) use self::variables::{NO_EFFECT, ROWS, Variables, boolean};

/// What kind of channel drains the outbox, and how.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChannelSettings {
    /// To a Kafka topic.
    Kafka(KafkaSettings),
    /// To spool files.
    Filesystem(FilesystemSettings),
    /// To standard output.
    Stdout(StdoutSettings),
    /// Straight to the MLOps server.
    Direct(DirectSettings),
    /// To a RabbitMQ queue.
    #[serde(rename = "rabbitmq")]
    RabbitMq(RabbitMqSettings),
}

/// Settings with the name that cursor, metrics and dead letters go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedChannel {
    name: String,
    /// What it does.
    pub settings: ChannelSettings,
}

/// One kind of channel, as the library's names speak of it.
struct Kind {
    /// Values of `MLOPS_SPOOLER_TYPE`; the first is today's.
    types: &'static [&'static str],
    /// All names that it reads or knows.
    variables: &'static [&'static str],
    read: fn(&Variables<'_>) -> Result<ChannelSettings, SettingsError>,
}

/// Every kind that the library's names can ask for.
const KINDS: [Kind; 5] = [
    Kind {
        types: &["KAFKA"],
        variables: kafka::VARIABLES,
        read: |variables| kafka::read(variables).map(ChannelSettings::Kafka),
    },
    Kind {
        types: &["RABBITMQ", "RABBIT_MQ"],
        variables: rabbitmq::VARIABLES,
        read: |variables| rabbitmq::read(variables).map(ChannelSettings::RabbitMq),
    },
    Kind {
        types: &["FILESYSTEM", "OUTPUT_DIR"],
        variables: filesystem::VARIABLES,
        read: |variables| filesystem::read(variables).map(ChannelSettings::Filesystem),
    },
    Kind {
        types: &["STDOUT"],
        variables: stdout::VARIABLES,
        read: |variables| stdout::read(variables).map(ChannelSettings::Stdout),
    },
    Kind {
        types: &["API", "DIRECT"],
        variables: direct::VARIABLES,
        read: |variables| direct::read(variables).map(ChannelSettings::Direct),
    },
];

/// The kind of spooler; the second is the old name.
const TYPE: [&str; 2] = ["MLOPS_SPOOLER_TYPE", "MLOPS_OUTPUT_TYPE"];
/// The spooler that is none.
const NONE: &str = "NONE";

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
        if kind.eq_ignore_ascii_case(NONE) {
            return Ok(None);
        }
        (self::kind(variable, kind)?.read)(&variables).map(Some)
    }

    /// Checks that the settings go together, before anything is opened. [`super::Channel::spawn`] checks them too.
    ///
    /// # Errors
    ///
    /// [`ChannelError::Setting`] with the first one that cannot be.
    pub fn check(&self) -> Result<(), ChannelError> {
        match self {
            Self::Kafka(settings) => settings.check(),
            Self::Filesystem(settings) => settings.check(),
            Self::Stdout(settings) => settings.check(),
            Self::Direct(settings) => settings.check(),
            Self::RabbitMq(settings) => settings.check(),
        }
    }

    /// The kind's name, as `type` in a configuration file has it; also the name of a channel that is given none.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Kafka(_) => "kafka",
            Self::Filesystem(_) => "filesystem",
            Self::Stdout(_) => "stdout",
            Self::Direct(_) => "direct",
            Self::RabbitMq(_) => "rabbitmq",
        }
    }
}

impl NamedChannel {
    /// Gives the settings a name; without one, that of their kind.
    ///
    /// # Errors
    ///
    /// When the name is not 1 to 32 of `a-z 0-9 -`: it becomes part of file names.
    pub fn new(name: Option<String>, settings: ChannelSettings) -> Result<Self, SettingsError> {
        let name = name.unwrap_or_else(|| settings.kind().to_owned());
        if is_channel_name(&name) {
            Ok(Self { name, settings })
        } else {
            Err(SettingsError::Name { name })
        }
    }

    /// Reads a channel configuration string, as in `spooler_type=filesystem;directory=/path`, over the library's names
    /// in `environment`. None for the spooler `NONE`.
    ///
    /// # Errors
    ///
    /// Names the key that is unknown or ambiguous, with what it could have been, or the value that cannot be.
    pub fn from_config_string(
        text: &str,
        environment: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, SettingsError> {
        config_string::read(text, environment)
    }

    /// The channel's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks that channels can drain one outbox together: each with settings that go together and a name of its own.
    ///
    /// # Errors
    ///
    /// With the first that cannot be.
    pub fn check_all(channels: &[Self]) -> Result<(), ChannelError> {
        for (place, channel) in channels.iter().enumerate() {
            channel.settings.check()?;
            if channels[..place].iter().any(|other| other.name == channel.name) {
                return Err(ChannelError::SameName { name: channel.name.clone() });
            }
        }
        Ok(())
    }
}

impl From<ChannelSettings> for NamedChannel {
    /// The channel gets the name of its kind.
    fn from(settings: ChannelSettings) -> Self {
        Self { name: settings.kind().to_owned(), settings }
    }
}

/// The kind that `MLOPS_SPOOLER_TYPE` or another variable asks for.
fn kind(variable: &str, asked: &str) -> Result<&'static Kind, SettingsError> {
    let asked_for = |kind: &&Kind| kind.types.iter().any(|name| name.eq_ignore_ascii_case(asked));
    KINDS.iter().find(asked_for).ok_or_else(|| SettingsError::Type {
        variable: variable.to_owned(),
        value: asked.to_owned(),
        known: KINDS.iter().flat_map(|kind| kind.types.first()).copied().collect(),
    })
}

#[cfg(test)]
mod tests;
