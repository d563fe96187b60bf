//! What the gateway says about its deployments, read from their line-ups.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use jiff::Timestamp;

use super::{
    Fleet,
    events::time,
    lineup::{Canary, Challenger, Champion, Slot},
    report::{
        CanaryReport, ChallengerReport, ChannelReport, DeploymentReport, Event, FleetReport,
        OutboxReport, PackageReport, VersionReport,
    },
    store::{Saved, SavedVersion},
};
use crate::{deployment::Serving, settings::RecordClass, state::State};

/// Whether requests may come, and what is wrong besides.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    pub(crate) reasons: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl Readiness {
    /// An outbox that does not take records stops only deployments whose answers wait for it; the others go on scoring,
    /// count what they cannot record, and say so here.
    pub(crate) fn of(state: &State, channels: &[spool::ChannelStatus]) -> Self {
        let mut found = Self::default();
        if state.is_draining() {
            found.reasons.push("the gateway is shutting down".to_owned());
        }
        if state.paused.load(Relaxed) {
            found.reasons.push("the gateway was told to drain".to_owned());
        }
        let slots = state.slots.load();
        let slots = slots.sorted();
        let (serving, empty): (Vec<&Arc<Slot>>, Vec<&Arc<Slot>>) =
            slots.into_iter().partition(|slot| slot.lineup.load().champion.is_some());
        if serving.is_empty() {
            found.reasons.push("no deployment has a model".to_owned());
        }
        for slot in empty {
            found.warnings.push(format!("deployment {}: it has no model", slot.id));
        }
        if let Some(default) = &state.operations.default
            && state.slots.load().get(default).is_none()
        {
            found
                .warnings
                .push(format!("fleet.default is {default:?}, and no deployment has this id"));
        }
        if let Some(trouble) = state.outbox.as_ref().and_then(|outbox| outbox.trouble()) {
            let durable =
                serving.iter().any(|slot| slot.settings.record_class == RecordClass::Durable);
            let list = if durable { &mut found.reasons } else { &mut found.warnings };
            list.push(format!("outbox: {trouble}"));
        }
        for channel in channels {
            if let Some(why) = &channel.paused {
                found.warnings.push(format!("channel {}: {why}", channel.channel));
            }
        }
        found
    }
}

impl Fleet {
    /// All deployments, as they are now.
    #[must_use]
    pub fn report(&self) -> FleetReport {
        let state = &self.state;
        let channels = state.rooms.as_ref().map(|rooms| (rooms.channels)()).unwrap_or_default();
        let Readiness { reasons, warnings } = Readiness::of(state, &channels);
        let slots = state.slots.load();
        let status = state.outbox.as_ref().and_then(|outbox| outbox.status());
        let trouble = state.outbox.as_ref().and_then(|outbox| outbox.trouble());
        let outbox = status.as_ref().map(|status| OutboxReport {
            healthy: trouble.is_none(),
            trouble: trouble.clone(),
            stored_bytes: status.stored_bytes,
            queued_records: status.queued_records,
            refused: status.refused.by_reason().iter().map(|(_, count)| count).sum(),
        });
        let age = |name: &str| {
            let cursor = status.as_ref()?.channels.iter().find(|cursor| cursor.channel == name)?;
            Some(
                Timestamp::now()
                    .duration_since(Timestamp::try_from(cursor.oldest?).ok()?)
                    .as_secs_f64(),
            )
        };
        let channels = channels.into_iter().map(|channel| ChannelReport {
            oldest_age_seconds: age(&channel.channel),
            waiting_records: channel.waiting_records,
            paused: channel.paused,
            last_error: channel.last_error,
            name: channel.channel,
        });
        FleetReport {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: state.started.elapsed().as_secs_f64(),
            ready: reasons.is_empty(),
            draining: state.is_draining() || state.paused.load(Relaxed),
            reasons,
            warnings,
            default_deployment: slots.default().map(|slot| slot.id.to_string()),
            deployments: slots
                .sorted()
                .into_iter()
                .map(|slot| self.deployment_report(slot))
                .collect(),
            outbox,
            channels: channels.collect(),
            events: self.events(None),
        }
    }

    /// One of them.
    #[must_use]
    pub fn deployment(&self, id: &str) -> Option<DeploymentReport> {
        self.slot(id).ok().map(|slot| self.deployment_report(&slot))
    }

    /// The last changes, the latest first; only of this deployment where one is named.
    #[must_use]
    pub fn events(&self, deployment: Option<&str>) -> Vec<Event> {
        self.operations().events.last(deployment)
    }

    fn deployment_report(&self, slot: &Arc<Slot>) -> DeploymentReport {
        let lineup = slot.lineup.load();
        let recent = slot.traffic.recent.summary();
        let default =
            self.state.slots.load().default().is_some_and(|other| Arc::ptr_eq(other, slot));
        let champion = lineup.champion.as_ref().map(|champion| &*champion.serving.digest);
        let (history, previous) = history(&self.operations().saved.lock(), &slot.id, champion);
        DeploymentReport {
            id: slot.id.to_string(),
            name: slot.name.clone(),
            made_by: slot.made_by.word(),
            is_default: default,
            draining: slot.draining.load(Relaxed),
            champion: lineup.champion.as_ref().map(Champion::report),
            previous,
            watch: lineup
                .champion
                .as_ref()
                .and_then(|champion| champion.watch.as_ref())
                .map(|watch| watch.report()),
            canary: lineup.canary.as_ref().map(Canary::report),
            challengers: lineup.challengers.iter().map(|challenger| challenger.report()).collect(),
            history,
            requests: slot.traffic.requests.load(Relaxed),
            errors: slot.traffic.errors.load(Relaxed),
            requests_per_second: recent.per_second,
            p50_ms: recent.p50_ms,
            p99_ms: recent.p99_ms,
        }
    }
}

/// Champions, the latest first, and the one that a rollback brings back.
fn history(
    saved: &Saved,
    id: &str,
    champion: Option<&str>,
) -> (Vec<VersionReport>, Option<VersionReport>) {
    let Some(entry) = saved.deployments.get(id) else { return Default::default() };
    let previous = champion.and_then(|champion| entry.before(champion)).map(SavedVersion::report);
    let mut all: Vec<_> =
        entry.history.iter().chain(&entry.withdrawn).map(SavedVersion::report).collect();
    all.sort_by(|a, b| b.since.cmp(&a.since));
    (all, previous)
}

impl SavedVersion {
    fn report(&self) -> VersionReport {
        let Self { digest, name, version, since, by, how, withdrawn } = self.clone();
        VersionReport { digest, name, version, since, by, how, withdrawn }
    }
}

impl Champion {
    fn report(&self) -> PackageReport {
        package(&self.serving, self.since)
    }
}

impl Canary {
    fn report(&self) -> CanaryReport {
        CanaryReport {
            share: self.share,
            package: package(&self.serving, self.since),
            watch: self.watch.report(),
            comparison: self.comparison.report(),
        }
    }
}

impl Challenger {
    fn report(&self) -> ChallengerReport {
        ChallengerReport {
            name: self.name.clone(),
            package: package(&self.serving, self.since),
            shed: self.shed.load(Relaxed),
            comparison: self.comparison.report(),
        }
    }
}

fn package(serving: &Serving, since: Timestamp) -> PackageReport {
    let calls = &serving.calls;
    let recent = calls.recent.summary();
    PackageReport {
        digest: serving.digest.clone(),
        model_id: serving.model_id.clone(),
        name: serving.name.clone(),
        version: serving.version.clone(),
        signed_by: serving.signed_by.clone(),
        since: time(since),
        calls: calls.calls(),
        rows: calls.rows.load(Relaxed),
        declined: calls.declined.load(Relaxed),
        broken: calls.broken.load(Relaxed),
        late: calls.late.load(Relaxed),
        p50_ms: recent.p50_ms,
        p99_ms: recent.p99_ms,
    }
}
