//! The public library's names for the RabbitMQ channel, and one of ours in the same manner: a file with the address.

use std::path::PathBuf;

use super::RabbitMqSettings;
use crate::channel::secret::Secret;
use crate::channel::settings::{ROWS, SettingsError, Variables};
use crate::rabbitmq::TlsVersion;

const PREFIX: &str = "MLOPS_RABBITMQ_";
/// The address, and the name that older releases of the library have for it.
const URL: [&str; 2] = ["MLOPS_RABBITMQ_QUEUE_URL", "MLOPS_RABBITMQ_URL"];
const URL_FILE: &str = "MLOPS_RABBITMQ_QUEUE_URL_FILE";

/// All names that are read or known.
pub(in crate::channel) const VARIABLES: &[&str] = &[
    URL[0],
    URL[1],
    URL_FILE,
    "MLOPS_RABBITMQ_QUEUE_NAME",
    "MLOPS_RABBITMQ_SSL_CA_CERTIFICATE_PATH",
    "MLOPS_RABBITMQ_SSL_CERTIFICATE_PATH",
    "MLOPS_RABBITMQ_SSL_KEYFILE_PATH",
    "MLOPS_RABBITMQ_SSL_TLS_VERSION",
];

pub(in crate::channel) fn read(
    variables: &Variables<'_>,
) -> Result<RabbitMqSettings, SettingsError> {
    let mut settings = RabbitMqSettings {
        queue: variables.required(&["MLOPS_RABBITMQ_QUEUE_NAME"])?,
        url_file: variables.first(&[URL_FILE]).map(|(_, file)| PathBuf::from(file)),
        ..RabbitMqSettings::default()
    };
    if settings.url_file.is_none() || variables.first(&URL).is_some() {
        settings.url = Some(Secret::new(variables.required(&URL)?));
    }
    variables.number(&[ROWS], &mut settings.rows_per_message)?;
    for (name, value) in variables.of(PREFIX) {
        let variable = || format!("{PREFIX}{name}");
        let text = Some(value.to_owned());
        match name {
            "QUEUE_URL" | "URL" | "QUEUE_URL_FILE" | "QUEUE_NAME" => {}
            "SSL_CA_CERTIFICATE_PATH" => settings.tls.ca_location = text,
            "SSL_CERTIFICATE_PATH" => settings.tls.certificate_location = text,
            "SSL_KEYFILE_PATH" => settings.tls.key_location = text,
            "SSL_TLS_VERSION" => {
                let must_be = "TLSv1.2 or TLSv1.3";
                let version = TlsVersion::parse(value);
                settings.tls.version = version
                    .ok_or_else(|| SettingsError::Value { variable: variable(), must_be })?;
            }
            _ => return Err(SettingsError::Unknown { variable: variable() }),
        }
    }
    Ok(settings)
}
