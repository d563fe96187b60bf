//! From a package's training data to the bins that its rows are counted in.

use models::schema::Kind;

use super::{Deployment, Package, Settings, TargetDescription, TargetType};
use crate::ingest::{DeploymentPlan, PackagePlan};
use crate::numbers::Bins;
use crate::numbers::accuracy::{THRESHOLD, Target};
use crate::report::{Baseline, Column};
use std::sync::Arc;

/// What a feature counts for when nobody says: fully.
const IMPORTANCE: f64 = 1.0;

/// What ingest must know of a deployment.
pub(super) fn plan(deployment: &Deployment, packages: &[Arc<Package>]) -> DeploymentPlan {
    let target = match packages.first() {
        Some(package) => target(&package.target, &deployment.settings),
        None => Target::Regression,
    };
    let settings = &deployment.settings;
    DeploymentPlan {
        association_required: settings.association_id.required_in_prediction_requests,
        rows_an_hour: settings.rate_limit_rows_an_hour,
        ahead_us: settings.clock.ahead_seconds.saturating_mul(1_000_000),
        behind_us: settings.clock.behind_seconds.saturating_mul(1_000_000),
        slow_ms: settings.slow_requests_ms,
        drift: settings.feature_drift.enabled || settings.target_drift.enabled,
        accuracy: true,
        ..DeploymentPlan::new(
            deployment.id.clone(),
            target,
            packages.iter().map(|package| package_plan(package)).collect(),
        )
    }
}

fn target(target: &TargetDescription, settings: &Settings) -> Target {
    let names = target.class_names.clone().unwrap_or_default();
    let threshold =
        settings.prediction_threshold.or(target.prediction_threshold).unwrap_or(THRESHOLD);
    match (target.kind, <[String; 2]>::try_from(names)) {
        (TargetType::Binary, Ok(classes)) => Target::Binary { classes, threshold },
        (TargetType::Multiclass, Ok(classes)) => Target::Multiclass { classes: classes.into() },
        (TargetType::Multiclass, Err(classes)) => Target::Multiclass { classes },
        _ => Target::Regression,
    }
}

fn package_plan(package: &Package) -> PackagePlan {
    let columns = columns(package, &Settings::default());
    let features = columns.features.iter().map(|it| (it.name.clone(), it.bins.clone())).collect();
    let predictions = columns.predictions.map(|column| column.bins);
    let digest = package.digest.clone();
    PackagePlan::new(package.plan, package.model_id.clone(), digest, features, predictions)
}

/// The training data of a package, as rows are compared with it.
pub(super) fn baseline(package: &Package, settings: &Settings) -> Option<Baseline> {
    package.baseline.is_some().then(|| columns(package, settings))
}

fn columns(package: &Package, settings: &Settings) -> Baseline {
    // What a person says goes over what the trainer has measured.
    let measured = package.baseline.as_ref().map_or(&[][..], |baseline| &baseline.importance);
    let importance = |name: &str, at: usize| {
        let said = settings.feature_importance.get(name);
        said.or(measured.get(at)).copied().unwrap_or(IMPORTANCE)
    };
    let mut features = Vec::new();
    let mut predictions = None;
    if let Some(baseline) = &package.baseline {
        let trained = package.features.iter().zip(&baseline.features);
        for (at, (feature, distribution)) in trained.enumerate() {
            let (bins, tally) = Bins::of(distribution, Some(&feature.kind));
            let importance = importance(&feature.name, at);
            features.push(Column { name: feature.name.clone(), bins, tally, importance });
        }
        // A classification's predictions are probabilities, which training's labels say nothing of.
        let kind = match package.target.kind {
            TargetType::Regression => Some(Kind::Numeric),
            _ => None,
        };
        predictions = kind.map(|kind| {
            let (bins, tally) = Bins::of(&baseline.predictions, Some(&kind));
            Column { name: package.target.name.clone(), bins, tally, importance: IMPORTANCE }
        });
    }
    Baseline { plan: package.plan, features, predictions, metrics: package.metrics.clone() }
}
