//! One layer over another: file over defaults, environment over file, flags over all.

use super::{DEFAULTS, Raw};
use crate::cli::Serve;
use crate::error::CliError;
use serde::Deserialize;
use spool::{ChannelSettings, NamedChannel};
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
    let mut over = toml::from_str::<Table>(&text).map_err(|error| {
        // The error's own text shows the line, which may hold a secret.
        let line = error
            .span()
            .map_or(0, |span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
        bad(format!("line {}: {}", line + 1, error.message()).into())
    })?;
    // The spooler's keys depend on its type, so the file's table stands for itself.
    if let Some(spooler) = over.remove("spooler") {
        table.insert("spooler".into(), spooler);
    }
    merge(&mut table, over);
    Raw::deserialize(table).map_err(|error| bad(error.into()))
}

pub(super) fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// A flag's value, with the name that the library has for it, its key in a table, and the kind of spooler it is for.
type Detail = (Option<String>, &'static str, &'static str, &'static str);

/// What the flags say about one kind of spooler.
fn details(args: &Serve) -> [Detail; 5] {
    let spool_dir = args.spool_dir.as_ref().map(|dir| dir.display().to_string());
    [
        (args.kafka_brokers.clone(), "MLOPS_KAFKA_BOOTSTRAP_SERVERS", "bootstrap_servers", "kafka"),
        (args.kafka_topic.clone(), "MLOPS_KAFKA_TOPIC_NAME", "topic", "kafka"),
        (args.rabbitmq_url.clone(), "MLOPS_RABBITMQ_QUEUE_URL", "url", "rabbitmq"),
        (args.rabbitmq_queue.clone(), "MLOPS_RABBITMQ_QUEUE_NAME", "queue", "rabbitmq"),
        (spool_dir, "MLOPS_FILESYSTEM_DIRECTORY", "directory", "filesystem"),
    ]
}

/// The channels that flags and environment name, or else those of the file.
///
/// Spoolers that they name replace the file's whole: half of one broker's settings and half of another's is
/// nothing that anybody means.
pub(super) fn channels(
    args: &Serve,
    environment: &BTreeMap<String, String>,
    spooler: &Value,
) -> Result<Vec<NamedChannel>, CliError> {
    let named = environment.get(SPOOLER_TYPE).is_some_and(|kind| !kind.trim().is_empty())
        || environment.contains_key("MLOPS_OUTPUT_TYPE");
    let channels = if !args.spooler.is_empty() || !args.channel.is_empty() {
        of_flags(args, environment)?
    } else if named {
        of_names(&details(args), environment)?.into_iter().collect()
    } else {
        of_tables(args, spooler)?
    };
    NamedChannel::check_all(&channels).map_err(|error| wrong(&error))?;
    Ok(channels)
}

/// The channels of `--spooler` and `--channel`.
fn of_flags(
    args: &Serve,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<NamedChannel>, CliError> {
    let details = details(args);
    let asked = |kind: &str| args.spooler.iter().any(|asked| asked.eq_ignore_ascii_case(kind));
    if let Some((.., kind)) = details.iter().find(|(flag, .., kind)| flag.is_some() && !asked(kind))
    {
        return Err(needs_spooler(kind));
    }
    if asked("none") && args.spooler.len() + args.channel.len() > 1 {
        return Err(CliError::Usage("--spooler none cannot stand beside another one".into()));
    }
    let mut channels = Vec::new();
    for kind in &args.spooler {
        let mut environment = environment.clone();
        environment.insert(SPOOLER_TYPE.into(), kind.clone());
        channels.extend(of_names(&details, &environment)?);
    }
    for text in &args.channel {
        channels.extend(NamedChannel::from_config_string(text, environment).map_err(settings)?);
    }
    Ok(channels)
}

/// The channel of the library's names, with what the flags say over them.
fn of_names(
    details: &[Detail],
    environment: &BTreeMap<String, String>,
) -> Result<Option<NamedChannel>, CliError> {
    let mut variables = environment.clone();
    let given = details.iter().filter_map(|(flag, name, ..)| Some((*name, flag.clone()?)));
    variables.extend(given.map(|(name, value)| (name.to_owned(), value)));
    let settings = ChannelSettings::from_env_map(&variables).map_err(self::settings)?;
    Ok(settings.map(NamedChannel::from))
}

/// The channels of the file, with what the flags say over them.
fn of_tables(args: &Serve, spooler: &Value) -> Result<Vec<NamedChannel>, CliError> {
    let tables: Option<Vec<Table>> = match spooler {
        Value::Table(table) => Some(vec![table.clone()]),
        Value::Array(tables) => tables.iter().map(|table| table.as_table().cloned()).collect(),
        _ => None,
    };
    let mut tables = tables.ok_or_else(|| {
        CliError::Usage("`spooler` must be a table [spooler], or several [[spooler]]".into())
    })?;
    for (flag, _, key, of) in details(args) {
        let Some(value) = flag else { continue };
        let mut meant = tables.iter_mut().filter(|table| kind(table) == of);
        match (meant.next(), meant.next()) {
            (Some(table), None) => drop(table.insert(key.into(), Value::String(value))),
            (None, _) => return Err(needs_spooler(of)),
            (Some(_), Some(_)) => {
                return Err(CliError::Usage(format!(
                    "the file has several {of} spoolers, and a flag cannot say which it means"
                )));
            }
        }
    }
    let channels = tables.into_iter().map(of_table);
    channels.filter_map(Result::transpose).collect()
}

fn of_table(mut table: Table) -> Result<Option<NamedChannel>, CliError> {
    if kind(&table) == "none" {
        return match table.keys().find(|key| *key != "type") {
            Some(key) => {
                Err(CliError::Usage(format!("spooler.{key} needs a spooler.type that is not none")))
            }
            None => Ok(None),
        };
    }
    let name = table.remove("name").map(String::deserialize).transpose();
    let name = name.map_err(|error| wrong(&format!("name: {}", error.to_string().trim_end())))?;
    let settings = ChannelSettings::deserialize(table).map_err(|error| wrong(&error))?;
    NamedChannel::new(name, settings).map(Some).map_err(|error| wrong(&error))
}

/// The kind of spooler that a table is about.
fn kind(table: &Table) -> &str {
    table.get("type").and_then(Value::as_str).unwrap_or("none")
}

fn needs_spooler(kind: &str) -> CliError {
    CliError::Usage(format!("a flag for the {kind} spooler needs --spooler {kind}"))
}

fn wrong(error: &dyn std::fmt::Display) -> CliError {
    CliError::Usage(format!("the settings under [spooler] are wrong: {error}"))
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
    over(args.state.as_ref(), &mut raw.fleet.state);
    raw.admin.listen = args.admin.clone().or(raw.admin.listen.take());
    raw.fleet.models = args.models.clone().or(raw.fleet.models.take());
    raw.deployment.model = args.model.clone().or(raw.deployment.model.take());
    raw.deployment.id = args.deployment_id.clone().or(raw.deployment.id.take());
}

fn settings(source: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Settings(source.into())
}
