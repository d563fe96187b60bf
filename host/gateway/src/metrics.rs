//! What the gateway counts. A request touches a handful of atomics and no label; labels are put together when
//! somebody asks for `/metrics`.

mod deployments;
mod expose;
mod name;
mod rooms;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper::StatusCode;

pub(crate) use expose::{CONTENT_TYPE, text};
pub use rooms::ChannelProbe;
pub(crate) use rooms::Rooms;

use crate::problem::Kind;

/// Upper bounds of the request times' histogram, in microseconds.
const BOUNDS_US: [u64; 15] = [
    5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];
/// Every status that is answered.
const STATUSES: [u16; 11] = [200, 400, 404, 405, 408, 413, 415, 422, 500, 503, 504];

/// What was asked for: a closed list, so that callers cannot make labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Predict,
    Actuals,
    Health,
    Ready,
    Metrics,
    Index,
    Other,
}

/// Why the gateway closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The head of a request did not arrive in time.
    SlowHead,
    /// Nothing was said for too long.
    Idle,
    /// The client did not take its answer.
    Stalled,
    /// What came was not HTTP, or the connection broke.
    Broken,
}

/// The gateway's counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: [[AtomicU64; STATUSES.len()]; Route::ALL.len()],
    /// One more than there are bounds.
    times: [AtomicU64; BOUNDS_US.len() + 1],
    time_us: AtomicU64,
    rows: AtomicU64,
    actuals: AtomicU64,
    refused: [AtomicU64; Kind::ALL.len()],
    unknown_fields: AtomicU64,
    inflight: AtomicU64,
    connections: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
}

/// A request for predictions or with actuals in progress.
#[derive(Debug)]
pub(crate) struct Inflight(Arc<Metrics>);

/// An open connection.
#[derive(Debug)]
pub(crate) struct Open(Arc<Metrics>);

impl Route {
    pub(crate) const ALL: [Self; 7] = [
        Self::Predict,
        Self::Actuals,
        Self::Health,
        Self::Ready,
        Self::Metrics,
        Self::Index,
        Self::Other,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Actuals => "actuals",
            Self::Health => "healthz",
            Self::Ready => "readyz",
            Self::Metrics => "metrics",
            Self::Index => "index",
            Self::Other => "other",
        }
    }
}

impl Closed {
    const ALL: [Self; 4] = [Self::SlowHead, Self::Idle, Self::Stalled, Self::Broken];

    fn label(self) -> &'static str {
        match self {
            Self::SlowHead => "slow-head",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Broken => "broken",
        }
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            requests: Default::default(),
            times: Default::default(),
            time_us: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            actuals: AtomicU64::new(0),
            refused: Default::default(),
            unknown_fields: AtomicU64::new(0),
            inflight: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            closed: Default::default(),
        }
    }

    /// An answer goes out.
    pub(crate) fn answered(&self, route: Route, status: StatusCode) {
        let status = status.as_u16();
        if let Some(place) = STATUSES.iter().position(|known| *known == status) {
            self.requests[route as usize][place].fetch_add(1, Relaxed);
        }
    }

    /// A prediction request took this long.
    pub(crate) fn took(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.times[place].fetch_add(1, Relaxed);
        self.time_us.fetch_add(us, Relaxed);
    }

    pub(crate) fn scored(&self, rows: u32, unknown_fields: u64) {
        self.rows.fetch_add(u64::from(rows), Relaxed);
        if unknown_fields > 0 {
            self.unknown_fields.fetch_add(unknown_fields, Relaxed);
        }
    }

    /// The outbox has taken actuals.
    pub(crate) fn told(&self, actuals: usize, unknown_fields: u64) {
        self.actuals.fetch_add(actuals as u64, Relaxed);
        self.unknown_fields.fetch_add(unknown_fields, Relaxed);
    }

    pub(crate) fn refused(&self, kind: Kind) {
        self.refused[kind as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn closed(&self, why: Closed) {
        self.closed[why as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn inflight(&self) -> u64 {
        self.inflight.load(Relaxed)
    }
}

impl Inflight {
    pub(crate) fn start(metrics: &Arc<Metrics>) -> Self {
        metrics.inflight.fetch_add(1, Relaxed);
        Self(Arc::clone(metrics))
    }
}

impl Drop for Inflight {
    fn drop(&mut self) {
        self.0.inflight.fetch_sub(1, Relaxed);
    }
}

impl Open {
    pub(crate) fn count(metrics: &Arc<Metrics>) -> Self {
        metrics.connections.fetch_add(1, Relaxed);
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}
