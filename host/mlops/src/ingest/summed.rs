//! Rows that were summed up where they were made: histograms, put into our bins.

use record::wire::rest::read::{Body, Fault, StatsEntry, Summary};

use super::answer::IngestError;
use super::plan::DeploymentPlan;
use super::prepare::{Preparing, read_body};
use super::target::classes;
use super::work::{Call, Entry, MOST_ROWS, Records, What, Work};
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
    let all = entry.predictions.iter().chain(entry.features.iter().map(|one| &one.stats));
    let too_many = |stats: &Summary<'_>| {
        let centroids = stats.centroids.iter().map(|(_, count)| count.unsigned_abs());
        let levels = stats.levels.iter().map(|(_, count)| *count);
        let mut counts = centroids.chain(levels).chain([stats.count, stats.missing]);
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
        predictions = package.predictions.as_ref().filter(|_| found > 0).map(|bins| match bins {
            Bins::Numeric { .. } => tally(bins, &entry.predictions[found - 1]),
            Bins::Levels { .. } => {
                let mut tally = bins.empty();
                for (at, class) in entry.predictions.iter().enumerate() {
                    let name = entry.class_names.get(at).map(|name| &**name);
                    let name = name.or_else(|| classes.get(at).map(String::as_str));
                    tally.add(bins.place_text(name), class.decisions.unwrap_or(0));
                }
                tally
            }
        });
    }
    let last = entry.predictions.last();
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

fn tally(bins: &Bins, stats: &Summary<'_>) -> Tally {
    let mut tally = bins.empty();
    match bins {
        Bins::Numeric { .. } => bins.add_centroids(&mut tally, &stats.centroids, stats.missing),
        Bins::Levels { .. } => {
            let listed: u64 = stats.levels.iter().map(|(_, count)| *count).sum();
            for (level, count) in &stats.levels {
                tally.add(bins.place_text(Some(level)), *count);
            }
            // The one that summed up lists only so many levels; the others it counted all the same.
            let other = stats.count.saturating_sub(listed);
            if let (true, Bins::Levels { listed, .. }) = (other > 0, bins) {
                tally.add(listed.len(), other);
            }
            tally.add(bins.place_text(None), stats.missing);
        }
    }
    tally
}
