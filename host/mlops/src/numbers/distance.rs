//! How far two histograms lie apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A bin is never taken for rarer than this share of the rows. An empty bin would otherwise be infinitely far from one
/// that is not, and the distance would say how many rows there are rather than how they are spread.
pub const SMALLEST_SHARE: f64 = 1e-4;
/// Nor, where there are few rows, for rarer than so many rows: fewer than one cannot be seen.
pub const SMALLEST_ROWS: f64 = 0.5;

/// A way to compare how rows are spread over bins with how training's were. All are 0 where both are alike and grow as they
/// differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Distance {
    /// The population stability index, sum of (p - q) ln(p / q).
    #[default]
    Psi,
    /// The Kullback-Leibler divergence of the rows from training, sum of p ln(p / q), in nats.
    #[serde(alias = "kl_divergence")]
    KullbackLeibler,
    /// The Jensen-Shannon distance to base 2: the root of the divergence, from 0 to 1.
    #[serde(alias = "js_divergence")]
    JensenShannon,
    /// The Hellinger distance, from 0 to 1.
    Hellinger,
    /// What the two histograms do not have in common: 1 less the intersection, from 0 to 1.
    #[serde(alias = "dissimilarity")]
    HistogramIntersection,
}

impl Distance {
    /// The distance of counts from those of the baseline, bin by bin; none when either has no rows or their bins differ.
    ///
    /// PSI and Kullback-Leibler, which divide, lift the shares of rare bins ([`SMALLEST_SHARE`], [`SMALLEST_ROWS`]) and make
    /// all shares of a histogram add up to one again. Bins that are empty on both sides say nothing.
    #[must_use]
    pub fn between(self, counts: &[u64], baseline: &[u64]) -> Option<f64> {
        if counts.len() != baseline.len() {
            return None;
        }
        let lifts = matches!(self, Self::Psi | Self::KullbackLeibler);
        let pairs: Vec<(u64, u64)> = counts
            .iter()
            .zip(baseline)
            .filter(|(a, b)| **a > 0 || **b > 0)
            .map(|(a, b)| (*a, *b))
            .collect();
        let ps = shares(pairs.iter().map(|pair| pair.0), lifts)?;
        let qs = shares(pairs.iter().map(|pair| pair.1), lifts)?;
        let sum = |term: fn(f64, f64) -> f64| -> f64 {
            ps.iter().zip(&qs).map(|(p, q)| term(*p, *q)).sum()
        };
        let distance = match self {
            Self::Psi => sum(|p, q| (p - q) * (p / q).ln()),
            Self::KullbackLeibler => sum(|p, q| p * (p / q).ln()),
            Self::JensenShannon => sum(|p, q| {
                let middle = (p + q) / 2.0;
                (entropy(p, middle) + entropy(q, middle)) / 2.0
            })
            .max(0.0)
            .sqrt(),
            Self::Hellinger => sum(|p, q| {
                let apart = p.sqrt() - q.sqrt();
                apart * apart / 2.0
            })
            .sqrt(),
            Self::HistogramIntersection => sum(|p, q| (p - q).abs() / 2.0),
        };
        // What rounding leaves of nothing.
        Some(distance.max(0.0))
    }
}

/// p log2(p / q), nothing for an empty bin.
fn entropy(p: f64, q: f64) -> f64 {
    if p > 0.0 { p * (p / q).log2() } else { 0.0 }
}

/// Counts as shares that add up to one.
fn shares(counts: impl Iterator<Item = u64> + Clone, lifted: bool) -> Option<Vec<f64>> {
    let rows = counts.clone().map(u128::from).sum::<u128>() as f64;
    if rows == 0.0 {
        return None;
    }
    let least = if lifted { SMALLEST_SHARE.max(SMALLEST_ROWS / rows) } else { 0.0 };
    let shares: Vec<f64> = counts.map(|count| (count as f64 / rows).max(least)).collect();
    let whole: f64 = shares.iter().sum();
    Some(shares.iter().map(|share| share / whole).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_as_far_as_nothing_says() {
        for distance in [Distance::Psi, Distance::JensenShannon] {
            assert_eq!(distance.between(&[0, 0], &[1, 2]), None);
            assert_eq!(distance.between(&[1, 2], &[0, 0]), None);
            assert_eq!(distance.between(&[1], &[1, 2]), None);
            assert_eq!(distance.between(&[3, 6], &[1, 2]), Some(0.0));
        }
    }

    #[test]
    fn an_empty_bin_weighs_the_same_however_many_rows_there_are() {
        let psi = |rows: u64| Distance::Psi.between(&[rows, 0], &[rows / 2, rows / 2]);
        // From where one row is below the smallest share, more rows change nothing.
        assert_eq!(psi(1_000_000), psi(1_000_000_000));
        // And one row there is not further off than none.
        let one = Distance::Psi.between(&[999_999, 1], &[500_000, 500_000]);
        assert!(one.unwrap() <= psi(1_000_000).unwrap());
        // Few rows cannot show a rare bin.
        let few = Distance::Psi.between(&[100, 0], &[99, 1]).unwrap();
        assert!(few < 0.01, "{few}");
    }
}
