//! What ingest must know of a deployment. It is made from the registry when the deployment changes, and read by every
//! call.

use std::collections::HashMap;

use crate::numbers::Bins;
use crate::numbers::accuracy::Target;

/// How far a device's clock may be ahead, by default: 5 minutes.
pub const AHEAD_US: i64 = 5 * 60 * 1_000_000;
/// How far it may be behind, by default: a day. Records that waited for a connection look like this too.
pub const BEHIND_US: i64 = 24 * 3_600 * 1_000_000;
/// Requests that took longer count as slow, by default: 2 seconds.
pub const SLOW_MS: f64 = 2_000.0;

/// A deployment, as ingest sees it.
#[derive(Clone, Debug)]
pub struct DeploymentPlan {
    /// Its id.
    pub id: String,
    /// What it predicts.
    pub target: Target,
    /// Rows must have an association id. One that has none is counted, and taken all the same.
    pub association_required: bool,
    /// Its packages, the champion first; also former ones, whose records may come late.
    pub packages: Vec<PackagePlan>,
    /// So many rows are counted in an hour; none for no limit.
    pub rows_an_hour: Option<u64>,
    /// A device's time further ahead is flagged.
    pub ahead_us: i64,
    /// A device's time further behind is flagged.
    pub behind_us: i64,
    /// Requests that took longer count as slow; in milliseconds.
    pub slow_ms: f64,
    /// Rows count for drift.
    pub drift: bool,
    /// Predictions wait for their actuals.
    pub accuracy: bool,
}

impl DeploymentPlan {
    /// A deployment with the usual settings.
    pub fn new(id: impl Into<String>, target: Target, packages: Vec<PackagePlan>) -> Self {
        Self {
            id: id.into(),
            target,
            association_required: false,
            packages,
            rows_an_hour: None,
            ahead_us: AHEAD_US,
            behind_us: BEHIND_US,
            slow_ms: SLOW_MS,
            drift: true,
            accuracy: true,
        }
    }

    /// The package that gave some numbers: by its digest, else by the model's id, else the champion's.
    pub(crate) fn package(
        &self,
        model: Option<&str>,
        digest: Option<&str>,
    ) -> Option<&PackagePlan> {
        let by_digest = |digest: &str| {
            self.packages.iter().find(|package| package.digest.as_deref() == Some(digest))
        };
        let by_model = |model: &str| self.packages.iter().find(|package| package.model_id == model);
        match (digest, model) {
            (Some(digest), model) => by_digest(digest).or_else(|| by_model(model?)),
            (None, Some(model)) => by_model(model),
            (None, None) => self.packages.first(),
        }
    }
}

/// A package of a deployment, and how its columns are binned.
#[derive(Clone, Debug)]
pub struct PackagePlan {
    /// The number of these bins: other bins have another.
    pub number: u32,
    /// The model's id.
    pub model_id: String,
    /// The package's digest; none for an external model.
    pub digest: Option<String>,
    /// How predictions are binned.
    pub predictions: Option<Bins>,
    features: Vec<(String, Bins)>,
    places: HashMap<String, usize, foldhash::fast::FixedState>,
}

impl PackagePlan {
    /// Bins for the columns of a package, in the order in which its rollups have them.
    pub fn new(
        number: u32,
        model_id: impl Into<String>,
        digest: Option<String>,
        features: Vec<(String, Bins)>,
        predictions: Option<Bins>,
    ) -> Self {
        let places =
            features.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        Self { number, model_id: model_id.into(), digest, predictions, features, places }
    }

    /// The columns.
    pub fn features(&self) -> &[(String, Bins)] {
        &self.features
    }

    /// A column's place. It is looked for at `hint` first, because rows have their columns in the same order.
    pub(crate) fn place(&self, name: &str, hint: usize) -> Option<usize> {
        match self.features.get(hint) {
            Some((there, _)) if there == name => Some(hint),
            _other => self.places.get(name).copied(),
        }
    }
}
