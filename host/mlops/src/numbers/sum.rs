//! Sums that lose nothing that a report could show, and from which can be taken what was added.

use serde::{Deserialize, Serialize};

use super::double::Double;

/// A sum of numbers, kept to 106 bits. What was added can be taken away again, in any order: what stays is as good as if
/// it had never been there, to 1e-30 of the largest number that was ever in the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum(Double);

impl Sum {
    /// Adds a number, which must be finite: others could never be taken away.
    pub fn add(&mut self, x: f64) {
        self.0 = self.0 + Double::from(x);
    }

    /// Takes away a number that was added.
    pub fn subtract(&mut self, x: f64) {
        self.0 = self.0 - Double::from(x);
    }

    /// Adds a number of twice the usual precision.
    pub fn add_double(&mut self, x: Double) {
        self.0 = self.0 + x;
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.0 = self.0 + other.0;
    }

    /// The sum.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.0.value()
    }

    /// The sum to twice the usual precision.
    #[must_use]
    pub fn double(&self) -> Double {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_taken_away_was_never_there(
            kept in prop::collection::vec(-1e12f64..1e12, 0..50),
            gone in prop::collection::vec(-1e12f64..1e12, 0..50),
        ) {
            let (mut pure, mut mixed) = (Sum::default(), Sum::default());
            for (at, x) in kept.iter().enumerate() {
                pure.add(*x);
                if let Some(other) = gone.get(at) { mixed.add(*other); }
                mixed.add(*x);
            }
            for x in gone.iter().skip(kept.len()) { mixed.add(*x); }
            for x in &gone { mixed.subtract(*x); }
            prop_assert_eq!(mixed.value().to_bits(), (pure.value() + 0.0).to_bits());
        }

        #[test]
        fn sums_add_up_in_any_order(
            parts in prop::collection::vec(prop::collection::vec(-1e15f64..1e15, 0..9), 3),
        ) {
            let sum = |numbers: &[f64]| {
                let mut sum = Sum::default();
                numbers.iter().for_each(|x| sum.add(*x));
                sum
            };
            let parts: Vec<Sum> = parts.iter().map(|part| sum(part)).collect();
            let merged = |order: [usize; 3]| {
                let mut all = Sum::default();
                order.iter().for_each(|at| all.merge(&parts[*at]));
                all.value().to_bits()
            };
            prop_assert_eq!(merged([0, 1, 2]), merged([2, 0, 1]));
        }
    }

    #[test]
    fn a_small_number_survives_beside_large_ones() {
        let mut sum = Sum::default();
        sum.add(1e16);
        (0..1000).for_each(|_| sum.add(0.001));
        sum.subtract(1e16);
        assert!((sum.value() - 1.0).abs() < 1e-12);
    }
}
