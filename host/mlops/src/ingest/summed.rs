//! Rows that were summed up where they were made: histograms, put into our bins.

use std::borrow::Cow;

use record::wire::rest::read::{Body, Fault, StatsEntry, Summary, Value};

use super::answer::IngestError;
use super::plan::DeploymentPlan;
use super::prepare::{Preparing, read_body};
use super::rows::as_number;
use super::target::{classes, order};
use super::work::{Call, Entry, MOST_ROWS, Records, What, Work};
use crate::numbers::accuracy::{THRESHOLD, Target};
use crate::numbers::{Bins, Tally};

/// Reads a `predictionStats/fromJSON/` call.
pub(super) fn stats(
    plan: &DeploymentPlan,
    text: &[u8],
    received_us: i64,
) -> Result<Work, IngestError> {
    let mut clean = None;
    let body: Body<StatsEntry<'_>> = read_body(text, &mut clean)?;
    let drift = plan.drift && !body.skip_drift_tracking;
    let mut preparing = Preparing::new(Call::Stats, plan, received_us);
    for (index, entry) in body.data.into_iter().enumerate() {
        match entry {
            Err(refused) => preparing.refuse(index, refused),
            Ok(entry) => add(&mut preparing, index, &entry, drift),
        }
    }
    Ok(preparing.work)
}

fn add(preparing: &mut Preparing<'_>, index: usize, entry: &StatsEntry<'_>, drift: bool) {
    let classes = classes(&preparing.plan.target);
    let found = entry.predictions.len();
    if found > 0 && found != classes.len().max(1) {
        let reason = format!("must be {} for this deployment, not {found}", classes.len().max(1));
        preparing.refuse_entry(index, &entry.origin, Fault::new("predictions", reason));
        return;
    }
    // One for each class, in the order of the deployment's.
    let by_class = if classes.is_empty() || found == 0 {
        entry.predictions.iter().collect()
    } else {
        match order(&entry.class_names, classes) {
            Ok(order) => order.iter().map(|at| &entry.predictions[*at]).collect::<Vec<_>>(),
            Err(fault) => return preparing.refuse_entry(index, &entry.origin, fault),
        }
    };
    let all = entry.predictions.iter().chain(entry.features.iter().map(|one| &one.stats));
    let too_many = |stats: &Summary<'_>| {
        let centroids = stats.centroids.iter().map(|(_, count)| count.unsigned_abs());
        let levels = stats.levels.iter().map(|(_, count)| *count);
        let counts = centroids.chain(levels).chain([stats.count, stats.missing]);
        let mut counts = counts.chain(stats.decisions);
        counts.any(|count| count > MOST_ROWS)
    };
    if all.into_iter().any(too_many) {
        let reason = format!("must be at most {MOST_ROWS}");
        preparing.refuse_entry(index, &entry.origin, Fault::new("count", reason));
        return;
    }
    let (group, package) = preparing.group(&entry.origin, entry.model_id.as_deref());
    let mut features = Vec::new();
    let mut predictions = None;
    if let Some(package) = package.filter(|_| drift) {
        features = vec![None; package.features().len()];
        for (hint, feature) in entry.features.iter().enumerate() {
            let Some(place) = package.place(&feature.name, hint) else { continue };
            if let Some((_, bins)) = package.features().get(place) {
                features[place] = Some(tally(bins, &feature.stats));
            }
        }
        predictions = package.predictions.as_ref().zip(by_class.last()).and_then(|it| match it {
            (bins @ Bins::Numeric { .. }, last) => Some(tally(bins, last)),
            (bins, _) => predicted(bins, &preparing.plan.target, &by_class),
        });
    }
    let last = by_class.last();
    let sum = last.and_then(|last| Some((last.sum?, last.count)));
    let records = match &*entry.record_ids {
        [] => preparing.record(&entry.origin, None),
        ids => Records::Many(
            ids.iter().map(|id| (preparing.record_key(id, None), id.to_string())).collect(),
        ),
    };
    let rows = entry.rows();
    preparing.work.rows += usize::try_from(rows).unwrap_or(usize::MAX).min(1);
    let entry = Entry {
        index,
        records,
        group,
        time: preparing.time(entry.timestamp),
        batch: None,
        what: What::Summed { rows, features, predictions, sum },
    };
    preparing.work.entries.push(entry);
}

/// How often each class was predicted, as far as sums tell it: the sender counted how often each one was the most probable.
/// With any other threshold than a half that is not what is predicted of two classes, and the centroids of so few are too
/// far apart to tell.
fn predicted(bins: &Bins, target: &Target, by_class: &[&Summary<'_>]) -> Option<Tally> {
    if matches!(target, Target::Binary { threshold, .. } if *threshold != THRESHOLD) {
        return None;
    }
    let mut tally = bins.empty();
    let mut decided: u64 = 0;
    for (class, stats) in classes(target).iter().zip(by_class) {
        let won = stats.decisions?;
        decided = decided.saturating_add(won);
        tally.add(bins.place_text(Some(class)), won);
    }
    let rows = by_class.iter().map(|stats| stats.count.saturating_add(stats.missing)).max();
    tally.add(bins.place_text(None), rows.unwrap_or(0).saturating_sub(decided));
    Some(tally)
}

fn tally(bins: &Bins, stats: &Summary<'_>) -> Tally {
    let mut tally = bins.empty();
    match bins {
        Bins::Numeric { .. } => {
            bins.add_centroids(&mut tally, &stats.centroids, stats.missing);
            // Numbers among texts were counted as levels; what is none is missing, as it is in rows.
            for (level, count) in &stats.levels {
                tally.add(bins.place_number(as_number(&Value::Text(Cow::Borrowed(level)))), *count);
            }
        }
        Bins::Levels { .. } => {
            // Levels that are numbers, each by its name as in rows, as far as the centroids are exact.
            for (centroid, count) in &stats.centroids {
                let count = u64::try_from(*count).unwrap_or(0);
                tally.add(bins.place_text(Some(&centroid.to_string())), count);
            }
            let numbers: u64 = stats.centroids.iter().map(|(_, count)| count.unsigned_abs()).sum();
            let listed: u64 = stats.levels.iter().map(|(_, count)| *count).sum();
            for (level, count) in &stats.levels {
                tally.add(bins.place_text(Some(level)), *count);
            }
            // The one that summed up lists only so many levels; the others it counted all the same.
            let other = stats.count.saturating_sub(listed + numbers);
            if let (true, Bins::Levels { listed, .. }) = (other > 0, bins) {
                tally.add(listed.len(), other);
            }
            tally.add(bins.place_text(None), stats.missing);
        }
    }
    tally
}
