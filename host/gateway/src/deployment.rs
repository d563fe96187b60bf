//! A deployment: a named slot that serves one model package.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::header::HeaderValue;
use tokio::sync::Semaphore;

use crate::{
    privacy::Privacy,
    schema::{Schema, SchemaError},
    scoring::Score,
    settings::{DeploymentSettings, INLINE_TIME},
};

/// A deployment, as the program that owns the gateway gives it.
#[derive(Debug)]
pub struct Deployment {
    /// Its id: the last part but one of `/deployments/{id}/predict`, and the record's deployment id.
    pub id: String,
    /// The model's id on the monitoring side.
    pub model_id: String,
    /// The loaded package.
    pub scorer: engine::Scorer,
    /// How it treats its requests.
    pub settings: DeploymentSettings,
}

/// A deployment that serves.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) id: String,
    pub(crate) model_id: String,
    pub(crate) schema: Schema,
    pub(crate) privacy: Privacy,
    /// The target's name as JSON.
    pub(crate) target: Vec<u8>,
    pub(crate) digest: String,
    pub(crate) digest_header: HeaderValue,
    pub(crate) scorer: Box<dyn Score>,
    /// One permit an instance of the model, so that nobody waits for one on a thread that others need.
    pub(crate) instances: Arc<Semaphore>,
    pub(crate) settings: DeploymentSettings,
    slow: AtomicBool,
}

impl Serving {
    pub(crate) fn new(
        id: String,
        model_id: String,
        scorer: Box<dyn Score>,
        settings: DeploymentSettings,
    ) -> Result<Self, SchemaError> {
        let digest = scorer.digest();
        let schema = Schema::new(scorer.features(), &settings.association_id_column)?;
        Ok(Self {
            id,
            model_id,
            privacy: Privacy::new(&settings.privacy, &schema)?,
            schema,
            target: serde_json::to_vec(scorer.target()).expect("a string is always JSON"),
            digest_header: HeaderValue::from_str(&digest).expect("a digest is hex"),
            digest,
            instances: Arc::new(Semaphore::new(scorer.instances())),
            scorer,
            settings,
            slow: AtomicBool::new(false),
        })
    }

    /// Whether the model took too long lately for the thread of a request.
    pub(crate) fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// Notes how long the model took for a small body.
    pub(crate) fn took(&self, time: Duration) {
        let slow = time > INLINE_TIME;
        if slow != self.is_slow() {
            self.slow.store(slow, Ordering::Relaxed);
        }
    }
}
