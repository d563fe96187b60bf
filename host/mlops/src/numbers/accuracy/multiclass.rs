//! The metrics of several classes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::binary::loss;
use super::classes::most_probable;
use super::metric::{Method, Metric, Reason, share};
use super::scores::Scores;
use super::{Actual, Outcome, step};
use crate::numbers::Sum;

/// Targets with up to so many classes keep the scores of each class, for AUC.
pub const CLASSES_WITH_SCORES: usize = 25;

/// The outcomes of several classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Multiclass {
    classes: usize,
    pub(super) unusable: u64,
    /// Rows by what happened and what was predicted.
    cells: BTreeMap<(u32, u32), u64>,
    loss: Sum,
    scores: Vec<Scores>,
}

impl Multiclass {
    pub(super) fn new(classes: usize) -> Self {
        let kept = if classes <= CLASSES_WITH_SCORES { classes } else { 0 };
        Self {
            classes,
            unusable: 0,
            cells: BTreeMap::new(),
            loss: Sum::default(),
            scores: vec![Scores::default(); kept],
        }
    }

    pub(super) fn count(&mut self, outcome: &Outcome<'_>, enters: bool) {
        let probabilities = outcome.prediction;
        let happened = match outcome.actual {
            Actual::Class(class) => probabilities.get(class).map(|p| (class, *p)),
            Actual::Number(_) => None,
        };
        let predicted = most_probable(probabilities, self.classes);
        let (Some(predicted), Some((class, probability))) = (predicted, happened) else {
            return step(&mut self.unusable, enters);
        };
        let key = (class as u32, predicted as u32);
        let cell = self.cells.entry(key).or_default();
        step(cell, enters);
        if *cell == 0 {
            self.cells.remove(&key);
        }
        let loss = loss(probability);
        if enters {
            self.loss.add(loss)
        } else {
            self.loss.subtract(loss)
        }
        for (at, (scores, p)) in self.scores.iter_mut().zip(probabilities).enumerate() {
            scores.count(*p, at == class, enters);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.unusable += other.unusable;
        for (key, rows) in &other.cells {
            *self.cells.entry(*key).or_default() += rows;
        }
        self.loss.merge(&other.loss);
        for (ours, theirs) in self.scores.iter_mut().zip(&other.scores) {
            ours.merge(theirs);
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.cells.values().sum()
    }

    pub(super) fn report(&self) -> Vec<Metric> {
        let all = self.rows();
        let plain = |name, value| Metric::new(name, all, all, value);
        let mut classes = vec![Class::default(); self.classes];
        for (&(happened, predicted), rows) in &self.cells {
            classes[happened as usize].happened += rows;
            classes[predicted as usize].predicted += rows;
            if happened == predicted {
                classes[happened as usize].right += rows;
            }
        }
        let right = classes.iter().map(|class| class.right).sum();
        let recalls = classes.iter().filter_map(|class| class.recall().ok());
        let (sum, seen) = recalls.fold((0.0, 0u64), |(sum, seen), rate| (sum + rate, seen + 1));
        let mut metrics = vec![
            plain("Accuracy", share(right, all, Reason::NoRows)),
            plain("Balanced Accuracy", Ok(sum / seen as f64)),
            plain("LogLoss", Ok(self.loss.value() / all as f64)),
            plain("AUC", self.area(&classes, all)).by(self.method()),
        ];
        for (at, class) in classes.iter().enumerate() {
            let double = class.happened + class.predicted;
            metrics.push(plain("TPR", class.recall()).of_class(at));
            let precision = share(class.right, class.predicted, Reason::ClassNeverPredicted);
            metrics.push(plain("PPV", precision).of_class(at));
            let f1 = share(2 * class.right, double, Reason::ClassNeverSeen);
            metrics.push(plain("F1", f1).of_class(at));
        }
        metrics
    }

    /// Each class against the rest, weighted by how often it happened.
    fn area(&self, classes: &[Class], all: u64) -> Result<f64, Reason> {
        if self.scores.is_empty() {
            return Err(Reason::TooManyClasses);
        }
        let weighted = self.scores.iter().zip(classes).filter(|(_, class)| class.happened > 0);
        let areas = weighted.map(|(scores, class)| Some(scores.area()? * class.happened as f64));
        let sum: Option<f64> = areas.sum();
        sum.map(|sum| sum / all as f64).ok_or(Reason::OneClass)
    }

    fn method(&self) -> Method {
        let grid = self.scores.iter().any(|scores| scores.method() == Method::Grid);
        if grid { Method::Grid } else { Method::Exact }
    }
}

/// How one class fared.
#[derive(Clone, Copy, Debug, Default)]
struct Class {
    happened: u64,
    predicted: u64,
    right: u64,
}

impl Class {
    fn recall(self) -> Result<f64, Reason> {
        share(self.right, self.happened, Reason::ClassNeverSeen)
    }
}
