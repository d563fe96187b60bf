//! The library's names for the direct channel, which it calls the API spooler.

use super::DirectSettings;
use crate::channel::Secret;
use crate::channel::settings::{ROWS, SettingsError, Variables, boolean};

const ENDPOINT: [&str; 2] = ["DATAROBOT_ENDPOINT", "MLOPS_SERVICE_URL"];
const TOKEN: [&str; 2] = ["DATAROBOT_API_TOKEN", "MLOPS_API_TOKEN"];
const MESSAGE_SIZE: &str = "MLOPS_API_MAX_MESSAGE_SIZE";
const TIMEOUT: &str = "MLOPS_API_POST_TIMEOUT_SECONDS";
const VERIFY: &str = "MLOPS_AGENT_VERIFY_SSL";

/// All names that are read or known; of each pair the second is the old one. The last two say when the library gives
/// up; we do not.
pub(in crate::channel) const VARIABLES: &[&str] = &[
    ENDPOINT[0],
    ENDPOINT[1],
    TOKEN[0],
    TOKEN[1],
    MESSAGE_SIZE,
    TIMEOUT,
    VERIFY,
    "MLOPS_HTTP_RETRY",
    "MLOPS_HTTP_RETRY_WAIT_SECONDS",
];

/// The prefix of names that can only be ours.
const PREFIX: &str = "MLOPS_API_";

pub(in crate::channel) fn read(variables: &Variables<'_>) -> Result<DirectSettings, SettingsError> {
    for (name, _) in variables.of(PREFIX) {
        let variable = format!("{PREFIX}{name}");
        if !VARIABLES.contains(&&*variable) {
            return Err(SettingsError::Unknown { variable });
        }
    }
    if let Some((variable, value)) = variables.first(&[VERIFY])
        && !boolean(variable, value)?
    {
        return Err(SettingsError::Unsupported { variable: variable.to_owned() });
    }
    let token = Secret::new(variables.required(&TOKEN)?);
    let mut settings = DirectSettings::new(variables.required(&ENDPOINT)?, token);
    variables.number(&[MESSAGE_SIZE], &mut settings.message_bytes)?;
    let mut seconds = settings.timeout_ms / 1000;
    variables.number(&[TIMEOUT], &mut seconds)?;
    settings.timeout_ms = seconds.saturating_mul(1000);
    variables.number(&[ROWS], &mut settings.rows_per_message)?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::ChannelSettings;

    fn read_all(pairs: &[(&str, &str)]) -> Result<DirectSettings, SettingsError> {
        let mut variables =
            std::collections::BTreeMap::from([("MLOPS_SPOOLER_TYPE".to_owned(), "API".to_owned())]);
        variables
            .extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        match ChannelSettings::from_env_map(&variables)? {
            Some(ChannelSettings::Direct(settings)) => Ok(settings),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_librarys_names_old_and_new_are_read() {
        let expected = DirectSettings {
            message_bytes: 5000,
            timeout_ms: 7000,
            rows_per_message: 50,
            ..DirectSettings::new("https://a/api/v2", Secret::new("t"))
        };
        let rest = [
            ("MLOPS_API_MAX_MESSAGE_SIZE", "5000"),
            ("MLOPS_API_POST_TIMEOUT_SECONDS", "7"),
            ("MLOPS_FEATURE_DATA_ROWS_IN_ONE_MESSAGE", "50"),
            ("MLOPS_AGENT_VERIFY_SSL", "true"),
            ("MLOPS_HTTP_RETRY", "3"),
        ];
        for (endpoint, token) in [(ENDPOINT[0], TOKEN[0]), (ENDPOINT[1], TOKEN[1])] {
            let mut pairs = vec![(endpoint, "https://a/api/v2"), (token, "t")];
            pairs.extend(rest);
            assert_eq!(read_all(&pairs), Ok(expected.clone()));
        }
    }

    #[test]
    fn wrong_names_and_values_are_named() {
        let base = [(ENDPOINT[0], "https://a"), (TOKEN[0], "canary")];
        let with = |name, value| read_all(&[base[0], base[1], (name, value)]).unwrap_err();
        for (error, name) in [
            (read_all(&base[1..]).unwrap_err(), ENDPOINT[0]),
            (read_all(&base[..1]).unwrap_err(), TOKEN[0]),
            (with(VERIFY, "false"), VERIFY),
            (with(VERIFY, "perhaps"), VERIFY),
            (with(TIMEOUT, "-1"), TIMEOUT),
            (with("MLOPS_API_MAX_SIZE", "1"), "MLOPS_API_MAX_SIZE"),
        ] {
            assert!(error.to_string().contains(name), "{error}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
}
