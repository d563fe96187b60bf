//! How far the counts of a window are from those of the baseline.
//!
//! All are 0 for the same shares and grow with drift. `p` are the shares of the window, `q` those of the baseline.
//!
//! Where a logarithm would meet an empty bin (PSI, Kullback-Leibler), a share is not taken to be below its floor: half a row of its
//! side, and never below [`SHARE_FLOOR`]. A sample cannot tell a smaller share from none, and a large baseline
//! would otherwise let a handful of rows below the training range look like drift. A bin that is empty on both sides counts 0.

use serde::{Deserialize, Serialize};

/// What a share is never taken to be below in a logarithm.
pub const SHARE_FLOOR: f64 = 1e-4;
/// The rows that a share is never taken to be below in a logarithm.
const ROW_FLOOR: f64 = 0.5;
/// Rows that a window must have for a verdict.
pub const DEFAULT_MINIMUM_ROWS: u64 = 100;
/// A distance above it is drift.
pub const DEFAULT_DRIFT_THRESHOLD: f64 = 0.15;

/// A way to measure drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Distance {
    /// Population stability index: the sum of `(p - q) ln(p / q)`, both at least at their floors.
    #[default]
    Psi,
    /// The sum of `p ln(p / q)` in nats, `q` at least at its floor and then made to sum to 1.
    KullbackLeibler,
    /// The Jensen-Shannon distance with base 2 (the root of the divergence), between 0 and 1.
    JensenShannon,
    /// Between 0 and 1.
    Hellinger,
    /// 1 less the shares that both have, between 0 and 1.
    HistogramIntersection,
}

impl Distance {
    /// How far the window's counts are from the baseline's, bin by bin; none when either has no rows, or when they
    /// have not the same bins.
    #[must_use]
    pub fn between(self, actual: &[u64], baseline: &[u64]) -> Option<f64> {
        let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        let (rows, baseline_rows) = (total(actual), total(baseline));
        if rows == 0.0 || baseline_rows == 0.0 || actual.len() != baseline.len() {
            return None;
        }
        let floored = |share: f64, rows: f64| share.max(SHARE_FLOOR.max(ROW_FLOOR / rows));
        let shares = actual.iter().zip(baseline).filter(|(a, b)| **a > 0 || **b > 0);
        let shares = shares.map(|(a, b)| (*a as f64 / rows, *b as f64 / baseline_rows));
        Some(match self {
            Self::Psi => shares
                .map(|(p, q)| (floored(p, rows), floored(q, baseline_rows)))
                .map(|(p, q)| (p - q) * (p / q).ln())
                .sum(),
            Self::KullbackLeibler => {
                let all: f64 = shares.clone().map(|(_, q)| floored(q, baseline_rows)).sum();
                shares.map(|(p, q)| relative(p, floored(q, baseline_rows) / all)).sum()
            }
            Self::JensenShannon => {
                let middle = |p: f64, q: f64| f64::midpoint(p, q);
                let both: f64 = shares
                    .map(|(p, q)| relative(p, middle(p, q)) + relative(q, middle(p, q)))
                    .sum();
                (both / (2.0 * std::f64::consts::LN_2)).clamp(0.0, 1.0).sqrt()
            }
            Self::Hellinger => {
                let squares: f64 = shares.map(|(p, q)| (p.sqrt() - q.sqrt()).powi(2)).sum();
                (squares / 2.0).sqrt()
            }
            Self::HistogramIntersection => shares.map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0,
        })
    }
}

/// A summand of a relative entropy; 0 where there is nothing.
fn relative(p: f64, q: f64) -> f64 {
    if p > 0.0 { p * (p / q).ln() } else { 0.0 }
}

/// How far a column has drifted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Drift {
    /// By this.
    Distance(f64),
    /// The window or the baseline has too few rows to say.
    NotEnoughData,
}

/// What a column's drift calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Too few rows to say.
    NotEnoughData,
    /// Nothing.
    Green,
    /// A look: a feature of low importance is over the threshold.
    Yellow,
    /// Action: a feature of high importance is over the threshold.
    Red,
}

impl Drift {
    /// Measures it; with fewer rows in the window than `minimum_rows` there is nothing to say.
    #[must_use]
    pub fn of(distance: Distance, actual: &[u64], baseline: &[u64], minimum_rows: u64) -> Self {
        if actual.iter().sum::<u64>() < minimum_rows {
            return Self::NotEnoughData;
        }
        distance.between(actual, baseline).map_or(Self::NotEnoughData, Self::Distance)
    }

    /// What it calls for.
    #[must_use]
    pub fn verdict(self, threshold: f64, important: bool) -> Verdict {
        match self {
            Self::NotEnoughData => Verdict::NotEnoughData,
            Self::Distance(distance) if distance <= threshold => Verdict::Green,
            Self::Distance(_) if important => Verdict::Red,
            Self::Distance(_) => Verdict::Yellow,
        }
    }
}
