//! Rows with their predictions.

use record::wire::rest::read::{
    Body, Column as ReadColumn, Fault, InputEntry, Predictions, Value, Values,
};

use super::answer::IngestError;
use super::plan::DeploymentPlan;
use super::prepare::{Preparing, read_body};
use super::target::{classes, order};
use super::work::{Call, Column, Entry, NO_KEY, PREDICTIONS, Rows, What, Work};
use crate::numbers::Bins;

/// Reads a `predictionInputs/fromJSON/` call.
pub(super) fn inputs(
    plan: &DeploymentPlan,
    text: &[u8],
    received_us: i64,
) -> Result<Work, IngestError> {
    let mut clean = None;
    let body: Body<InputEntry<'_>> = read_body(text, &mut clean)?;
    let drift = plan.drift && !body.skip_drift_tracking;
    let accuracy = plan.accuracy && !body.skip_accuracy_tracking;
    let mut preparing = Preparing::new(Call::Inputs, plan, received_us);
    for (index, entry) in body.data.into_iter().enumerate() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(refused) => {
                preparing.refuse(index, refused);
                continue;
            }
        };
        let start = preparing.work.values.len();
        let width = match predictions(&mut preparing, &entry) {
            Ok(width) => width,
            Err(fault) => {
                preparing.work.values.truncate(start);
                preparing.refuse_entry(index, &entry.origin, fault);
                continue;
            }
        };
        let counted = !body.skip_drift_tracking;
        add(&mut preparing, index, &entry, (start, width), [counted, drift, accuracy]);
    }
    Ok(preparing.work)
}

fn add(
    preparing: &mut Preparing<'_>,
    index: usize,
    entry: &InputEntry<'_>,
    (start, width): (usize, usize),
    [counted, drift, accuracy]: [bool; 3],
) {
    let rows = entry.rows();
    let (group, package) = preparing.group(&entry.origin, entry.model_id.as_deref());
    let first_column = preparing.work.columns.len();
    if let Some(package) = package.filter(|_| drift) {
        for (hint, column) in entry.features.iter().enumerate() {
            let Some(place) = package.place(&column.name, hint) else { continue };
            let Some((_, bins)) = package.features().get(place) else { continue };
            push_column(&mut preparing.work, place as u32, |places| bin(bins, column, places));
        }
        if let Some(bins) = package.predictions.as_ref().filter(|_| width > 0) {
            let values = preparing.work.values[start..].to_vec();
            let plan = preparing.plan;
            push_column(&mut preparing.work, PREDICTIONS, |places| {
                places.extend(values.chunks_exact(width).map(|row| predicted(plan, bins, row)));
            });
        }
    }
    let first_key = preparing.work.keys.len();
    let ids = entry.association_ids.as_deref().unwrap_or_default();
    for id in ids {
        let key = preparing.association(id.as_deref());
        preparing.work.keys.push(key);
    }
    let without_id =
        rows - preparing.work.keys[first_key..].iter().filter(|key| **key != NO_KEY).count();
    let waits = accuracy && width > 0 && without_id < rows;
    if !waits {
        preparing.work.keys.truncate(first_key);
    }
    let what = Rows {
        rows,
        columns: (first_column, preparing.work.columns.len()),
        counted,
        values: start,
        width,
        keys: waits.then_some(first_key),
        without_id,
    };
    let entry = Entry {
        index,
        records: preparing.record(&entry.origin, None),
        group,
        time: preparing.time(entry.timestamp),
        batch: entry.batch_id.as_deref().map(Into::into),
        what: What::Rows(what),
    };
    preparing.work.rows += rows;
    preparing.work.entries.push(entry);
}

fn push_column(work: &mut Work, place: u32, fill: impl FnOnce(&mut Vec<u16>)) {
    let start = work.places.len() as u32;
    fill(&mut work.places);
    work.columns.push(Column { place, start });
}

/// The places of a column's values.
fn bin(bins: &Bins, column: &ReadColumn<'_>, places: &mut Vec<u16>) {
    match (&column.values, bins) {
        (Values::Numbers(values), Bins::Numeric { .. }) => {
            places.extend(values.iter().map(|value| bins.place_number(*value) as u16));
        }
        (Values::Numbers(values), Bins::Levels { .. }) => {
            places.extend(values.iter().map(|value| {
                let text = (!value.is_nan()).then(|| value.to_string());
                bins.place_text(text.as_deref()) as u16
            }))
        }
        (Values::Mixed(values), Bins::Numeric { .. }) => {
            places.extend(values.iter().map(|value| bins.place_number(as_number(value)) as u16));
        }
        (Values::Mixed(values), Bins::Levels { .. }) => {
            places.extend(values.iter().map(|value| place_level(bins, value) as u16));
        }
    }
}

/// A value of a numeric column: what means no number is missing.
pub(super) fn as_number(value: &Value<'_>) -> f64 {
    match value {
        Value::Missing => f64::NAN,
        Value::Boolean(value) => f64::from(u8::from(*value)),
        Value::Number(value) => *value,
        Value::Text(text) => text.trim().parse().unwrap_or(f64::NAN),
    }
}

fn place_level(bins: &Bins, value: &Value<'_>) -> usize {
    match value {
        Value::Missing => bins.place_text(None),
        Value::Text(text) => bins.place_text(Some(text)),
        Value::Number(number) => bins.place_text(Some(&number.to_string())),
        Value::Boolean(value) => {
            // A training file may have either word.
            let [small, capital] = if *value { ["true", "True"] } else { ["false", "False"] };
            let place = bins.place_text(Some(small));
            let is_new = place == bins.place_text(Some("\u{0}"));
            if is_new { bins.place_text(Some(capital)) } else { place }
        }
    }
}

/// The place of a prediction: of its number, or of the class that is predicted. A row keeps the class that it was counted
/// for when the threshold is changed later: it says what was decided, and the probabilities are not kept.
fn predicted(plan: &DeploymentPlan, bins: &Bins, row: &[f64]) -> u16 {
    let place = match bins {
        Bins::Numeric { .. } => bins.place_number(row.last().copied().unwrap_or(f64::NAN)),
        Bins::Levels { .. } => {
            let class = plan.target.decision(row).and_then(|at| classes(&plan.target).get(at));
            bins.place_text(class.map(String::as_str))
        }
    };
    place as u16
}

/// Puts the numbers of the predictions in the call's list, in the order of the deployment's classes; how many a row
/// has, 0 when there are none.
fn predictions(preparing: &mut Preparing<'_>, entry: &InputEntry<'_>) -> Result<usize, Fault> {
    let classes = classes(&preparing.plan.target);
    let to = &mut preparing.work.values;
    let wrong = |reason: String| Err(Fault::new("predictions", reason));
    match &entry.predictions {
        None => Ok(0),
        Some(Predictions::Numbers(values)) if classes.is_empty() => {
            to.extend_from_slice(values);
            Ok(1)
        }
        Some(Predictions::Texts(values)) if classes.is_empty() => {
            for (at, value) in values.iter().enumerate() {
                let number = match value {
                    Value::Text(text) => text.trim().parse().ok(),
                    Value::Missing => Some(f64::NAN),
                    Value::Number(number) => Some(*number),
                    Value::Boolean(_) => None,
                };
                let Some(number) = number else {
                    return Err(Fault::new(format!("predictions[{at}]"), "must be a number"));
                };
                to.push(number);
            }
            Ok(1)
        }
        Some(Predictions::Numbers(values)) if classes.len() == 2 => {
            to.extend(values.iter().flat_map(|value| [1.0 - value, *value]));
            Ok(2)
        }
        Some(Predictions::Probabilities { classes: 1, values }) if classes.is_empty() => {
            to.extend_from_slice(values);
            Ok(1)
        }
        Some(Predictions::Probabilities { classes: width, values }) if *width == classes.len() => {
            let order = order(&entry.class_names, classes)?;
            for row in values.chunks_exact(*width) {
                to.extend(order.iter().map(|at| row[*at]));
            }
            Ok(*width)
        }
        Some(_) if classes.is_empty() => {
            wrong("must be numbers: the deployment is a regression".into())
        }
        Some(_) => wrong(format!(
            "must be lists of {} probabilities, one for each class of the deployment",
            classes.len()
        )),
    }
}
