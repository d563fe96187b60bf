//! Channel configuration strings of the public library: `spooler_type=filesystem;directory=/path`.
//!
//! A key is, in any case, the end of one of the library's names, as much of it as makes it unambiguous: `directory`
//! is `MLOPS_FILESYSTEM_DIRECTORY`. Only the names of the string's own kind count. What stands between the parts, and
//! between a key and its value, can be changed by two variables. `name` is ours: the channel's name.
//!
//! The string wins over the environment, as a flag does; what it leaves out, the environment may say.

use std::collections::BTreeMap;

use super::variables::{ROWS, SettingsError};
use super::{ChannelSettings, NONE, NamedChannel, TYPE, kind};

const DELIMITER: (&str, &str) = ("MLOPS_SPOOLER_CONFIG_RECORD_DELIMITER", ";");
const SEPARATOR: (&str, &str) = ("MLOPS_SPOOLER_CONFIG_KEY_VALUE_SEPARATOR", "=");
/// Names that say something to every kind.
const GENERAL: [&str; 3] = [TYPE[0], TYPE[1], ROWS];
/// The key for the channel's name.
const NAME: &str = "NAME";

/// One part of the string.
struct Part<'t> {
    /// In upper case.
    key: String,
    value: &'t str,
}

pub(super) fn read(
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<Option<NamedChannel>, SettingsError> {
    let mut parts = split(text, environment)?;
    let name = take(&mut parts, |key| key == NAME)?.map(|part| part.value.to_owned());
    let is_type = |key: &str| TYPE.iter().any(|variable| is_end(key, variable));
    let Some(asked) = take(&mut parts, is_type)? else {
        return Err(SettingsError::Missing { variable: TYPE[0] });
    };
    if asked.value.eq_ignore_ascii_case(NONE) {
        return Ok(None);
    }
    let kind = kind("the channel's spooler_type", asked.value)?;
    let mut variables = environment.clone();
    variables.retain(|variable, _| !TYPE.contains(&variable.as_str()));
    variables.insert(TYPE[0].to_owned(), asked.value.to_owned());
    let mut given = Vec::new();
    for Part { key, value } in parts {
        let variable = find(&key, kind.variables)?;
        if given.contains(&variable) {
            return Err(SettingsError::Twice { key: variable.to_owned() });
        }
        given.push(variable);
        variables.insert(variable.to_owned(), value.to_owned());
    }
    let Some(settings) = ChannelSettings::from_env_map(&variables)? else { return Ok(None) };
    Ok(Some(NamedChannel::new(name, settings)?))
}

fn split<'t>(
    text: &'t str,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<Part<'t>>, SettingsError> {
    let mark = |(variable, default): (&str, &'static str)| match environment.get(variable) {
        Some(mark) if mark.is_empty() => Err(SettingsError::Value {
            variable: variable.to_owned(),
            must_be: "at least one character",
        }),
        Some(mark) => Ok(mark.clone()),
        None => Ok(default.to_owned()),
    };
    let (delimiter, separator) = (mark(DELIMITER)?, mark(SEPARATOR)?);
    if delimiter == separator {
        let variable = SEPARATOR.0.to_owned();
        return Err(SettingsError::Value { variable, must_be: "another than the delimiter" });
    }
    let parts = text.split(&delimiter).enumerate().filter(|(_, part)| !part.trim().is_empty());
    parts
        .map(|(place, part)| match part.split_once(&separator) {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Part { key: key.trim().to_ascii_uppercase(), value: value.trim() })
            }
            _ => Err(SettingsError::NoValue { part: place + 1, separator: separator.clone() }),
        })
        .collect()
}

/// Takes the one part whose key is meant.
fn take<'t>(
    parts: &mut Vec<Part<'t>>,
    is_meant: impl Fn(&str) -> bool,
) -> Result<Option<Part<'t>>, SettingsError> {
    let Some(place) = parts.iter().position(|part| is_meant(&part.key)) else { return Ok(None) };
    let part = parts.remove(place);
    match parts.iter().any(|part| is_meant(&part.key)) {
        true => Err(SettingsError::Twice { key: part.key.to_ascii_lowercase() }),
        false => Ok(Some(part)),
    }
}

/// Whether `key` is the end of a name, from the start of a word on.
fn is_end(key: &str, variable: &str) -> bool {
    variable.strip_suffix(key).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
}

/// The name that `key` is the end of.
fn find(key: &str, variables: &[&'static str]) -> Result<&'static str, SettingsError> {
    let all = || variables.iter().chain(&GENERAL[2..]).copied();
    if let Some(exact) = all().find(|variable| *variable == key) {
        return Ok(exact);
    }
    let candidates: Vec<&'static str> = all().filter(|variable| is_end(key, variable)).collect();
    let key = || key.to_ascii_lowercase();
    match candidates[..] {
        [one] => Ok(one),
        [] => Err(SettingsError::NoSuchKey { key: key(), candidates: all().collect() }),
        _ => Err(SettingsError::Ambiguous { key: key(), candidates }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{FilesystemSettings, KafkaSettings};

    fn read_with(text: &str, environment: &[(&str, &str)]) -> Result<NamedChannel, SettingsError> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(owned).collect();
        read(text, &environment).map(|channel| channel.expect("the spooler is not NONE"))
    }

    #[test]
    fn keys_are_ends_of_names() {
        let expected = ChannelSettings::Filesystem(FilesystemSettings::new("/a=b"));
        for text in [
            "spooler_type=filesystem;directory=/a=b",
            " SPOOLER_TYPE = Filesystem ; filesystem_directory = /a=b ; ",
            "mlops_spooler_type=FILESYSTEM;MLOPS_FILESYSTEM_DIRECTORY=/a=b",
            "output_type=output_dir;spooler_dir_path=/a=b",
        ] {
            let channel = read_with(text, &[]).unwrap();
            assert_eq!((channel.name(), &channel.settings), ("filesystem", &expected), "{text}");
        }
        let text = "spooler_type=kafka;name=to-hall-2;bootstrap_servers=b:1;topic_name=t;rows_in_one_message=7";
        let channel = read_with(text, &[]).unwrap();
        assert_eq!(channel.name(), "to-hall-2");
        let expected = KafkaSettings { rows_per_message: 7, ..KafkaSettings::new("b:1", "t") };
        assert_eq!(channel.settings, ChannelSettings::Kafka(expected));
        assert_eq!(read("spooler_type=none", &BTreeMap::new()), Ok(None));
    }

    #[test]
    fn the_string_wins_over_the_environment_and_its_marks_can_be_changed() {
        let environment = [
            (DELIMITER.0, "|"),
            (SEPARATOR.0, "::"),
            ("MLOPS_SPOOLER_TYPE", "KAFKA"),
            ("MLOPS_FILESYSTEM_DIRECTORY", "/environment"),
            ("MLOPS_FILESYSTEM_MAX_NUM_FILES", "3"),
        ];
        let channel =
            read_with("spooler_type::filesystem|directory::/a;b=c", &environment).unwrap();
        let expected = FilesystemSettings { max_files: 3, ..FilesystemSettings::new("/a;b=c") };
        assert_eq!(channel.settings, ChannelSettings::Filesystem(expected));
    }

    #[test]
    fn what_is_wrong_is_named_with_the_candidates() {
        let kafka = "spooler_type=kafka;bootstrap_servers=b:1;topic_name=t;";
        let cases = [
            ("directory=/s", [""; 0].as_slice(), "MLOPS_SPOOLER_TYPE is missing"),
            ("spooler_type=pigeon", &[], "KAFKA"),
            ("spooler_type=filesystem;direktory=/s", &[], "MLOPS_FILESYSTEM_DIRECTORY"),
            ("spooler_type=filesystem;topic_name=t", &[], "\"topic_name\" is the end of no"),
            (
                &format!("{kafka}password=p"),
                &["MLOPS_KAFKA_SSL_KEY_PASSWORD", "MLOPS_KAFKA_SASL_PASSWORD"],
                "\"password\" can be each of",
            ),
            ("spooler_type=filesystem;directory=/a;directory=/b", &[], "given twice"),
            ("spooler_type=filesystem;type=kafka;directory=/b", &[], "given twice"),
            ("spooler_type=filesystem;canary", &[], "part 2"),
            ("spooler_type=filesystem;directory=/a;name=No", &[], "1 to 32"),
            (&format!("{kafka}linger_ms=x"), &[], "MLOPS_KAFKA_LINGER_MS"),
        ];
        for (text, more, says) in cases {
            let said = read_with(text, &[]).unwrap_err().to_string();
            assert!(more.iter().chain(&[says]).all(|word| said.contains(word)), "{text}: {said}");
            assert!(!said.contains("canary"), "{said}");
        }
        for (delimiter, separator) in [("", "="), ("=", "=")] {
            let environment = [(DELIMITER.0, delimiter), (SEPARATOR.0, separator)];
            let said = read_with("spooler_type=kafka", &environment).unwrap_err().to_string();
            assert!(said.contains("MLOPS_SPOOLER_CONFIG_"), "{said}");
        }
    }
}
