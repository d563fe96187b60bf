//! What all requests share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::watch;

use crate::{
    body::Crowd,
    deployment::Serving,
    metrics::{Metrics, Rooms},
    recorder::Keep,
    request_id::RequestIds,
    settings::GatewaySettings,
};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: GatewaySettings,
    pub(crate) serving: Arc<Serving>,
    pub(crate) rooms: Option<Rooms>,
    pub(crate) outbox: Option<Box<dyn Keep>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) ids: RequestIds,
    pub(crate) crowd: Arc<Crowd>,
    draining: AtomicBool,
    working: watch::Sender<()>,
}

/// Held by work that goes on without its connection; the drain waits for it.
#[derive(Debug)]
pub(crate) struct Working(#[expect(dead_code, reason = "held, not used")] watch::Receiver<()>);

impl State {
    pub(crate) fn new(
        settings: GatewaySettings,
        serving: Serving,
        rooms: Option<Rooms>,
        outbox: Option<Box<dyn Keep>>,
    ) -> Self {
        Self {
            crowd: Arc::new(Crowd::new(settings.all_bodies_bytes)),
            settings,
            serving: Arc::new(serving),
            rooms,
            outbox,
            metrics: Arc::new(Metrics::new()),
            ids: RequestIds::new(),
            draining: AtomicBool::new(false),
            working: watch::Sender::new(()),
        }
    }

    /// The deployment with this id.
    pub(crate) fn deployment(&self, id: &str) -> Option<&Arc<Serving>> {
        (self.serving.id == id).then_some(&self.serving)
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
