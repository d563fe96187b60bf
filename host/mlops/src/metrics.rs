//! `/metrics`: what the server counts, in the text form of Prometheus.
//!
//! Everybody may read it, as `/healthz`: it holds numbers only, and no name of a deployment, a model or a client.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet, prometheus_text,
};
use prometheus_client::metrics::MetricType::{self, Counter, Gauge, Histogram};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry as Prometheus;

use crate::ingest::{COMMIT_BOUNDS_US, Ingest};
use crate::registry::Registry;

/// The classes of statuses.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests that were answered.
#[derive(Debug, Default)]
pub(crate) struct Requests([AtomicU64; CLASSES.len()]);

impl Requests {
    /// One was answered.
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(count) = self.0.get(class) {
            count.fetch_add(1, Relaxed);
        }
    }
}

/// What is looked at when somebody asks.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) requests: Arc<Requests>,
    pub(crate) ingest: Ingest,
    pub(crate) registry: Registry,
}

/// Answers them.
pub(crate) async fn serve(State(watched): State<Watched>) -> Response {
    match text(watched) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "The metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn text(watched: Watched) -> Result<String, fmt::Error> {
    let mut registry = Prometheus::default();
    registry.register_collector(Box::new(watched));
    let mut text = String::with_capacity(8 * 1024);
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

/// Name without what each begins with, type, help. Counters get `_total` when they are written.
type About = (&'static str, MetricType, &'static str);

/// All metrics, in the order in which they are written.
const BUILD_INFO: About = ("build_info", Gauge, "What is running; always 1");
const DATABASE_INFO: About = ("database_info", Gauge, "What kind of database it has; always 1");
const REQUESTS: About = ("requests", Counter, "Requests answered, by class of status");
const ENTRIES: About = ("entries", Counter, "Entries of calls, by what became of them");
const BODY_BYTES: About = ("body_bytes", Counter, "Bytes of the bodies that they came in");
const TURNED_AWAY: About = ("turned_away", Counter, "Calls told to come again, by why");
const ROWS: About = ("rows", Counter, "Rows counted");
const JOINED: About = ("joined", Counter, "Predictions that have met their first outcome");
const WAITING_CALLS: About = ("waiting_calls", Gauge, "Calls that are read or wait for the writer");
const COMMIT_SECONDS: About =
    ("commit_seconds", Histogram, "From looking calls up to their commit");
const COMMITS_FAILED: About = ("commits_failed", Counter, "Commits that the database did not do");
const CACHED_ROLLUPS: About = ("cached_rollups", Gauge, "Rollups in memory, by whose they are");
const OPEN_ITEMS: About =
    ("open_items", Gauge, "Records, predictions and outcomes in memory that are not yet folded");
const WAITING_PREDICTIONS: About =
    ("waiting_predictions", Gauge, "Predictions among them whose outcome is not known");
const FOLDS: About = ("folds", Gauge, "Folds in the database");
const PACKAGES: About = ("packages", Gauge, "Model packages, archived ones left out");
const DEPLOYMENTS: About = ("deployments", Gauge, "Deployments");

impl Collector for Watched {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Writer(encoder);
        let store = self.registry.store();
        out.gauges(BUILD_INFO, [([("version", env!("CARGO_PKG_VERSION"))], 1)])?;
        out.gauges(DATABASE_INFO, [([("kind", store.kind().name())], 1)])?;
        let classes = CLASSES.iter().zip(&self.requests.0);
        let classes = classes.map(|(class, count)| ([("class", *class)], count.load(Relaxed)));
        out.counters(REQUESTS, classes)?;
        self.write_ingest(&mut out)?;
        let cached = [
            ("writer", self.ingest.counts().held().rollups),
            ("reports", store.cache().len() as u64),
        ];
        out.gauges(CACHED_ROLLUPS, cached.map(|(whose, count)| ([("cache", whose)], count)))?;
        out.gauge(PACKAGES, self.registry.packages(false).len() as u64)?;
        out.gauge(DEPLOYMENTS, self.registry.deployments().len() as u64)
    }
}

impl Watched {
    fn write_ingest(&self, out: &mut Writer<'_>) -> fmt::Result {
        let counts = self.ingest.counts();
        let results = |of: crate::ingest::Entries| {
            [("accepted", of.accepted), ("duplicate", of.duplicates), ("refused", of.refused)]
                .map(|(result, count)| ([("call", of.call), ("result", result)], count))
        };
        out.counters(ENTRIES, counts.entries().flat_map(results))?;
        out.counters(BODY_BYTES, counts.entries().map(|of| ([("call", of.call)], of.bytes)))?;
        let away = counts.all_turned_away().map(|(why, count)| ([("reason", why)], count));
        out.counters(TURNED_AWAY, away)?;
        out.counter(ROWS, counts.rows())?;
        out.counter(JOINED, counts.joined())?;
        out.gauge(WAITING_CALLS, self.ingest.waiting_calls() as u64)?;
        out.commit_times(counts)?;
        out.counter(COMMITS_FAILED, counts.commits_failed())?;
        let held = counts.held();
        out.gauge(OPEN_ITEMS, held.items)?;
        out.gauge(WAITING_PREDICTIONS, held.waiting)?;
        out.gauge(FOLDS, held.folds)
    }
}

/// Metrics being written.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn counter(&mut self, about: About, value: u64) -> fmt::Result {
        self.one(about, ConstCounter::new(value))
    }

    fn gauge(&mut self, about: About, value: u64) -> fmt::Result {
        self.one(about, ConstGauge::new(value))
    }

    fn one(&mut self, (name, kind, help): About, value: impl EncodeMetric) -> fmt::Result {
        value.encode(self.0.encode_descriptor(&full(name), help, None, kind)?)
    }

    fn counters<L: EncodeLabelSet>(
        &mut self,
        about: About,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let values = values.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family(about, values)
    }

    fn gauges<L: EncodeLabelSet>(
        &mut self,
        about: About,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let values = values.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family(about, values)
    }

    fn family<L: EncodeLabelSet, M: EncodeMetric>(
        &mut self,
        (name, kind, help): About,
        values: impl Iterator<Item = (L, M)>,
    ) -> fmt::Result {
        let name = full(name);
        let mut metric = self.0.encode_descriptor(&name, help, None, kind)?;
        for (labels, value) in values {
            value.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn commit_times(&mut self, counts: &crate::ingest::Counts) -> fmt::Result {
        let times = counts.commit_times();
        let bounds = COMMIT_BOUNDS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(times.counts.iter().copied()).collect();
        let (name, kind, help) = COMMIT_SECONDS;
        let name = full(name);
        self.0.encode_descriptor(&name, help, None, kind)?.encode_histogram::<NoLabelSet>(
            times.sum_us as f64 / 1e6,
            times.counts.iter().sum(),
            &buckets,
            None,
        )
    }
}

fn full(name: &str) -> String {
    format!("outpost_mlops_{name}")
}
