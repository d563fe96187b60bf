//! A model package that is loaded and ready to answer for a deployment.

use std::{sync::Arc, time::Duration};

use hyper::header::HeaderValue;
use record::ModelDigest;
use tokio::sync::Semaphore;

use crate::{
    fault::Fault,
    fleet::{CallStats, Pace},
    privacy::Privacy,
    schema::{Schema, SchemaError},
    scoring::Score,
    settings::DeploymentSettings,
};

/// Hex digits of the package's digest that stand for it on the monitoring side: as many as its ids have.
const MODEL_ID_DIGITS: usize = 24;

/// A package that serves. It is the same whether it answers alone, for a share, or not at all.
#[derive(Debug)]
pub(crate) struct Serving {
    /// The deployment.
    pub(crate) id: Arc<str>,
    pub(crate) model_id: String,
    /// Name and version of the manifest.
    pub(crate) name: String,
    pub(crate) version: String,
    /// The trusted key that has signed it.
    pub(crate) signed_by: Option<String>,
    pub(crate) schema: Schema,
    pub(crate) privacy: Privacy,
    /// The target's name as JSON.
    pub(crate) target: Vec<u8>,
    pub(crate) digest: String,
    pub(crate) digest_header: HeaderValue,
    /// As records have it.
    pub(crate) model_digest: Option<ModelDigest>,
    pub(crate) scorer: Box<dyn Score>,
    /// One permit an instance of the model, so that nobody waits for one on a thread that others need.
    pub(crate) instances: Arc<Semaphore>,
    pub(crate) settings: Arc<DeploymentSettings>,
    pub(crate) pace: Pace,
    pub(crate) calls: CallStats,
}

impl Serving {
    /// Binds a model. Without a `model_id` its digest stands for it.
    pub(crate) fn new(
        id: Arc<str>,
        model_id: Option<String>,
        scorer: Box<dyn Score>,
        signed_by: Option<String>,
        settings: Arc<DeploymentSettings>,
    ) -> Result<Self, SchemaError> {
        let digest = scorer.digest();
        let schema = Schema::new(scorer.features(), &settings.association_id_column)?;
        let hex = digest.rsplit(':').next().unwrap_or_default();
        Ok(Self {
            id,
            model_id: model_id.unwrap_or_else(|| hex.chars().take(MODEL_ID_DIGITS).collect()),
            name: scorer.name().to_owned(),
            version: scorer.version().to_owned(),
            signed_by,
            privacy: Privacy::new(&settings.privacy, &schema)?,
            schema,
            target: serde_json::to_vec(scorer.target()).expect("a string is always JSON"),
            // A digest that is none is left out, rather than the record.
            model_digest: digest.parse().ok(),
            digest_header: HeaderValue::from_str(&digest).expect("a digest is hex"),
            digest,
            instances: Arc::new(Semaphore::new(scorer.instances())),
            pace: Pace::new(scorer.is_quick()),
            scorer,
            settings,
            calls: CallStats::default(),
        })
    }

    /// Scores, and counts how it went. The time is that of the call.
    pub(crate) fn score(
        &self,
        rows: u32,
        numbers: &[f64],
        small: bool,
    ) -> (Result<Vec<f64>, Fault>, Duration) {
        let started = std::time::Instant::now();
        let result = self.scorer.score(rows, numbers);
        let took = started.elapsed();
        if small {
            self.pace.took(took, result.is_ok());
        }
        self.calls.count(&result, rows, took);
        (result, took)
    }
}
