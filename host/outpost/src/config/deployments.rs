//! Deployments as files spell them: `[deployment]` for the one of the flags and as what the others leave out, and
//! `[[deployments]]`.

use super::layers::merge;
use super::{Engine, Named, choose};
use crate::error::{CliError, chain};
use gateway::privacy::{PrivacyAction, PrivacyRule, PrivacySettings};
use gateway::{DeploymentSettings, RecordClass, UnknownNames};
use serde::{Deserialize, Serialize};
use spool::channel::Secret;
use std::collections::BTreeSet;
use std::path::PathBuf;
use toml::Table;

/// Keys of `[engine]` that are about all packages together.
const SHARED: [&str; 6] = [
    "cache",
    "pool_slots",
    "stack_bytes_max",
    "compile_time_max",
    "compile_cpu_max",
    "compile_bytes_max",
];

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deployment {
    pub(super) model: Option<PathBuf>,
    pub(super) id: Option<String>,
    pub(super) model_id: Option<String>,
    pub(super) association_id_column: String,
    pub(super) unknown_fields: String,
    pub(super) record_class: String,
    association_ids: String,
    privacy_key_file: Option<PathBuf>,
    privacy: Vec<PrivateFeature>,
    /// Only under `[[deployments]]`.
    name: Option<String>,
    limits: Option<Table>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PrivateFeature {
    feature: String,
    action: String,
    width: Option<f64>,
    edges: Option<Vec<f64>>,
}

/// The deployments that are named: the one of `[deployment]`, then those of `[[deployments]]`.
pub(super) fn named(
    base: &Deployment,
    tables: &[Table],
    engine: &Engine,
) -> Result<Vec<Named>, CliError> {
    for (key, given) in [("name", base.name.is_some()), ("limits", base.limits.is_some())] {
        if given {
            return Err(CliError::Usage(format!(
                "deployment.{key} belongs under [[deployments]]; limits of all are under [engine]"
            )));
        }
    }
    let mut named = Vec::new();
    if base.model.is_some() {
        named.push(base.clone().named(engine)?);
    }
    let common = Deployment { model: None, id: None, model_id: None, ..base.clone() };
    let common = Table::try_from(common).map_err(|error| wrong(None, &error))?;
    for (place, over) in (1usize..).zip(tables) {
        let id = over.get("id").and_then(toml::Value::as_str).map(str::to_owned);
        let id = id.unwrap_or_else(|| format!("number {place}"));
        let mut table = common.clone();
        merge(&mut table, over.clone());
        let one = Deployment::deserialize(table).map_err(|error| wrong(Some(&id), &error))?;
        if one.id.is_none() || one.model.is_none() {
            return Err(wrong(Some(&id), &"it needs `id` and `model`"));
        }
        named.push(one.named(engine).map_err(|error| wrong(Some(&id), &chain(&error)))?);
    }
    let mut ids = BTreeSet::new();
    match named.iter().filter_map(|one| one.id.as_ref()).find(|id| !ids.insert((*id).clone())) {
        Some(id) => Err(wrong(Some(id), &"the id is there twice")),
        None => Ok(named),
    }
}

fn wrong(id: Option<&str>, error: &dyn std::fmt::Display) -> CliError {
    let id = id.map(|id| format!(" {id:?}")).unwrap_or_default();
    CliError::Usage(format!("deployment{id}: {}", error.to_string().trim_end()))
}

impl Deployment {
    fn named(mut self, engine: &Engine) -> Result<Named, CliError> {
        let settings = self.settings()?;
        let mut own = Table::try_from(engine).map_err(|error| wrong(None, &error))?;
        for (key, value) in self.limits.take().unwrap_or_default() {
            if SHARED.contains(&&*key) {
                return Err(CliError::Usage(format!(
                    "limits.{key} is about all packages together: it belongs under [engine]"
                )));
            }
            own.insert(key, value);
        }
        let own = Engine::deserialize(own)
            .map_err(|error| CliError::Usage(format!("limits: {}", error.message())))?;
        Ok(Named {
            id: self.id,
            name: self.name,
            model: self.model.unwrap_or_default(),
            model_id: self.model_id,
            settings,
            limits: own.limits()?,
        })
    }

    /// How it treats its requests. Reads the key.
    pub(super) fn settings(&self) -> Result<DeploymentSettings, CliError> {
        Ok(DeploymentSettings {
            unknown_names: choose(
                "deployment.unknown_fields",
                &self.unknown_fields,
                &[("refuse", UnknownNames::Refuse), ("ignore", UnknownNames::Ignore)],
            )?,
            privacy: self.privacy()?,
            association_id_column: self.association_id_column.clone(),
            record_class: choose(
                "deployment.record_class",
                &self.record_class,
                &[("observe", RecordClass::Observe), ("durable", RecordClass::Durable)],
            )?,
        })
    }

    /// What is kept out of the records. Reads the key.
    fn privacy(&self) -> Result<PrivacySettings, CliError> {
        let hash_association_ids = choose(
            "deployment.association_ids",
            &self.association_ids,
            &[("keep", false), ("hash", true)],
        )?;
        let rules = self.privacy.iter().map(PrivateFeature::rule).collect::<Result<_, _>>()?;
        let key = self.privacy_key_file.as_deref().map(Secret::read).transpose();
        let key = key.map_err(|error| {
            CliError::Usage(format!("deployment.privacy_key_file: {}", chain(&error)))
        })?;
        Ok(PrivacySettings { rules, hash_association_ids, key })
    }
}

impl PrivateFeature {
    fn rule(&self) -> Result<PrivacyRule, CliError> {
        let key = format!("deployment.privacy of {:?}: ", self.feature);
        let action = match (&*self.action, self.width, &self.edges) {
            ("bucket", Some(width), None) => PrivacyAction::Width(width),
            ("bucket", None, Some(edges)) => PrivacyAction::Edges(edges.clone()),
            ("bucket", ..) => {
                return Err(CliError::Usage(key + "a bucket has either a width or edges"));
            }
            (action, None, None) => choose(
                &(key + "action"),
                action,
                &[
                    ("drop", PrivacyAction::Drop),
                    ("hash", PrivacyAction::Hash),
                    // Taken above.
                    ("bucket", PrivacyAction::Drop),
                ],
            )?,
            _ => return Err(CliError::Usage(key + "only a bucket has a width or edges")),
        };
        Ok(PrivacyRule { feature: self.feature.clone(), action })
    }
}
