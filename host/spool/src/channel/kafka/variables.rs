//! The library's names for the Kafka channel, and a few of ours in the same manner: files with secrets, a client
//! certificate, the message's key.

use std::path::PathBuf;

use super::security::{SaslMechanism, SaslSettings, SecurityProtocol};
use super::settings::{KafkaSettings, MessageKey};
use crate::channel::secret::Secret;
use crate::channel::settings::{NO_EFFECT, ROWS, SettingsError, Variables, boolean};

const PREFIX: &str = "MLOPS_KAFKA_";

/// All names that are read or known.
pub(in crate::channel) const VARIABLES: &[&str] = &[
    "MLOPS_KAFKA_BOOTSTRAP_SERVERS",
    "MLOPS_KAFKA_TOPIC_NAME",
    "MLOPS_KAFKA_MESSAGE_KEY",
    "MLOPS_KAFKA_BUFFER_MAX_KB",
    "MLOPS_KAFKA_MESSAGE_BYTE_SIZE_LIMIT",
    "MLOPS_KAFKA_REQUEST_TIMEOUT_MS",
    "MLOPS_KAFKA_DELIVERY_TIMEOUT_MS",
    "MLOPS_KAFKA_SOCKET_TIMEOUT_MS",
    "MLOPS_KAFKA_METADATA_MAX_AGE_MS",
    "MLOPS_KAFKA_LINGER_MS",
    "MLOPS_KAFKA_SOCKET_KEEPALIVE",
    "MLOPS_KAFKA_SECURITY_PROTOCOL",
    "MLOPS_KAFKA_SSL_CA_LOCATION",
    "MLOPS_KAFKA_SSL_CERTIFICATE_LOCATION",
    "MLOPS_KAFKA_SSL_KEY_LOCATION",
    "MLOPS_KAFKA_SSL_KEY_PASSWORD",
    "MLOPS_KAFKA_SSL_KEY_PASSWORD_FILE",
    "MLOPS_KAFKA_SASL_MECHANISM",
    "MLOPS_KAFKA_SASL_USERNAME",
    "MLOPS_KAFKA_SASL_PASSWORD",
    "MLOPS_KAFKA_SASL_PASSWORD_FILE",
    "MLOPS_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE",
    "MLOPS_KAFKA_SASL_OAUTHBEARER_CONFIG",
    "MLOPS_KAFKA_MAX_FLUSH_MS",
    "MLOPS_KAFKA_CONSUMER_GROUP_ID",
    "MLOPS_KAFKA_CONSUMER_POLL_TIMEOUT_MS",
    "MLOPS_KAFKA_CONSUMER_MAX_NUM_MESSAGES",
    "MLOPS_KAFKA_AUTO_RELEASE_OFFSET",
    "MLOPS_KAFKA_ACK_DEADLINE",
    "MLOPS_KAFKA_SESSION_TIMEOUT_MS",
];

/// The parts of a log-in, as far as they are given.
#[derive(Default)]
struct LogIn {
    mechanism: Option<SaslMechanism>,
    username: Option<String>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
}

pub(in crate::channel) fn read(variables: &Variables<'_>) -> Result<KafkaSettings, SettingsError> {
    let mut settings = KafkaSettings::new(
        variables.required(&["MLOPS_KAFKA_BOOTSTRAP_SERVERS"])?,
        variables.required(&["MLOPS_KAFKA_TOPIC_NAME"])?,
    );
    variables.number(&[ROWS], &mut settings.rows_per_message)?;
    let mut log_in = LogIn::default();
    for (name, value) in variables.of(PREFIX) {
        let variable = &*format!("{PREFIX}{name}");
        let text = Some(value.to_owned());
        let file = Some(PathBuf::from(value));
        match name {
            "BOOTSTRAP_SERVERS" | "TOPIC_NAME" => {}
            "MESSAGE_KEY" => settings.key = word(variable, value, &MessageKey::ALL, KEYS)?,
            "BUFFER_MAX_KB" => variables.number(&[variable], &mut settings.buffer_kb)?,
            "MESSAGE_BYTE_SIZE_LIMIT" => {
                variables.number(&[variable], &mut settings.message_bytes)?;
            }
            "REQUEST_TIMEOUT_MS" => {
                variables.number(&[variable], &mut settings.request_timeout_ms)?;
            }
            "DELIVERY_TIMEOUT_MS" => {
                variables.number(&[variable], &mut settings.delivery_timeout_ms)?;
            }
            "SOCKET_TIMEOUT_MS" => {
                variables.number(&[variable], &mut settings.socket_timeout_ms)?
            }
            "METADATA_MAX_AGE_MS" => {
                variables.number(&[variable], &mut settings.metadata_max_age_ms)?;
            }
            "LINGER_MS" => variables.number(&[variable], &mut settings.linger_ms)?,
            "SOCKET_KEEPALIVE" => settings.socket_keepalive = boolean(variable, value)?,
            "SECURITY_PROTOCOL" => {
                settings.security_protocol =
                    word(variable, value, &SecurityProtocol::ALL, PROTOCOLS)?;
            }
            "SSL_CA_LOCATION" => settings.tls.ca_location = text,
            "SSL_CERTIFICATE_LOCATION" => settings.tls.certificate_location = text,
            "SSL_KEY_LOCATION" => settings.tls.key_location = text,
            "SSL_KEY_PASSWORD" => settings.tls.key_password = text.map(Secret::new),
            "SSL_KEY_PASSWORD_FILE" => settings.tls.key_password_file = file,
            "SASL_MECHANISM" => {
                log_in.mechanism = Some(word(variable, value, &SaslMechanism::ALL, MECHANISMS)?);
            }
            "SASL_USERNAME" => log_in.username = text,
            "SASL_PASSWORD" => log_in.password = text.map(Secret::new),
            "SASL_PASSWORD_FILE" => log_in.password_file = file,
            "SASL_OAUTHBEARER_TOKEN_FILE" => log_in.token_file = file,
            "SASL_OAUTHBEARER_CONFIG" => {
                let must_be = "replaced by MLOPS_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE, a token's file";
                return Err(SettingsError::Value { variable: variable.to_owned(), must_be });
            }
            name if NO_EFFECT.contains(&name) => {}
            _ => return Err(SettingsError::Unknown { variable: variable.to_owned() }),
        }
    }
    settings.sasl = log_in.settings()?;
    Ok(settings)
}

const KEYS: &str = "deployment, store or none";
const PROTOCOLS: &str = "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL";
const MECHANISMS: &str = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER";

/// One of several words, in any case.
fn word<T: Copy>(
    variable: &str,
    value: &str,
    words: &[(&str, T)],
    must_be: &'static str,
) -> Result<T, SettingsError> {
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(value));
    found
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| SettingsError::Value { variable: variable.to_owned(), must_be })
}

impl LogIn {
    /// The whole log-in, or none. What contradicts what is for [`KafkaSettings::check`] to say.
    fn settings(self) -> Result<Option<SaslSettings>, SettingsError> {
        let Self { mechanism, username, password, password_file, token_file } = self;
        let given = username.is_some()
            || password.is_some()
            || password_file.is_some()
            || token_file.is_some();
        match mechanism {
            Some(mechanism) => {
                Ok(Some(SaslSettings { mechanism, username, password, password_file, token_file }))
            }
            None if given => Err(SettingsError::Missing { variable: "MLOPS_KAFKA_SASL_MECHANISM" }),
            None => Ok(None),
        }
    }
}
