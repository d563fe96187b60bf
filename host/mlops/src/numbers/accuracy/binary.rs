//! The metrics of two classes.

use serde::{Deserialize, Serialize};

use super::classes::is_positive;
use super::metric::{Metric, Reason, share};
use super::scores::Scores;
use super::{Actual, Outcome, step};
use crate::numbers::Sum;

/// The outcomes of two classes. The second one is the positive one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binary {
    threshold: f64,
    pub(super) unusable: u64,
    true_positives: u64,
    false_positives: u64,
    true_negatives: u64,
    false_negatives: u64,
    loss: Sum,
    scores: Scores,
}

impl Binary {
    /// Of nothing yet; the positive class is predicted from this probability on.
    pub(super) fn new(threshold: f64) -> Self {
        Self {
            threshold,
            unusable: 0,
            true_positives: 0,
            false_positives: 0,
            true_negatives: 0,
            false_negatives: 0,
            loss: Sum::default(),
            scores: Scores::default(),
        }
    }

    pub(super) fn count(&mut self, outcome: &Outcome<'_>, enters: bool) {
        let (Some(&score), Actual::Class(class @ 0..=1)) =
            (outcome.prediction.last(), outcome.actual)
        else {
            return step(&mut self.unusable, enters);
        };
        let Some(predicted) = is_positive(score, self.threshold) else {
            return step(&mut self.unusable, enters);
        };
        let positive = class == 1;
        let cell = match (positive, predicted) {
            (true, true) => &mut self.true_positives,
            (false, true) => &mut self.false_positives,
            (true, false) => &mut self.false_negatives,
            (false, false) => &mut self.true_negatives,
        };
        step(cell, enters);
        let loss = if positive { loss(score) } else { loss_of_other(score) };
        if enters {
            self.loss.add(loss)
        } else {
            self.loss.subtract(loss)
        }
        self.scores.count(score, positive, enters);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.unusable += other.unusable;
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.true_negatives += other.true_negatives;
        self.false_negatives += other.false_negatives;
        self.loss.merge(&other.loss);
        self.scores.merge(&other.scores);
    }

    pub(super) fn rows(&self) -> u64 {
        self.true_positives + self.false_positives + self.true_negatives + self.false_negatives
    }

    pub(super) fn report(&self) -> Vec<Metric> {
        let all = self.rows();
        let (tp, fp) = (self.true_positives, self.false_positives);
        let (tn, fn_) = (self.true_negatives, self.false_negatives);
        let plain = |name, value| Metric::new(name, all, all, value);
        let ordered = |name, value: Option<f64>| {
            plain(name, value.ok_or(Reason::OneClass)).by(self.scores.method())
        };
        let tpr = share(tp, tp + fn_, Reason::ClassNeverSeen);
        let tnr = share(tn, tn + fp, Reason::ClassNeverSeen);
        let both = |a: Result<f64, _>, b: Result<f64, _>| match (a, b) {
            (Ok(a), Ok(b)) => Ok((a + b) / 2.0),
            _one_class => Err(Reason::OneClass),
        };
        let area = self.scores.area();
        vec![
            plain("Accuracy", share(tp + tn, all, Reason::NoRows)),
            ordered("AUC", area),
            plain("Balanced Accuracy", both(tpr, tnr)),
            plain("FVE Binomial", self.explained(tp + fn_, all)),
            ordered("Gini Norm", area.map(|area| 2.0 * area - 1.0)),
            ordered("KS", self.scores.separation()),
            plain("LogLoss", Ok(self.loss.value() / all as f64)),
            ordered("Rate@Top5%", self.scores.rate_at_top(5)),
            ordered("Rate@Top10%", self.scores.rate_at_top(10)),
            plain("TPR", tpr),
            plain("FPR", share(fp, tn + fp, Reason::ClassNeverSeen)),
            plain("TNR", tnr),
            plain("PPV", share(tp, tp + fp, Reason::ClassNeverPredicted)),
            plain("F1", share(2 * tp, 2 * tp + fp + fn_, Reason::ClassNeverSeen)),
        ]
    }

    /// The share of the deviance of the positive rows' rate that the probabilities explain.
    fn explained(&self, positive: u64, all: u64) -> Result<f64, Reason> {
        if positive == 0 || positive == all {
            return Err(Reason::OneClass);
        }
        let part = |rows: u64| -(rows as f64) * (rows as f64 / all as f64).ln();
        Ok(1.0 - self.loss.value() / (part(positive) + part(all - positive)))
    }
}

/// The loss of the probability that what happened had. Probabilities are kept off 0 and 1 by the step of a number at 1, as
/// scikit-learn's `log_loss` does it.
pub(super) fn loss(probability: f64) -> f64 {
    -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

/// The loss of the probability that what did not happen had.
fn loss_of_other(probability: f64) -> f64 {
    -(-probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON)).ln_1p()
}
