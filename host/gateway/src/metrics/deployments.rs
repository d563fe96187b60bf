//! What deployments and their packages do, as metrics.

use std::{fmt, sync::atomic::Ordering::Relaxed};

use record::Role;

use super::{expose::Writer, name::Name};
use crate::{
    deployment::Serving,
    fleet::{Comparison, Slot},
    state::State,
};

/// A package in its place.
struct Placed<'a> {
    slot: &'a Slot,
    role: Role,
    /// A challenger's name.
    name: &'a str,
    serving: &'a Serving,
    comparison: Option<&'a Comparison>,
    share: f64,
    shed: u64,
}

type Labels = Vec<(&'static str, String)>;

impl Placed<'_> {
    fn labels(&self) -> Labels {
        vec![
            ("deployment", self.slot.id.to_string()),
            ("role", self.role.name().to_owned()),
            ("challenger", self.name.to_owned()),
            ("digest", self.serving.digest.clone()),
        ]
    }

    fn with(&self, name: &'static str, value: &str) -> Labels {
        let mut labels = self.labels();
        labels.push((name, value.to_owned()));
        labels
    }
}

pub(super) fn write(state: &State, out: &mut Writer<'_>) -> fmt::Result {
    let slots = state.slots.load();
    let slots = slots.sorted();
    let of = |slot: &Slot| [("deployment", slot.id.to_string())];
    let requests = slots.iter().map(|slot| (of(slot), slot.traffic.requests.load(Relaxed)));
    out.counters(Name::DeploymentRequests, requests)?;
    let errors = slots.iter().map(|slot| (of(slot), slot.traffic.errors.load(Relaxed)));
    out.counters(Name::DeploymentErrors, errors)?;

    let lineups: Vec<_> = slots.iter().map(|slot| (&***slot, slot.lineup.load_full())).collect();
    let mut placed = Vec::new();
    for (slot, lineup) in &lineups {
        if let Some(champion) = &lineup.champion {
            placed.push(Placed {
                slot,
                role: Role::Champion,
                name: "",
                serving: &champion.serving,
                comparison: None,
                share: 1.0 - lineup.canary.as_ref().map_or(0.0, |canary| canary.share),
                shed: 0,
            });
        }
        if let Some(canary) = &lineup.canary {
            placed.push(Placed {
                slot,
                role: Role::Canary,
                name: "",
                serving: &canary.serving,
                comparison: Some(&canary.comparison),
                share: canary.share,
                shed: 0,
            });
        }
        placed.extend(lineup.challengers.iter().map(|challenger| Placed {
            slot,
            role: Role::Challenger,
            name: &challenger.name,
            serving: &challenger.serving,
            comparison: Some(&challenger.comparison),
            share: 0.0,
            shed: challenger.shed.load(Relaxed),
        }));
    }
    packages(&placed, out)?;
    comparisons(&placed, out)
}

fn packages(placed: &[Placed<'_>], out: &mut Writer<'_>) -> fmt::Result {
    let info = placed.iter().map(|placed| (placed.with("model", &placed.serving.model_id), 1u64));
    out.gauges(Name::DeploymentInfo, info)?;
    out.gauges(Name::PackageShare, placed.iter().map(|placed| (placed.labels(), placed.share)))?;
    let calls = placed.iter().flat_map(|placed| {
        let calls = &placed.serving.calls;
        [
            ("scored", &calls.scored),
            ("declined", &calls.declined),
            ("broke", &calls.broken),
            ("late", &calls.late),
        ]
        .map(|(outcome, count)| (placed.with("outcome", outcome), count.load(Relaxed)))
    });
    out.counters(Name::PackageCalls, calls)?;
    let rows =
        placed.iter().map(|placed| (placed.labels(), placed.serving.calls.rows.load(Relaxed)));
    out.counters(Name::PackageRows, rows)?;
    let quantiles = placed.iter().flat_map(|placed| {
        let recent = placed.serving.calls.recent.summary();
        [("0.5", recent.p50_ms), ("0.99", recent.p99_ms)]
            .into_iter()
            .filter_map(|(q, ms)| Some((placed.with("quantile", q), ms? / 1000.0)))
    });
    out.gauges(Name::PackageCallSeconds, quantiles)
}

fn comparisons(placed: &[Placed<'_>], out: &mut Writer<'_>) -> fmt::Result {
    let compared: Vec<_> =
        placed.iter().filter_map(|placed| Some((placed, placed.comparison?.report()))).collect();
    let each = || compared.iter().map(|(placed, report)| (placed.labels(), report));
    out.counters(Name::ComparedRows, each().map(|(labels, report)| (labels, report.rows)))?;
    out.counters(Name::ComparisonFailed, each().map(|(labels, report)| (labels, report.failed)))?;
    let mean = each().filter_map(|(labels, report)| Some((labels, report.mean_difference?)));
    out.gauges(Name::MeanDifference, mean)?;
    let largest = each().filter_map(|(labels, report)| Some((labels, report.largest_difference?)));
    out.gauges(Name::LargestDifference, largest)?;
    let shed = placed.iter().filter(|placed| placed.role == Role::Challenger);
    out.counters(Name::ChallengerShed, shed.map(|placed| (placed.labels(), placed.shed)))
}
