//! Numbers of twice the usual precision (106 bits): a number and what rounding took from it.
//!
//! Sums of squares and of logarithms lose everything when values lie far from zero and close together: what tells them
//! apart is in the digits that a 64-bit float drops. Here they are kept. The steps are Knuth's and Dekker's, which are exact
//! as long as nothing overflows.

use std::sync::LazyLock;

/// The logarithm of two, to twice the usual precision.
const LN_2: Double = Double { high: std::f64::consts::LN_2, low: 2.319_046_813_846_299_6e-17 };
/// Terms of the series of the logarithm: the last is below 2^-106 of the first.
const LOGARITHM_TERMS: usize = 22;
/// From this term on the usual precision is enough for a term.
const SMALL_TERMS: usize = 11;

/// The factors of the terms before: 1, 1/3, 1/5, ...
static FACTORS: LazyLock<[Double; SMALL_TERMS]> = LazyLock::new(|| {
    std::array::from_fn(|term| Double::from(1.0) / Double::from((2 * term + 1) as f64))
});

/// A number of twice the usual precision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Double {
    high: f64,
    low: f64,
}

impl Double {
    /// The nearest usual number.
    #[must_use]
    pub fn value(self) -> f64 {
        self.high + self.low
    }

    /// The number and what rounding took from it.
    pub(super) fn parts(self) -> (f64, f64) {
        (self.high, self.low)
    }

    /// Of a number and what rounding took from it.
    pub(super) fn of_parts(high: f64, low: f64) -> Self {
        Self { high, low }
    }

    /// The product of two usual numbers, exactly.
    #[must_use]
    pub fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self { high, low: a.mul_add(b, -high) }
    }

    /// The square root of a number that is not negative.
    #[must_use]
    pub fn root(self) -> Self {
        if self.high <= 0.0 {
            return Self::default();
        }
        let root = self.high.sqrt();
        let rest = self - Self::product(root, root);
        quick_sum(root, rest.value() / (2.0 * root))
    }

    /// The natural logarithm of a number above zero.
    #[must_use]
    pub fn ln(self) -> Self {
        let (part, power) = fraction(self.high);
        // ln(x) = power ln(2) + 2 artanh(z), z = (part - 1) / (part + 1), |z| < 0.18
        let part_double = Self::from(part);
        let z = (part_double - Self::from(1.0)) / (part_double + Self::from(1.0));
        let square = z * z;
        let small = (SMALL_TERMS..LOGARITHM_TERMS)
            .rev()
            .fold(0.0, |series, term| series * square.high + 1.0 / (2 * term + 1) as f64);
        let series = FACTORS
            .iter()
            .rev()
            .fold(Self::from(small), |series, factor| series * square + *factor);
        // What `low` adds is small enough for the first two terms of its own series.
        let rest = self.low / self.high;
        LN_2 * Self::from(power)
            + Self::from(2.0) * z * series
            + Self::from(rest - rest * rest / 2.0)
    }
}

/// A number as a part between 0.7 and 1.42 and a power of two.
fn fraction(x: f64) -> (f64, f64) {
    let (x, lift) = if x < f64::MIN_POSITIVE { (x * 2f64.powi(64), -64.0) } else { (x, 0.0) };
    let bits = x.to_bits();
    let power = ((bits >> 52) & 0x7ff) as f64 - 1023.0;
    let part = f64::from_bits((bits & !(0x7ff << 52)) | (1023 << 52));
    if part > std::f64::consts::SQRT_2 {
        (part / 2.0, power + 1.0 + lift)
    } else {
        (part, power + lift)
    }
}

/// The sum of two numbers, the first of which is not the smaller one.
fn quick_sum(a: f64, b: f64) -> Double {
    let high = a + b;
    Double { high, low: b - (high - a) }
}

/// The sum of two numbers, and what rounding took from it.
pub(super) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let high = a + b;
    let part = high - a;
    (high, (a - (high - part)) + (b - part))
}

impl From<f64> for Double {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

impl From<u64> for Double {
    fn from(count: u64) -> Self {
        let high = count as f64;
        Self { high, low: (i128::from(count) - high as i128) as f64 }
    }
}

impl std::ops::Neg for Double {
    type Output = Self;
    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl std::ops::Add for Double {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let (high, high_rest) = two_sum(self.high, other.high);
        let (low, low_rest) = two_sum(self.low, other.low);
        let sum = quick_sum(high, high_rest + low);
        quick_sum(sum.high, sum.low + low_rest)
    }
}

impl std::ops::Sub for Double {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl std::ops::Mul for Double {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let product = Self::product(self.high, other.high);
        quick_sum(product.high, product.low + (self.high * other.low + self.low * other.high))
    }
}

impl std::ops::Div for Double {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let first = self.high / other.high;
        let rest = self - other * Self::from(first);
        let second = rest.high / other.high;
        let rest = rest - other * Self::from(second);
        quick_sum(first, second) + Self::from(rest.high / other.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounding_takes_is_kept() {
        let third = Double::from(1.0) / Double::from(3.0);
        let rest = third * Double::from(3.0) - Double::from(1.0);
        assert!(rest.value().abs() < 1e-31, "{rest:?}");
        let root = Double::from(2.0).root();
        assert!((root * root - Double::from(2.0)).value().abs() < 1e-31);
        assert_eq!(Double::from(u64::MAX).low, -1.0);
    }

    #[test]
    fn logarithms_add_up_where_numbers_multiply() {
        for (a, b) in [(1.0, 1e9), (1e-300, 3.0), (7.5, 0.3), (1e100, 1.000_000_1), (5e-320, 2.0)] {
            let sum = Double::from(a).ln() + Double::from(b).ln();
            let product = Double::product(a, b);
            if product.high.is_normal() && a.is_normal() {
                let off = (sum - product.ln()).value();
                assert!(off.abs() < 1e-28 * sum.value().abs().max(1.0), "{a} {b}: {off}");
            }
            assert!((Double::from(a).ln().value() - a.ln()).abs() <= 1e-15 * a.ln().abs());
        }
        // Between neighbours the logarithm tells what a usual number cannot.
        let (x, step) = (1e9, 2f64.powi(-20));
        let off = Double::from(x + step).ln() - Double::from(x).ln();
        assert!((off.value() / (step / x).ln_1p() - 1.0).abs() < 1e-12);
    }
}
