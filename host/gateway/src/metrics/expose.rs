//! Writes the counters in the text form of Prometheus.

use std::{fmt, sync::Arc, sync::atomic::Ordering::Relaxed};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet, prometheus_text},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

pub(crate) use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

use super::{BOUNDS_US, Closed, Metrics, Route, STATUSES, deployments, name::Name, rooms};
use crate::{problem::Kind, state::State};

/// All metrics as text.
pub(crate) fn text(state: &Arc<State>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(Arc::clone(state))));
    let mut text = String::with_capacity(8 * 1024);
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Scrape(Arc<State>);

/// One metric being written.
pub(super) struct Writer<'a>(DescriptorEncoder<'a>);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Writer(encoder);
        let state = &self.0;
        out.gauges(Name::BuildInfo, [([("version", env!("CARGO_PKG_VERSION"))], 1u64)])?;
        deployments::write(state, &mut out)?;
        state.metrics.write(&mut out)?;
        if let Some(rooms) = &state.rooms {
            rooms.write(&mut out)?;
        }
        match state.outbox.as_ref().and_then(|outbox| outbox.status()) {
            Some(status) => rooms::outbox(&status, &mut out),
            None => Ok(()),
        }
    }
}

impl Metrics {
    fn write(&self, out: &mut Writer<'_>) -> fmt::Result {
        let requests = Route::ALL.iter().flat_map(|route| {
            STATUSES.iter().zip(&self.requests[*route as usize]).map(|(status, count)| {
                (
                    [("route", route.label().to_owned()), ("status", status.to_string())],
                    count.load(Relaxed),
                )
            })
        });
        // What never happened is left out: most pairs cannot happen.
        out.counters(Name::Requests, requests.filter(|(_, count)| *count > 0))?;
        self.write_times(out)?;
        out.counter(Name::Rows, self.rows.load(Relaxed))?;
        out.counter(Name::Actuals, self.actuals.load(Relaxed))?;
        let refused = Kind::ALL
            .map(|kind| ([("reason", kind.slug())], self.refused[kind as usize].load(Relaxed)));
        out.counters(Name::Refused, refused)?;
        out.counter(Name::UnknownFields, self.unknown_fields.load(Relaxed))?;
        out.gauge(Name::Inflight, self.inflight())?;
        out.gauge(Name::Connections, self.connections.load(Relaxed))?;
        let closed = Closed::ALL
            .map(|why| ([("reason", why.label())], self.closed[why as usize].load(Relaxed)));
        out.counters(Name::ConnectionsClosed, closed)
    }

    fn write_times(&self, out: &mut Writer<'_>) -> fmt::Result {
        let counts: Vec<u64> = self.times.iter().map(|count| count.load(Relaxed)).collect();
        let bounds: Vec<f64> = BOUNDS_US.iter().map(|us| *us as f64 / 1e6).collect();
        let seconds = self.time_us.load(Relaxed) as f64 / 1e6;
        out.histogram(Name::RequestSeconds, &bounds, &counts, seconds)
    }
}

impl Writer<'_> {
    pub(super) fn counter<N>(&mut self, name: Name, value: N) -> fmt::Result
    where
        ConstCounter<N>: EncodeMetric,
    {
        let (name, kind, help) = name.describe();
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, kind)?)
    }

    pub(super) fn gauge(&mut self, name: Name, value: u64) -> fmt::Result {
        let (name, kind, help) = name.describe();
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, kind)?)
    }

    /// `counts` are those up to each of `bounds` and one more for what lies above.
    pub(super) fn histogram(
        &mut self,
        name: Name,
        bounds: &[f64],
        counts: &[u64],
        sum: f64,
    ) -> fmt::Result {
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let (name, kind, help) = name.describe();
        self.0.encode_descriptor(name, help, None, kind)?.encode_histogram::<NoLabelSet>(
            sum,
            counts.iter().sum(),
            &buckets,
            None,
        )
    }

    pub(super) fn counters<L: EncodeLabelSet>(
        &mut self,
        name: Name,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let values = values.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family(name, values)
    }

    pub(super) fn gauges<L: EncodeLabelSet, N>(
        &mut self,
        name: Name,
        values: impl IntoIterator<Item = (L, N)>,
    ) -> fmt::Result
    where
        ConstGauge<N>: EncodeMetric,
    {
        self.family(
            name,
            values.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value))),
        )
    }

    fn family<L: EncodeLabelSet, M: EncodeMetric>(
        &mut self,
        name: Name,
        values: impl IntoIterator<Item = (L, M)>,
    ) -> fmt::Result {
        let (name, kind, help) = name.describe();
        let mut metric = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            value.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
