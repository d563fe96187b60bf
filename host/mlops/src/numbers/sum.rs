//! Sums that are never rounded, so that what was added can be taken away as if it had never been there.

use serde::{Deserialize, Serialize};

use super::double::{Double, two_sum};

/// A sum of numbers, exactly: numbers that do not overlap and add up to it, the smallest first (Shewchuk's expansions). There
/// are two to four of them unless the numbers are of very different sizes. The order in which numbers come and go does not
/// matter to the last bit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sum(Vec<f64>);

impl Sum {
    /// Adds a number, which must be finite: others could never be taken away. So must every sum on the way be.
    pub fn add(&mut self, mut x: f64) {
        let mut kept = 0;
        for at in 0..self.0.len() {
            let (high, low) = two_sum(x, self.0[at]);
            if low != 0.0 {
                self.0[kept] = low;
                kept += 1;
            }
            x = high;
        }
        self.0.truncate(kept);
        if x != 0.0 {
            self.0.push(x);
        }
    }

    /// Takes away a number that was added.
    pub fn subtract(&mut self, x: f64) {
        self.add(-x);
    }

    /// Adds both parts of a number of twice the usual precision.
    pub fn add_double(&mut self, x: Double) {
        let (high, low) = x.parts();
        self.add(low);
        self.add(high);
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|part| self.add(*part));
    }

    /// The number nearest to the sum.
    #[must_use]
    pub fn value(&self) -> f64 {
        let mut parts = self.0.iter().rev();
        let mut high = parts.next().copied().unwrap_or(0.0);
        let mut low = 0.0;
        for part in parts.by_ref() {
            (high, low) = two_sum(high, *part);
            if low != 0.0 {
                break;
            }
        }
        // Half way between two numbers, what is left says which one is nearer.
        if let Some(next) = parts.next()
            && low.signum() == next.signum()
        {
            let double = low * 2.0;
            let up = high + double;
            if up - high == double {
                return up;
            }
        }
        high
    }

    /// The sum to twice the usual precision.
    #[must_use]
    pub fn double(&self) -> Double {
        let high = self.value();
        let mut rest = self.clone();
        rest.subtract(high);
        Double::of_parts(high, rest.value())
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        let mut rest = self.clone();
        other.0.iter().for_each(|part| rest.subtract(*part));
        rest.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of every size, but not so large that a sum comes to an end.
    fn number() -> impl Strategy<Value = f64> {
        prop::num::f64::NORMAL.prop_map(|x| x / 1e10)
    }

    proptest! {
        #[test]
        fn what_is_taken_away_was_never_there(
            kept in prop::collection::vec(number(), 0..50),
            gone in prop::collection::vec(number(), 0..50),
        ) {
            let (mut pure, mut mixed) = (Sum::default(), Sum::default());
            for (at, x) in kept.iter().enumerate() {
                pure.add(*x);
                if let Some(other) = gone.get(at) {
                    mixed.add(*other);
                }
                mixed.add(*x);
            }
            gone.iter().skip(kept.len()).for_each(|x| mixed.add(*x));
            gone.iter().for_each(|x| mixed.subtract(*x));
            prop_assert_eq!(&mixed, &pure);
            prop_assert_eq!(mixed.value().to_bits(), pure.value().to_bits());
        }

        #[test]
        fn sums_add_up_in_any_order(
            parts in prop::collection::vec(prop::collection::vec(number(), 0..9), 3),
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

    #[test]
    fn sums_that_differ_are_not_equal() {
        let (mut one, mut other) = (Sum::default(), Sum::default());
        one.add(1e16);
        other.add(1e16);
        assert_eq!(one, other);
        other.add(1e-300);
        assert_ne!(one, other);
        assert_eq!((one.value(), other.double().parts()), (1e16, (1e16, 1e-300)));
    }

    #[test]
    fn a_value_is_the_nearest_number() {
        let mut sum = Sum::default();
        // Half way between 1 and the next number, and a little more.
        [1e-40, f64::EPSILON / 2.0, 1.0].into_iter().for_each(|x| sum.add(x));
        assert_eq!(sum.value(), 1.0 + f64::EPSILON);
        sum.subtract(2e-40);
        assert_eq!(sum.value(), 1.0);
    }
}
