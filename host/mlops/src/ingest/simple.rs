//! Requests, actuals and values of metrics.

use record::wire::rest::read::{
    self, ActualEntry, ActualValue, Body, BodyError, Fault, RequestEntry,
};

use super::answer::IngestError;
use super::plan::DeploymentPlan;
use super::prepare::{Preparing, micros, read_body, refuse_body};
use super::target::classes;
use super::work::{Call, Entry, EntryTime, MOST_ROWS, What, Work};
use crate::numbers::accuracy::class_of;

/// Reads a `predictionRequests/fromJSON/` call.
pub(super) fn requests(
    plan: &DeploymentPlan,
    text: &[u8],
    received_us: i64,
) -> Result<Work, IngestError> {
    let mut clean = None;
    let body: Body<RequestEntry<'_>> = read_body(text, &mut clean)?;
    let mut preparing = Preparing::new(Call::Requests, plan, received_us);
    for (index, entry) in body.data.into_iter().enumerate() {
        match entry {
            Err(refused) => preparing.refuse(index, refused),
            Ok(entry) if u64::try_from(entry.num_predictions).is_ok_and(|n| n > MOST_ROWS) => {
                let reason = format!("must be at most {MOST_ROWS}");
                preparing.refuse_entry(index, &entry.origin, Fault::new("numPredictions", reason));
            }
            Ok(entry) => {
                let (group, _) = preparing.group(&entry.origin, entry.model_id.as_deref());
                let what = What::Request {
                    // The library lets negative numbers through.
                    predictions: u64::try_from(entry.num_predictions).unwrap_or(0),
                    ms: entry.execution_time.filter(|ms| ms.is_finite() && *ms >= 0.0),
                    slow: entry.execution_time.is_some_and(|ms| ms > plan.slow_ms),
                    user_error: entry.user_error,
                    system_error: entry.system_error,
                };
                let entry = Entry {
                    index,
                    records: preparing.record(&entry.origin, None),
                    group,
                    time: preparing.time(entry.timestamp),
                    batch: entry.batch_id.as_deref().map(Into::into),
                    what,
                };
                preparing.work.entries.push(entry);
            }
        }
    }
    Ok(preparing.work)
}

/// Reads an `actuals/fromJSON/` call.
pub(super) fn actuals(
    plan: &DeploymentPlan,
    text: &[u8],
    received_us: i64,
) -> Result<Work, IngestError> {
    let mut clean = None;
    let body: Body<ActualEntry<'_>> = read_body(text, &mut clean)?;
    let mut preparing = Preparing::new(Call::Actuals, plan, received_us);
    for (index, entry) in body.data.into_iter().enumerate() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(refused) => {
                preparing.refuse(index, refused);
                continue;
            }
        };
        let value = match outcome(plan, &entry.actual_value) {
            Ok(value) => value,
            Err(fault) => {
                preparing.refuse_entry(index, &entry.origin, fault);
                continue;
            }
        };
        let key = preparing.association(Some(&entry.association_id));
        // An outcome may have become known long ago: that is no clock that is wrong.
        let at_us = micros(entry.timestamp).unwrap_or(received_us);
        preparing.work.entries.push(Entry {
            index,
            records: preparing.record(&entry.origin, Some(&entry.association_id)),
            group: 0,
            time: EntryTime { us: received_us, skew: None },
            batch: None,
            what: What::Actual { key, at_us, value },
        });
    }
    Ok(preparing.work)
}

/// An actual as a number: itself, or the place of its class.
fn outcome(plan: &DeploymentPlan, value: &ActualValue<'_>) -> Result<f64, Fault> {
    let classes = classes(&plan.target);
    let wrong = |reason: &str| Err(Fault::new("actualValue", reason));
    let place = |text: &str| {
        let place = class_of(classes, text).map(|at| Ok(at as f64));
        place.unwrap_or_else(|| wrong("must be a class of the deployment"))
    };
    match value {
        ActualValue::Missing => wrong("is missing"),
        ActualValue::Number(number) if classes.is_empty() => Ok(*number),
        ActualValue::Text(text) if classes.is_empty() => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _other => wrong("must be a number: the deployment is a regression"),
        },
        ActualValue::Number(number) => place(&number.to_string()),
        ActualValue::Text(text) => place(text),
    }
}

/// Reads a `customMetrics/<id>/fromJSON/` call.
pub(super) fn metric(
    plan: &DeploymentPlan,
    metric: &str,
    text: &[u8],
    received_us: i64,
) -> Result<Work, IngestError> {
    let clean;
    let body = match read::metric(text) {
        Err(error @ BodyError::NotJson(_)) => {
            clean = read::without_tokens(text);
            let clean = clean.as_deref().ok_or_else(|| refuse_body(error))?;
            read::metric(clean).map_err(refuse_body)?
        }
        other => other.map_err(refuse_body)?,
    };
    let mut preparing = Preparing::new(Call::Metrics, plan, received_us);
    match body {
        Err(refused) => preparing.refuse(0, refused),
        Ok(body) => {
            let record = preparing.record(&body.origin, Some(metric));
            let value = |bucket: &read::Bucket| {
                (micros(bucket.timestamp).unwrap_or(received_us), bucket.value)
            };
            let what = What::Metric {
                metric: metric.to_owned(),
                model: body.model_id.as_deref().unwrap_or_default().to_owned(),
                values: body.buckets.iter().map(value).collect(),
            };
            preparing.work.entries.push(Entry {
                index: 0,
                records: record,
                group: 0,
                time: EntryTime { us: received_us, skew: None },
                batch: None,
                what,
            });
        }
    }
    Ok(preparing.work)
}
