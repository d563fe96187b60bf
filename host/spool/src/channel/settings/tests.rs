//! The library's names, and tables of a configuration file.

use std::collections::BTreeMap;

use super::*;
use crate::channel::{MessageKey, SaslMechanism, Secret, SecurityProtocol};

fn read(variables: &[(&str, &str)]) -> Result<Option<ChannelSettings>, SettingsError> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    ChannelSettings::from_env_map(&variables.iter().map(owned).collect::<BTreeMap<_, _>>())
}

fn kafka(more: &[(&str, &str)]) -> Result<KafkaSettings, SettingsError> {
    let base = [
        ("MLOPS_SPOOLER_TYPE", "KAFKA"),
        ("MLOPS_KAFKA_BOOTSTRAP_SERVERS", "b:9092"),
        ("MLOPS_KAFKA_TOPIC_NAME", "mlops"),
    ];
    match read(&[&base[..], more].concat())? {
        Some(ChannelSettings::Kafka(settings)) => Ok(settings),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_spooler_is_none() {
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[("MLOPS_SPOOLER_TYPE", "none"), ("MLOPS_DEPLOYMENT_ID", "d")]), Ok(None));
}

#[test]
fn kafka_is_read_with_defaults_and_with_everything() {
    assert_eq!(kafka(&[]), Ok(KafkaSettings::new("b:9092", "mlops")));
    let settings = kafka(&[
        ("MLOPS_FEATURE_DATA_ROWS_IN_ONE_MESSAGE", "200"),
        ("MLOPS_KAFKA_MESSAGE_BYTE_SIZE_LIMIT", "2000000"),
        ("MLOPS_KAFKA_DELIVERY_TIMEOUT_MS", "5000"),
        ("MLOPS_KAFKA_SOCKET_KEEPALIVE", "No"),
        ("MLOPS_KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("MLOPS_KAFKA_SSL_CA_LOCATION", "/ca.pem"),
        ("MLOPS_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        ("MLOPS_KAFKA_SASL_USERNAME", "u"),
        ("MLOPS_KAFKA_SASL_PASSWORD", "canary"),
        ("MLOPS_KAFKA_MESSAGE_KEY", "Store"),
        ("MLOPS_KAFKA_CONSUMER_GROUP_ID", "tracking-agent"),
        ("MLOPS_KAFKA_LINGER_MS", ""),
    ])
    .unwrap();
    assert_eq!(settings.rows_per_message, 200);
    assert_eq!((settings.message_bytes, settings.delivery_timeout_ms), (2_000_000, 5000));
    assert!(!settings.socket_keepalive);
    assert_eq!(settings.key, MessageKey::Store);
    assert_eq!(settings.security_protocol, SecurityProtocol::SaslSsl);
    assert_eq!(settings.tls.ca_location.as_deref(), Some("/ca.pem"));
    let sasl = settings.sasl.as_ref().unwrap();
    assert_eq!(sasl.mechanism, SaslMechanism::ScramSha512);
    assert_eq!(sasl.password.as_ref().map(Secret::reveal), Some("canary"));
    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn files_are_read_by_new_and_old_names() {
    let new = [
        ("MLOPS_SPOOLER_TYPE", "FILESYSTEM"),
        ("MLOPS_FILESYSTEM_DIRECTORY", "/s"),
        ("MLOPS_FILESYSTEM_MAX_FILE_SIZE", "1000"),
        ("MLOPS_FILESYSTEM_MAX_NUM_FILES", "3"),
    ];
    let old = [
        ("MLOPS_OUTPUT_TYPE", "OUTPUT_DIR"),
        ("MLOPS_SPOOLER_DIR_PATH", "/s"),
        ("MLOPS_SPOOLER_FILE_MAX_SIZE", "1000"),
        ("MLOPS_SPOOLER_MAX_FILES", "3"),
    ];
    let expected =
        FilesystemSettings { max_file_bytes: 1000, max_files: 3, ..FilesystemSettings::new("/s") };
    assert_eq!(read(&new), Ok(Some(ChannelSettings::Filesystem(expected.clone()))));
    assert_eq!(read(&old), Ok(Some(ChannelSettings::Filesystem(expected))));
}

#[test]
fn every_error_names_its_variable() {
    let named = |error: SettingsError| error.to_string();
    let cases = [
        (read(&[("MLOPS_SPOOLER_TYPE", "PIGEON")]).map(drop), "MLOPS_SPOOLER_TYPE"),
        (
            read(&[("MLOPS_SPOOLER_TYPE", "FILESYSTEM")]).map(drop),
            "MLOPS_FILESYSTEM_DIRECTORY is missing",
        ),
        (
            read(&[("MLOPS_SPOOLER_TYPE", "KAFKA")]).map(drop),
            "MLOPS_KAFKA_BOOTSTRAP_SERVERS is missing",
        ),
        (kafka(&[("MLOPS_KAFKA_LINGER_MS", "-1")]).map(drop), "MLOPS_KAFKA_LINGER_MS"),
        (kafka(&[("MLOPS_KAFKA_TOPICNAME", "x")]).map(drop), "MLOPS_KAFKA_TOPICNAME"),
        (
            kafka(&[("MLOPS_KAFKA_SOCKET_KEEPALIVE", "maybe")]).map(drop),
            "MLOPS_KAFKA_SOCKET_KEEPALIVE",
        ),
        (
            kafka(&[("MLOPS_KAFKA_SECURITY_PROTOCOL", "TLS")]).map(drop),
            "MLOPS_KAFKA_SECURITY_PROTOCOL",
        ),
        (
            kafka(&[("MLOPS_KAFKA_SASL_OAUTHBEARER_CONFIG", "x")]).map(drop),
            "MLOPS_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE",
        ),
        (kafka(&[("MLOPS_KAFKA_SASL_MECHANISM", "PIGEON")]).map(drop), "SCRAM-SHA-256"),
        (
            kafka(&[("MLOPS_KAFKA_SASL_USERNAME", "u")]).map(drop),
            "MLOPS_KAFKA_SASL_MECHANISM is missing",
        ),
    ];
    for (result, name) in cases {
        let error = named(result.unwrap_err());
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn tables_refuse_unknown_keys() {
    let read = |text| serde_json::from_str::<ChannelSettings>(text);
    let settings = read(r#"{"type":"kafka","bootstrap_servers":"b:1","topic":"t"}"#).unwrap();
    assert_eq!(settings, ChannelSettings::Kafka(KafkaSettings::new("b:1", "t")));
    let settings = read(r#"{"type":"filesystem","directory":"/s"}"#).unwrap();
    assert_eq!(settings, ChannelSettings::Filesystem(FilesystemSettings::new("/s")));
    for wrong in [
        r#"{"type":"kafka","bootstrap_server":"b:1"}"#,
        r#"{"type":"filesystem","directory":"/s","max_size":1}"#,
        r#"{"type":"pigeon"}"#,
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_name_that_is_read_is_in_the_list_of_its_kind() {
    let kafka = [("MLOPS_KAFKA_BOOTSTRAP_SERVERS", "b:1"), ("MLOPS_KAFKA_TOPIC_NAME", "t")];
    for (kind, base) in KINDS.iter().zip([&kafka[..], &[("MLOPS_FILESYSTEM_DIRECTORY", "/s")]]) {
        for variable in kind.variables {
            let mut variables = vec![("MLOPS_SPOOLER_TYPE", kind.types[0]), (*variable, "7")];
            variables.extend(base);
            if let Err(SettingsError::Unknown { .. }) = read(&variables) {
                panic!("{variable} is listed and not read");
            }
        }
    }
}

#[test]
fn channels_have_names_that_differ() {
    let files = || ChannelSettings::Filesystem(FilesystemSettings::new("/s"));
    let named = |name: &str| NamedChannel::new(Some(name.to_owned()), files());
    assert_eq!(NamedChannel::from(files()).name(), "filesystem");
    assert_eq!(named(&"a".repeat(32)).unwrap().name().len(), 32);
    for wrong in [&*"a".repeat(33), "", "A", "a/b", "a.b", "\u{e4}"] {
        let error = named(wrong).unwrap_err();
        assert_eq!(error, SettingsError::Name { name: wrong.to_owned() });
    }
    let two = [named("a").unwrap(), named("b").unwrap()];
    assert!(NamedChannel::check_all(&two).is_ok());
    let twice = [named("a").unwrap(), named("b").unwrap(), named("a").unwrap()];
    match NamedChannel::check_all(&twice) {
        Err(ChannelError::SameName { name }) => assert_eq!(name, "a"),
        other => panic!("{other:?}"),
    }
}
