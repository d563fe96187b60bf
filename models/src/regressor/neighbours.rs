//! A mean over the nearest training rows.
//!
//! Which rows are nearest is a matter of taste when several are equally far: here a row enters only when it is
//! strictly nearer than the farthest of those that are in, rows being looked at in the order of training, and which
//! of several farthest ones leaves is decided by the heap of `Nearest`. That is smartcore's rule, heap and all,
//! so that a lowered model agrees with the one that was trained on every tie.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::{lanes, root::sqrt};
use crate::model::{
    TableError,
    validate::{Shape, broken, finite},
};

/// A mean over the nearest training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    /// How many rows are asked.
    pub k: u32,
    /// How much each of them counts.
    pub weighting: Weighting,
    /// What near is.
    pub metric: Metric,
    /// The training rows, row by row, as wide as the columns.
    pub points: Vec<f64>,
    /// One target a training row.
    pub targets: Vec<f64>,
}

/// How much a neighbour counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Weighting {
    /// All the same.
    Uniform,
    /// By the inverse of the distance; rows at distance 0 push all others out.
    Distance,
}

/// What near is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Metric {
    /// Root of the sum of squares.
    Euclidean,
    /// Sum of absolute differences.
    Manhattan,
    /// `(sum of |difference|^p)^(1/p)`, p at least 1.
    Minkowski {
        /// The power.
        p: f64,
    },
}

impl Neighbours {
    pub(crate) fn validate(&self, shape: &Shape<'_>) -> Result<(), TableError> {
        if shape.columns.is_empty() {
            return Err(broken("columns", 0, "is missing: nearness needs at least one column"));
        }
        if self.targets.len().checked_mul(shape.columns.len()) != Some(self.points.len()) {
            return Err(broken(
                "points",
                self.points.len(),
                "is where the training rows end: there must be one row of columns for each target",
            ));
        }
        if self.k == 0 || self.k as usize > self.targets.len() {
            return Err(broken("k", 0, "is not between 1 and the number of training rows"));
        }
        finite("points", &self.points)?;
        finite("targets", &self.targets)?;
        match self.metric {
            Metric::Minkowski { p } if !(p.is_finite() && p >= 1.0) => {
                Err(broken("metric", 0, "has a power below 1"))
            }
            _ => Ok(()),
        }
    }

    /// Appends one prediction for each row of `block`, whose rows have `width` values.
    pub(crate) fn score(
        &self,
        width: usize,
        block: &[f64],
        nearest: &mut Nearest,
        out: &mut Vec<f64>,
    ) {
        for row in block.chunks_exact(width) {
            nearest.clear(self.k as usize);
            match self.metric {
                metric @ Metric::Euclidean => {
                    self.find(row, nearest, metric, |p, x| (x - p) * (x - p))
                }
                metric @ Metric::Manhattan => {
                    self.find(row, nearest, metric, |p, x| libm::fabs(x - p))
                }
                metric @ Metric::Minkowski { p: power } => {
                    self.find(row, nearest, metric, |p, x| libm::pow(libm::fabs(x - p), power));
                }
            }
            out.push(self.mean(&nearest.heap));
        }
    }

    #[inline(always)]
    fn find(
        &self,
        row: &[f64],
        nearest: &mut Nearest,
        metric: Metric,
        term: impl Fn(f64, f64) -> f64 + Copy,
    ) {
        let mut index = 0;
        lanes::sums(&self.points, row, term, |sums| {
            for sum in sums {
                nearest.offer(*sum, metric, index);
                index += 1;
            }
        });
    }

    fn mean(&self, nearest: &[Candidate]) -> f64 {
        // Distances that overflow leave a place empty; it counts for nothing, and neither does its weight.
        let found = || nearest.iter().filter(|candidate| candidate.distance < f64::INFINITY);
        let exact = found().any(|candidate| candidate.distance == 0.0);
        let weight = |distance: f64| match self.weighting {
            Weighting::Uniform => 1.0,
            Weighting::Distance if exact => f64::from(u8::from(distance == 0.0)),
            Weighting::Distance => 1.0 / distance,
        };
        let total = found().fold(0.0, |sum, candidate| sum + weight(candidate.distance));
        if total == 0.0 {
            return f64::NAN;
        }
        found().fold(0.0, |sum, candidate| {
            let target = self.targets.get(candidate.index).copied().unwrap_or(f64::NAN);
            sum + target * (weight(candidate.distance) / total)
        })
    }
}

impl Metric {
    /// The distance that a sum over the columns stands for.
    fn distance(self, sum: f64) -> f64 {
        match self {
            Self::Euclidean => sqrt(sum),
            Self::Manhattan => sum,
            Self::Minkowski { p } => libm::pow(sum, 1.0 / p),
        }
    }

    /// Whether a sum that is not smaller never stands for a smaller distance. The exact root keeps order; a power from
    /// `libm`, which is off by a bit here and there, is not trusted to.
    fn keeps_order(self) -> bool {
        !matches!(self, Self::Minkowski { .. })
    }
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    distance: f64,
    /// What the distance was made of.
    sum: f64,
    index: usize,
}

/// The k nearest rows so far, as a heap with the farthest in front. The children of place `i` are `2i` and `2i + 1`,
/// counted from 0, so that the first place has itself and the second one for children: odd, but a heap all the same,
/// and the one that decides ties in training.
#[derive(Debug, Default)]
pub(crate) struct Nearest {
    heap: Vec<Candidate>,
}

impl Nearest {
    fn clear(&mut self, k: usize) {
        self.heap.clear();
        let nobody = Candidate { distance: f64::INFINITY, sum: f64::INFINITY, index: usize::MAX };
        self.heap.resize(k, nobody);
    }

    /// Takes a row in if it is nearer than the farthest. Most are not, which the sum tells without a root.
    #[inline(always)]
    fn offer(&mut self, sum: f64, metric: Metric, index: usize) {
        if let Some(farthest) = self.heap.first_mut()
            && (sum < farthest.sum || !metric.keeps_order())
        {
            let distance = metric.distance(sum);
            if distance < farthest.distance {
                *farthest = Candidate { distance, sum, index };
                self.sink();
            }
        }
    }

    /// Restores the heap after its first place has changed.
    fn sink(&mut self) {
        let mut parent = 0;
        while 2 * parent < self.heap.len() {
            let mut child = 2 * parent;
            if child + 1 < self.heap.len()
                && self.heap[child].distance < self.heap[child + 1].distance
            {
                child += 1;
            }
            if self.heap[parent].distance >= self.heap[child].distance {
                break;
            }
            self.heap.swap(parent, child);
            parent = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_rows_equally_far_the_first_stays() {
        let above = 1.0f64.next_up();
        assert_eq!(sqrt(above), sqrt(1.0), "two sums, one distance");
        let mut nearest = Nearest::default();
        nearest.clear(1);
        for (index, sum) in [4.0, above, 1.0, above].into_iter().enumerate() {
            nearest.offer(sum, Metric::Euclidean, index);
        }
        assert_eq!((nearest.heap[0].index, nearest.heap[0].distance), (1, 1.0));
        nearest.offer(1.0f64.next_down(), Metric::Euclidean, 4);
        assert_eq!(nearest.heap[0].index, 4);
    }
}
