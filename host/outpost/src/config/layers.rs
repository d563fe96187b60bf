//! One layer over another: file over defaults, environment over file, flags over all.

use super::{DEFAULTS, Raw};
use crate::cli::Serve;
use crate::error::CliError;
use serde::Deserialize;
use spool::ChannelSettings;
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

/// The spooler of the library's environment names.
const SPOOLER_TYPE: &str = "MLOPS_SPOOLER_TYPE";

/// The settings of the file over those of `default.toml`.
pub(super) fn file_over_defaults(file: Option<(&Path, Vec<u8>)>) -> Result<Raw, CliError> {
    let mut table = toml::from_str::<Table>(DEFAULTS).map_err(settings)?;
    let Some((path, bytes)) = file else { return Raw::deserialize(table).map_err(settings) };
    let bad = |source: Box<dyn std::error::Error + Send + Sync>| {
        CliError::Usage(format!(
            "the settings in {} are wrong: {}",
            path.display(),
            source.to_string().trim_end()
        ))
    };
    let text = String::from_utf8(bytes).map_err(|error| bad(error.into()))?;
    let mut over = toml::from_str::<Table>(&text).map_err(|error| bad(error.into()))?;
    // The spooler's keys depend on its type, so the file's table stands for itself.
    if let Some(spooler) = over.remove("spooler") {
        table.insert("spooler".into(), spooler);
    }
    merge(&mut table, over);
    Raw::deserialize(table).map_err(|error| bad(error.into()))
}

fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// The channel that flags and environment name, or else that of the file.
///
/// A spooler that they name replaces the file's table whole: half of one broker's settings and half of another's is
/// nothing that anybody means.
pub(super) fn channel(
    args: &Serve,
    environment: &BTreeMap<String, String>,
    mut table: Table,
) -> Result<Option<ChannelSettings>, CliError> {
    let spool_dir = args.spool_dir.as_ref().map(|dir| dir.display().to_string());
    let flags = [
        (&args.kafka_brokers, "MLOPS_KAFKA_BOOTSTRAP_SERVERS", "bootstrap_servers", "kafka"),
        (&args.kafka_topic, "MLOPS_KAFKA_TOPIC_NAME", "topic", "kafka"),
        (&spool_dir, "MLOPS_FILESYSTEM_DIRECTORY", "directory", "filesystem"),
    ];
    let named = args.spooler.is_some()
        || environment.get(SPOOLER_TYPE).is_some_and(|kind| !kind.trim().is_empty())
        || environment.contains_key("MLOPS_OUTPUT_TYPE");
    if named {
        let mut variables = environment.clone();
        let given = args.spooler.iter().map(|kind| (SPOOLER_TYPE, kind.clone()));
        let details = flags.iter().filter_map(|(flag, name, ..)| Some((*name, (*flag).clone()?)));
        variables.extend(given.chain(details).map(|(name, value)| (name.to_owned(), value)));
        return ChannelSettings::from_env_map(&variables).map_err(settings);
    }
    let kind = table.get("type").and_then(Value::as_str).unwrap_or("none").to_owned();
    for (flag, _, key, of) in flags {
        let Some(value) = flag else { continue };
        if kind != of {
            return Err(CliError::Usage(format!(
                "a flag for the {of} spooler needs --spooler {of}"
            )));
        }
        table.insert(key.into(), Value::String(value.clone()));
    }
    if kind == "none" {
        return match table.keys().find(|key| *key != "type") {
            Some(key) => Err(CliError::Usage(format!(
                "spooler.{key} needs spooler.type to be kafka or filesystem"
            ))),
            None => Ok(None),
        };
    }
    let wrong = |error: &dyn std::fmt::Display| {
        CliError::Usage(format!("the settings under [spooler] are wrong: {error}"))
    };
    let channel = ChannelSettings::deserialize(table).map_err(|error| wrong(&error))?;
    channel.check().map_err(|error| wrong(&error))?;
    Ok(Some(channel))
}

/// What the library's other names say.
pub(super) fn environment_over(raw: &mut Raw, environment: &BTreeMap<String, String>) {
    let value = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
    if let Some(id) = value("MLOPS_DEPLOYMENT_ID") {
        raw.deployment.id = Some(id);
    }
    if let Some(id) = value("MLOPS_MODEL_ID") {
        raw.deployment.model_id = Some(id);
    }
    if let Some(column) = value("MLOPS_ASSOCIATION_ID_COLUMN_NAME") {
        raw.deployment.association_id_column = column;
    }
}

pub(super) fn flags_over(raw: &mut Raw, args: &Serve) {
    fn over<T: Clone>(flag: Option<&T>, setting: &mut T) {
        if let Some(value) = flag {
            *setting = value.clone();
        }
    }
    over(args.log.as_ref(), &mut raw.log.filter);
    over(args.listen.as_ref(), &mut raw.http.listen);
    over(args.record_class.as_ref(), &mut raw.deployment.record_class);
    over(args.outbox.as_ref(), &mut raw.outbox.dir);
    raw.deployment.model = args.model.clone().or(raw.deployment.model.take());
    raw.deployment.id = args.deployment_id.clone().or(raw.deployment.id.take());
}

fn settings(source: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Settings(source.into())
}
