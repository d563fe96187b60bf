//! What all requests share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::{
    body::Crowd,
    fleet::{Operations, Shadow, Slots},
    metrics::{Metrics, Rooms},
    recorder::Keep,
    request_id::RequestIds,
    settings::GatewaySettings,
};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: GatewaySettings,
    pub(crate) slots: ArcSwap<Slots>,
    pub(crate) operations: Operations,
    pub(crate) shadow: Shadow,
    pub(crate) rooms: Option<Rooms>,
    pub(crate) outbox: Option<Box<dyn Keep>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) ids: RequestIds,
    pub(crate) crowd: Arc<Crowd>,
    pub(crate) started: Instant,
    /// Told by an operator to take no requests.
    pub(crate) paused: AtomicBool,
    draining: AtomicBool,
    working: watch::Sender<()>,
}

/// Held by work that goes on without its connection; the drain waits for it.
#[derive(Debug)]
pub(crate) struct Working(#[expect(dead_code, reason = "held, not used")] watch::Receiver<()>);

impl State {
    pub(crate) fn new(
        settings: GatewaySettings,
        operations: Operations,
        shadow: Shadow,
        rooms: Option<Rooms>,
        outbox: Option<Box<dyn Keep>>,
    ) -> Self {
        Self {
            crowd: Arc::new(Crowd::new(settings.all_bodies_bytes)),
            settings,
            slots: ArcSwap::default(),
            operations,
            shadow,
            rooms,
            outbox,
            metrics: Arc::new(Metrics::new()),
            ids: RequestIds::new(),
            started: Instant::now(),
            paused: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            working: watch::Sender::new(()),
        }
    }

    pub(crate) fn working(&self) -> Working {
        Working(self.working.subscribe())
    }

    /// Completes when nothing works without its connection.
    pub(crate) async fn rested(&self) {
        self.working.closed().await;
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
