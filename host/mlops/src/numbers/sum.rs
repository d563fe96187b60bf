//! Sums that survive cancellation: two doubles that together hold 106 bits.
//!
//! A plain sum of squares far from zero loses the variance in its rounding; this one keeps it. Taking away what was
//! added leaves what was there, up to 2^-104 of the largest value on the way.

use serde::{Deserialize, Serialize};

/// A sum in double-double arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    /// The sum of these two, `low` being the small one.
    #[must_use]
    pub(crate) fn of(high: f64, low: f64) -> Self {
        let (high, low) = quick_two_sum(high, low);
        Self { high, low }
    }

    /// Takes a value.
    pub fn add(&mut self, value: f64) {
        let (high, low) = two_sum(self.high, value);
        *self = Self::of(high, low + self.low);
    }

    /// Takes a value away.
    pub fn subtract(&mut self, value: f64) {
        self.add(-value);
    }

    /// Takes a product without rounding it first.
    pub fn add_product(&mut self, a: f64, b: f64) {
        self.merge(&Self::product(a, b));
    }

    /// Takes a product away.
    pub fn subtract_product(&mut self, a: f64, b: f64) {
        self.add_product(-a, b);
    }

    /// Takes everything of another sum.
    pub fn merge(&mut self, other: &Self) {
        let (high, error) = two_sum(self.high, other.high);
        let (low, lower) = two_sum(self.low, other.low);
        let (high, error) = quick_two_sum(high, error + low);
        *self = Self::of(high, error + lower);
    }

    /// The sum as one double.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.high + self.low
    }

    /// The exact product of two doubles.
    #[must_use]
    pub(crate) fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self { high, low: a.mul_add(b, -high) }
    }

    /// The same with the other sign.
    #[must_use]
    pub(crate) fn negated(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }

    /// This less the other.
    #[must_use]
    pub(crate) fn less(mut self, other: &Self) -> Self {
        self.merge(&other.negated());
        self
    }

    /// This times the other.
    #[must_use]
    pub(crate) fn times(self, other: &Self) -> Self {
        let Self { high, low } = Self::product(self.high, other.high);
        Self::of(high, low + (self.high * other.low + self.low * other.high))
    }

    /// This divided by the other.
    #[must_use]
    pub(crate) fn over(self, other: &Self) -> Self {
        let first = self.high / other.high;
        let rest = self.less(&other.times(&Self::from(first)));
        let second = rest.high / other.high;
        let rest = rest.less(&other.times(&Self::from(second)));
        let mut quotient = Self::of(first, second);
        quotient.add(rest.high / other.high);
        quotient
    }

    /// The square root; of what is not positive 0.
    #[must_use]
    pub(crate) fn root(self) -> Self {
        if self.high <= 0.0 {
            return Self::default();
        }
        let root = self.high.sqrt();
        let rest = self.less(&Self::product(root, root));
        Self::of(root, rest.high / (2.0 * root))
    }
}

impl From<f64> for Sum {
    fn from(value: f64) -> Self {
        Self { high: value, low: 0.0 }
    }
}

/// What `a + b` is, and what was lost.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// The same for |a| >= |b|.
fn quick_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}
