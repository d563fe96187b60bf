//! Rows of many records, summed up before they are sent (`aggregation` in the settings).
//!
//! A lane whose rows are summed up keeps records as they came until the server has taken the sum that they are in, so
//! that a sum can be made again without some of them, and nothing that is not acknowledged is only in a sum. A call of
//! such a lane has up to three steps ([`Stage`]): the sums, then the predictions with their association ids, which no sum
//! can be joined with outcomes by, and as they came what cannot be summed up.
//!
//! A sum is of one model, package, part, gateway, list of classes, list of columns and hour. Records that would lose
//! something in it stay as they are: those without an id (a repeat could not be told), without a time that can be
//! read, of a batch, of a time series, and those whose predictions are not all numbers.

mod columns;
mod histogram;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use record::wire::read::{Aggregates, PredictionStats};
use record::wire::rest::read::{Body, Column as ReadColumn, InputEntry, Predictions, body};
use record::wire::rest::{Origin, PredictionStat};
use record::wire::{Moment, Timestamp};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use self::columns::{Classes, Column};
use crate::config::Aggregation;
use crate::message::Item;

/// What stands behind a record's id where only its predictions are told: no repeat of the sum that it is in.
const OUTCOMES: &str = "#accuracy";
const HOUR_SECONDS: i64 = 3600;

/// How a call tells of its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// As they came.
    #[default]
    Plain,
    /// Summed up.
    Sums,
    /// Predictions and association ids of what is in sums already.
    Outcomes,
}

/// Records, summed up.
#[derive(Debug, Default)]
pub(crate) struct Summed {
    pub(crate) groups: Vec<Group>,
    /// The places of the records that cannot be summed up.
    pub(crate) plain: Vec<usize>,
}

/// The records of a sum: their places in the batch, and their ids.
pub(crate) type Members = Vec<(usize, String)>;

/// A sum, and what is in it.
#[derive(Debug)]
pub(crate) struct Group {
    /// Place and id of each record.
    pub(crate) members: Members,
    key: Key,
    time: Timestamp,
    columns: Vec<Column>,
    classes: Classes,
}

/// What all rows of a sum have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    model: Option<String>,
    digest: Option<String>,
    role: Option<String>,
    gateway: Option<String>,
    class_names: Vec<String>,
    columns: Vec<String>,
    width: usize,
    hour: i64,
}

/// What a sum has no place for.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unsummed {
    request_parameters: Option<IgnoredAny>,
    time_series_predictions_report: Option<IgnoredAny>,
}

impl Summed {
    /// Sums up records, always alike. A record that is there twice is left over once: the server is asked about it when it
    /// knows the first.
    pub(crate) fn of(items: &[Item], settings: &Aggregation) -> Self {
        let mut summed = Self::default();
        let mut places: BTreeMap<Key, usize> = BTreeMap::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        for (at, item) in items.iter().enumerate() {
            let text = [b"{\"data\":[", &*item.json, b"]}"].concat();
            let Some((entry, id, key, time)) = read(&item.json, &text) else {
                summed.plain.push(at);
                continue;
            };
            if !known.insert(id.clone()) {
                continue;
            }
            let place = *places.entry(key).or_insert_with_key(|key| {
                summed.groups.push(Group::new(key.clone(), time, settings));
                summed.groups.len() - 1
            });
            let group = &mut summed.groups[place];
            group.add(&entry);
            group.members.push((at, id));
        }
        summed
    }

    /// The call's body.
    pub(crate) fn body(self) -> (Vec<u8>, Vec<Members>) {
        let mut text = b"{\"data\":[".to_vec();
        let mut members = Vec::with_capacity(self.groups.len());
        for (place, group) in self.groups.into_iter().enumerate() {
            if place > 0 {
                text.push(b',');
            }
            text.extend(group.json());
            members.push(group.members);
        }
        text.extend_from_slice(b"]}");
        (text, members)
    }
}

/// An entry that can be summed up, its id, and where it belongs.
fn read<'t>(json: &[u8], text: &'t [u8]) -> Option<(InputEntry<'t>, String, Key, Timestamp)> {
    let unsummed: Unsummed = serde_json::from_slice(json).ok()?;
    if unsummed.request_parameters.is_some() || unsummed.time_series_predictions_report.is_some() {
        return None;
    }
    let body: Body<InputEntry<'t>> = body(text).ok()?;
    let entry = body.data.into_iter().next()?.ok()?;
    let id = entry.origin.record_id.as_deref().filter(|id| !id.is_empty())?.to_owned();
    let (seconds, time) = match entry.timestamp? {
        Moment::Instant(instant) => (instant.as_second(), instant.to_string()),
        // Our server takes it as UTC too.
        Moment::Local(local) => {
            (TimeZone::UTC.to_timestamp(local).ok()?.as_second(), local.to_string())
        }
        Moment::Unknown => return None,
    };
    let (width, values) = match &entry.predictions {
        None => (0, &[] as &[f64]),
        Some(Predictions::Numbers(values)) => (1, &**values),
        Some(Predictions::Probabilities { classes, values }) => (*classes, &**values),
        Some(Predictions::Texts(_)) => return None,
    };
    let class_names: Vec<String> = entry.class_names.iter().map(|name| name.to_string()).collect();
    // One number may be the probability of the second of two classes.
    let fits = class_names.is_empty()
        || class_names.len() == width
        || (width, class_names.len()) == (1, 2);
    if entry.rows() == 0
        || entry.batch_id.is_some()
        || !fits
        || !values.iter().all(|value| value.is_finite())
    {
        return None;
    }
    let names: Vec<String> = entry.features.iter().map(|column| column.name.to_string()).collect();
    let distinct: BTreeSet<&String> = names.iter().collect();
    if distinct.len() < names.len() {
        return None;
    }
    let own = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
    let key = Key {
        model: own(&entry.model_id),
        digest: own(&entry.origin.model_digest),
        role: own(&entry.origin.role),
        gateway: own(&entry.origin.gateway),
        class_names,
        columns: names,
        width,
        hour: seconds.div_euclid(HOUR_SECONDS),
    };
    Some((entry, id, key, Timestamp::new(time)))
}

impl Group {
    fn new(key: Key, time: Timestamp, settings: &Aggregation) -> Self {
        let columns = key.columns.iter().map(|_| Column::new(settings)).collect();
        let classes = Classes::new(key.width, &key.class_names, settings);
        Self { members: Vec::new(), key, time, columns, classes }
    }

    fn add(&mut self, entry: &InputEntry<'_>) {
        for (column, ReadColumn { values, .. }) in self.columns.iter_mut().zip(&entry.features) {
            column.add(values);
        }
        match &entry.predictions {
            Some(Predictions::Numbers(values) | Predictions::Probabilities { values, .. }) => {
                self.classes.add(values);
            }
            Some(Predictions::Texts(_)) | None => {}
        }
    }

    /// The entry of a call.
    fn json(&self) -> Vec<u8> {
        let Self { members, key, time, columns, classes } = self;
        let mut aggregates = Aggregates { predictions: classes.show(), ..Aggregates::default() };
        for (name, column) in key.columns.iter().zip(columns) {
            column.show_in(name, &mut aggregates);
        }
        let stats = PredictionStats {
            timestamp: Some(time.clone()),
            model_id: key.model.clone(),
            batch_id: None,
            class_names: Some(key.class_names.clone()).filter(|names| !names.is_empty()),
            aggregates,
            segments: BTreeMap::new(),
            extra: serde_json::Map::new(),
        };
        let text = |text: &Option<String>| text.clone().map(Into::into);
        let origin = Origin {
            record_id: None,
            model_digest: text(&key.digest),
            role: text(&key.role),
            gateway: text(&key.gateway),
        };
        let ids: Vec<&str> = members.iter().map(|(_, id)| &**id).collect();
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Entry<'a> {
            #[serde(flatten)]
            stats: PredictionStat<'a>,
            record_ids: Vec<&'a str>,
        }
        let entry = Entry { stats: PredictionStat(&stats, origin), record_ids: ids };
        serde_json::to_vec(&entry).unwrap_or_default()
    }
}

/// What of a record is to be told beside the sum that it is in: predictions with association ids, under an id of their
/// own. None when it has none.
pub(crate) fn outcomes(item: &Item) -> Option<Item> {
    let mut entry: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&item.json).ok()?;
    let ids: Vec<Option<serde_json::Value>> =
        serde_json::from_str(entry.get("associationIds")?.get()).ok()?;
    entry.get("predictions")?;
    ids.iter().any(Option::is_some).then_some(())?;
    let id: String = serde_json::from_str(entry.get("recordId")?.get()).ok()?;
    let id = serde_json::value::to_raw_value(&format!("{id}{OUTCOMES}")).ok()?;
    entry.remove("features");
    entry.insert("recordId".to_owned(), id);
    let json = serde_json::to_vec(&entry).ok()?;
    Some(Item { json, ..item.clone() })
}

#[cfg(test)]
mod tests;
