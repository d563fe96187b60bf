//! The library's names with their values, and what can be wrong with them.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Most rows of a message, for every kind of channel.
pub(in crate::channel) const ROWS: &str = "MLOPS_FEATURE_DATA_ROWS_IN_ONE_MESSAGE";

/// What the library's readers go by, and its way to give up at the end.
pub(in crate::channel) const NO_EFFECT: [&str; 8] = [
    "ACKNOWLEDGEMENT_DEADLINE",
    "ACK_DEADLINE",
    "AUTO_RELEASE_OFFSET",
    "CONSUMER_GROUP_ID",
    "CONSUMER_MAX_NUM_MESSAGES",
    "CONSUMER_POLL_TIMEOUT_MS",
    "MAX_FLUSH_MS",
    "SESSION_TIMEOUT_MS",
];

/// A variable, or a key of a channel configuration string, that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The kind of spooler is not one of ours.
    #[error("read {variable}: spooler type {value:?} is not known here, take {} or NONE", known.join(", "))]
    Type {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
        /// The types that there are.
        known: Vec<&'static str>,
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
    /// The channel's name cannot be part of a file name.
    #[error("name the channel {name:?}: a name must be 1 to 32 of a-z, 0-9 and -")]
    Name {
        /// The name.
        name: String,
    },
    /// A key of a channel configuration string is the end of no name.
    #[error("read the channel's settings: {key:?} is the end of no setting; there are {}", candidates.join(", "))]
    NoSuchKey {
        /// The key.
        key: String,
        /// The names that there are.
        candidates: Vec<&'static str>,
    },
    /// A key of a channel configuration string is the end of several names.
    #[error("read the channel's settings: {key:?} can be each of {}; write more of the name", candidates.join(", "))]
    Ambiguous {
        /// The key.
        key: String,
        /// The names that end with it.
        candidates: Vec<&'static str>,
    },
    /// A channel configuration string gives a setting twice.
    #[error("read the channel's settings: {key} is given twice")]
    Twice {
        /// The setting.
        key: String,
    },
    /// A part of a channel configuration string has no value.
    #[error("read the channel's settings: part {part} is not of the form key{separator}value")]
    NoValue {
        /// Which part, counted from 1. Its text may be a secret.
        part: usize,
        /// What stands between a key and its value.
        separator: String,
    },
}

/// Variables by name.
pub(in crate::channel) struct Variables<'a>(pub(super) &'a BTreeMap<String, String>);

impl<'a> Variables<'a> {
    /// The first of several names that is set to something.
    pub(in crate::channel) fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &'a str)> {
        names
            .iter()
            .find_map(|&name| Some((name, self.0.get(name)?.trim())).filter(|v| !v.1.is_empty()))
    }

    /// The value of the first of several names that is set, or an error that names the first.
    pub(in crate::channel) fn required(
        &self,
        names: &[&'static str],
    ) -> Result<String, SettingsError> {
        match self.first(names) {
            Some((_, value)) => Ok(value.to_owned()),
            None => Err(SettingsError::Missing { variable: names[0] }),
        }
    }

    /// Sets `to` when one of the names is set.
    pub(in crate::channel) fn number<T: FromStr>(
        &self,
        names: &[&str],
        to: &mut T,
    ) -> Result<(), SettingsError> {
        if let Some((variable, value)) = self.first(names) {
            *to = value.parse().map_err(|_| SettingsError::Value {
                variable: variable.to_owned(),
                must_be: "a whole number, not negative",
            })?;
        }
        Ok(())
    }

    /// The variables of a channel, without its prefix, that are set to something.
    pub(in crate::channel) fn of(
        &self,
        prefix: &'static str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| {
            Some((name.strip_prefix(prefix)?, value.trim())).filter(|(_, value)| !value.is_empty())
        })
    }
}

/// A value that is true or false.
pub(in crate::channel) fn boolean(variable: &str, value: &str) -> Result<bool, SettingsError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(SettingsError::Value { variable: variable.to_owned(), must_be: "true or false" }),
    }
}
