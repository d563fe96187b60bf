//! The settings of the direct channel.

use std::path::PathBuf;
use std::time::Duration;

use super::batch::Caps;
use crate::channel::{ChannelError, Secret};
use crate::rest;

/// Most rows of an entry by default, as the library's agent sends them.
const ROWS_PER_MESSAGE: usize = 100;
/// Most bytes of a call by default, as the library has it.
const MESSAGE_BYTES: usize = 1 << 20;
/// The fewest bytes of a call that can be asked for.
const MIN_MESSAGE_BYTES: usize = 4096;
/// Most rows of a call by default: what the server takes.
const ROWS_PER_CALL: usize = 10_000;
/// Most entries with rows in a call by default.
const GROUPS_PER_CALL: usize = 100;
/// Most entries about requests in a call by default.
const STATS_PER_CALL: usize = 500;
/// How long a call may take by default.
const TIMEOUT_MS: u64 = 30_000;
/// How long a connection may take to come about by default.
const CONNECT_TIMEOUT_MS: u64 = 10_000;
/// Wait before a failed call is made again, by default; it doubles each time.
const RETRY_MS: u64 = 1000;
/// Longest wait between failed calls by default.
const RETRY_MAX_MS: u64 = 60_000;
/// Longest wait that a server may ask for, by default.
const RETRY_AFTER_MAX_MS: u64 = 600_000;
/// Wait before a fault is looked at again that only an operator can mend, by default.
const RETRY_OPERATOR_MS: u64 = 60_000;

/// How records reach the MLOps server.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DirectSettings {
    /// Where the server is: `https://host`, with a path if it has one. `/api/v2` is added when it is not there.
    pub endpoint: String,
    /// The token that the server knows us by.
    pub token: Option<Secret>,
    /// File with the token. It is read again after each failure, so that a token can be renewed.
    pub token_file: Option<PathBuf>,
    /// File with the certificates to trust; without it the system's. The server's certificate is always checked.
    pub ca_location: Option<PathBuf>,
    /// Most rows of an entry.
    pub rows_per_message: usize,
    /// Most bytes of a call; one that holds a single row may be larger.
    pub message_bytes: usize,
    /// Most rows of a call.
    pub rows_per_call: usize,
    /// Most entries with rows in a call.
    pub groups_per_call: usize,
    /// Most entries about requests in a call.
    pub stats_per_call: usize,
    /// How long a call may take.
    pub timeout_ms: u64,
    /// How long a connection may take to come about.
    pub connect_timeout_ms: u64,
    /// Wait before a failed call is made again; it doubles each time.
    pub retry_ms: u64,
    /// Longest wait between failed calls.
    pub retry_max_ms: u64,
    /// Longest wait that a server may ask for.
    pub retry_after_max_ms: u64,
    /// Wait before a fault is looked at again that only an operator can mend.
    pub retry_operator_ms: u64,
}

impl Default for DirectSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            token: None,
            token_file: None,
            ca_location: None,
            rows_per_message: ROWS_PER_MESSAGE,
            message_bytes: MESSAGE_BYTES,
            rows_per_call: ROWS_PER_CALL,
            groups_per_call: GROUPS_PER_CALL,
            stats_per_call: STATS_PER_CALL,
            timeout_ms: TIMEOUT_MS,
            connect_timeout_ms: CONNECT_TIMEOUT_MS,
            retry_ms: RETRY_MS,
            retry_max_ms: RETRY_MAX_MS,
            retry_after_max_ms: RETRY_AFTER_MAX_MS,
            retry_operator_ms: RETRY_OPERATOR_MS,
        }
    }
}

impl DirectSettings {
    /// The defaults, for a server and a token.
    pub fn new(endpoint: impl Into<String>, token: Secret) -> Self {
        Self { endpoint: endpoint.into(), token: Some(token), ..Self::default() }
    }

    pub(in crate::channel) fn check(&self) -> Result<(), ChannelError> {
        let rules = [
            ("endpoint", rest::ENDPOINT, rest::is_endpoint(&self.endpoint)),
            (
                "token",
                "given either as token or as token_file",
                self.token.is_some() != self.token_file.is_some(),
            ),
            ("rows_per_message", "at least 1", self.rows_per_message >= 1),
            ("message_bytes", "at least 4096", self.message_bytes >= MIN_MESSAGE_BYTES),
            (
                "rows_per_call",
                "at least rows_per_message",
                self.rows_per_call >= self.rows_per_message,
            ),
            ("groups_per_call", "at least 1", self.groups_per_call >= 1),
            ("stats_per_call", "at least 1", self.stats_per_call >= 1),
            ("timeout_ms", "at least 1", self.timeout_ms >= 1),
            ("connect_timeout_ms", "at least 1", self.connect_timeout_ms >= 1),
            ("retry_max_ms", "at least retry_ms", self.retry_max_ms >= self.retry_ms),
        ];
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((setting, must_be, _)) => Err(ChannelError::Setting { setting, must_be }),
            None => Ok(()),
        }
    }

    pub(super) fn caps(&self) -> Caps {
        Caps {
            bytes: self.message_bytes,
            rows: self.rows_per_call,
            groups: self.groups_per_call,
            stats: self.stats_per_call,
        }
    }

    pub(super) fn retry_after_max(&self) -> Duration {
        Duration::from_millis(self.retry_after_max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes one setting wrong.
    type Change = fn(&mut DirectSettings);

    fn settings(endpoint: &str) -> DirectSettings {
        DirectSettings::new(endpoint, Secret::new("canary"))
    }

    #[test]
    fn the_endpoint_may_have_the_version_and_slashes() {
        for (endpoint, base) in [
            ("https://a", "https://a"),
            ("https://a/", "https://a"),
            ("https://a/api/v2", "https://a"),
            (" https://a/api/v2/ ", "https://a"),
            ("http://127.0.0.1:8080/dr/api/v2//", "http://127.0.0.1:8080/dr"),
        ] {
            let settings = settings(endpoint);
            assert_eq!(rest::base(&settings.endpoint), base);
            settings.check().unwrap();
        }
        for endpoint in ["", "a", "ftp://a", "https://", "https://u:p@a", "https://a?b", "/api/v2"]
        {
            assert!(settings(endpoint).check().is_err(), "{endpoint}");
        }
    }

    #[test]
    fn a_bare_connection_is_private_only_on_this_machine() {
        for (endpoint, private) in [
            ("https://a", true),
            ("http://localhost:1", true),
            ("http://127.0.0.7", true),
            ("http://[::1]:80", true),
            ("http://a", false),
            ("http://10.0.0.1", false),
            ("http://localhost.a", false),
        ] {
            assert_eq!(rest::is_private(endpoint), private, "{endpoint}");
        }
    }

    #[test]
    fn wrong_settings_are_named_without_secrets() {
        let wrong: [(&str, Change); 10] = [
            ("endpoint", |s| s.endpoint.clear()),
            ("token", |s| s.token = None),
            ("token", |s| s.token_file = Some("/t".into())),
            ("rows_per_message", |s| s.rows_per_message = 0),
            ("message_bytes", |s| s.message_bytes = 4095),
            ("rows_per_call", |s| s.rows_per_call = s.rows_per_message - 1),
            ("groups_per_call", |s| s.groups_per_call = 0),
            ("stats_per_call", |s| s.stats_per_call = 0),
            ("timeout_ms", |s| s.timeout_ms = 0),
            ("retry_max_ms", |s| s.retry_max_ms = s.retry_ms - 1),
        ];
        for (name, change) in wrong {
            let mut settings = settings("https://a");
            change(&mut settings);
            let Err(ChannelError::Setting { setting, .. }) = settings.check() else {
                panic!("{name}")
            };
            assert_eq!(setting, name);
        }
        assert!(!format!("{:?}", settings("https://a")).contains("canary"));
    }
}
