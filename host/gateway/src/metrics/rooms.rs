//! What the rooms behind the gateway count, as metrics.

use std::{fmt, time::SystemTime};

use engine::{Broke, Engine, Stats};
use spool::{ChannelStatus, OutboxState, OutboxStatus};

use super::{expose::Writer, name::Name};

/// Tells how the channels are.
pub type ChannelProbe = Box<dyn Fn() -> Vec<ChannelStatus> + Send + Sync>;

/// The rooms that are asked at each scrape.
pub(crate) struct Rooms {
    pub(crate) engine: Engine,
    pub(crate) channels: ChannelProbe,
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rooms")
    }
}

impl Rooms {
    pub(super) fn write(&self, out: &mut Writer<'_>) -> fmt::Result {
        engine(&self.engine.stats(), out)?;
        channels(&(self.channels)(), out)
    }
}

fn engine(stats: &Stats, out: &mut Writer<'_>) -> fmt::Result {
    let outcome = |outcome: &'static str, count: u64| ([("outcome", outcome)], count);
    let broke: u64 = stats.discarded.iter().sum();
    out.counters(
        Name::EngineBatches,
        [
            outcome("scored", stats.scored),
            outcome("declined", stats.declined),
            outcome("broke", broke),
            outcome("busy", stats.busy),
            outcome("host-failed", stats.host_failures),
        ],
    )?;
    out.counter(Name::EngineWaits, stats.waited)?;
    out.gauge(Name::EngineInstances, stats.instances_live)?;
    out.counter(Name::EngineInstancesCreated, stats.instances_created)?;
    let discarded = Broke::KINDS.iter().zip(stats.discarded);
    out.counters(
        Name::EngineDiscarded,
        discarded.map(|(kind, count)| ([("reason", *kind)], count)),
    )?;
    out.counter(Name::EngineReclaimed, stats.reclaimed)?;
    out.counter(Name::EngineShared, stats.shared)?;
    out.counter(Name::EngineCompiled, stats.compiled)?;
    out.counter(Name::EngineCacheHits, stats.cache_hits)?;
    out.counter(Name::EngineCacheRefused, stats.cache_refused)
}

pub(super) fn outbox(status: &OutboxStatus, out: &mut Writer<'_>) -> fmt::Result {
    out.gauge(Name::OutboxHealthy, u64::from(status.state == OutboxState::Healthy))?;
    out.gauge(Name::OutboxQueuedRecords, status.queued_records)?;
    out.gauge(Name::OutboxQueuedBytes, status.queued_bytes)?;
    out.gauge(Name::OutboxStoredBytes, status.stored_bytes)?;
    out.gauge(Name::OutboxSegments, status.segments)?;
    out.gauge(Name::OutboxNextSeq, status.next_seq)?;
    out.gauge(Name::OutboxDurableSeq, status.durable_seq)?;
    let refused = status.refused.by_reason();
    out.counters(
        Name::OutboxRefused,
        refused.map(|(reason, count)| ([("reason", reason)], count)),
    )?;
    let lost = status.lost.by_reason();
    out.counters(Name::OutboxLost, lost.map(|(reason, count)| ([("reason", reason)], count)))?;
    out.gauge(Name::OutboxQuarantined, status.quarantined_segments)?;
    let bounds = spool::SYNC_TIME_BOUNDS.map(|bound| bound.as_secs_f64());
    let sum = status.sync_time.as_secs_f64();
    out.histogram(Name::OutboxCommitSeconds, &bounds, &status.sync_times, sum)?;
    out.counter(Name::OutboxWriteErrors, status.write_errors)?;
    let cursors =
        || status.channels.iter().map(|channel| ([("channel", &*channel.channel)], channel));
    out.gauges(Name::ChannelDoneSeq, cursors().map(|(label, channel)| (label, channel.done_seq)))?;
    out.gauges(
        Name::ChannelWaitingRecords,
        cursors().map(|(label, channel)| (label, channel.waiting_records)),
    )?;
    out.gauges(
        Name::ChannelWaitingBytes,
        cursors().map(|(label, channel)| (label, channel.waiting_bytes)),
    )?;
    let now = SystemTime::now();
    let lag = cursors().map(|(label, channel)| {
        // A clock that went back makes no negative lag.
        let age = channel.oldest.and_then(|oldest| now.duration_since(oldest).ok());
        (label, age.unwrap_or_default().as_secs_f64())
    });
    out.gauges(Name::ChannelLagSeconds, lag)
}

fn channels(all: &[ChannelStatus], out: &mut Writer<'_>) -> fmt::Result {
    let mut counters = |name, value: fn(&ChannelStatus) -> u64| {
        out.counters(
            name,
            all.iter().map(|channel| ([("channel", &*channel.channel)], value(channel))),
        )
    };
    counters(Name::ChannelSent, |channel| channel.sent_messages)?;
    counters(Name::ChannelDelivered, |channel| channel.delivered_records)?;
    counters(Name::ChannelRetries, |channel| channel.retries)?;
    counters(Name::ChannelRejected, |channel| channel.rejected_records)?;
    counters(Name::ChannelDeadLettersDropped, |channel| channel.dead_letters.dropped)?;
    counters(Name::ChannelLost, |channel| channel.lost_records)?;
    let mut gauges = |name, value: fn(&ChannelStatus) -> u64| {
        out.gauges(
            name,
            all.iter().map(|channel| ([("channel", &*channel.channel)], value(channel))),
        )
    };
    gauges(Name::ChannelInflight, |channel| channel.in_flight_records)?;
    gauges(Name::ChannelDeadLetters, |channel| channel.dead_letters.records)?;
    gauges(Name::ChannelDeadLetterBytes, |channel| channel.dead_letters.bytes)?;
    gauges(Name::ChannelPaused, |channel| u64::from(channel.paused.is_some()))?;
    let ages = all
        .iter()
        .map(|channel| ([("channel", &*channel.channel)], channel.since_success.as_secs_f64()));
    out.gauges(Name::ChannelLastSuccess, ages)
}
