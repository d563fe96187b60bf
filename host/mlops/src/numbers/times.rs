//! Execution times as a sketch: its quantiles are within 1 % of the exact ones, however many there are, and sketches
//! add up.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sketches_ddsketch::{Config, DDSketch};

/// A quantile is so near the exact one, relative to it.
pub const ACCURACY: f64 = 0.01;
/// So many bins a sketch has at most. Together they span 17 powers of ten, so none is ever given up for another.
const MAX_BINS: u32 = 2048;
/// Times below count as zero; in milliseconds.
const SMALLEST_MS: f64 = 1e-9;

/// Execution times in milliseconds.
#[derive(Clone)]
pub struct Times(DDSketch);

impl Default for Times {
    fn default() -> Self {
        // The bytes of a sketch tell only how accurate it is; what is read back has the rest as it is here.
        Self(DDSketch::new(Config::new(ACCURACY, MAX_BINS, SMALLEST_MS)))
    }
}

impl Times {
    /// Adds a time. One that is below zero counts as zero; one that is no number is not counted.
    pub fn add(&mut self, ms: f64) {
        if ms.is_finite() {
            self.0.add(ms.max(0.0));
        }
    }

    /// Adds all times of another sketch.
    pub fn merge(&mut self, other: &Self) {
        // It fails only between different configurations, and there is only one.
        let merged = self.0.merge(&other.0);
        debug_assert!(merged.is_ok(), "every sketch has the same configuration");
    }

    /// The time that this share of times does not exceed, in milliseconds; none when there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        self.0.quantile(share).ok().flatten()
    }

    /// How many times there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.count() as u64
    }
}

impl std::fmt::Debug for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quantile = |share| self.quantile(share);
        write!(
            f,
            "Times({} of them, median {:?}, p99 {:?})",
            self.count(),
            quantile(0.5),
            quantile(0.99)
        )
    }
}

impl PartialEq for Times {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_java_bytes() == other.0.to_java_bytes()
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = if self.count() == 0 { Vec::new() } else { self.0.to_java_bytes() };
        bytes.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        let mut times = Self::default();
        if !bytes.is_empty() {
            let read = DDSketch::from_java_bytes(&bytes).map_err(D::Error::custom)?;
            times.0.merge(&read).map_err(D::Error::custom)?;
        }
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_that_was_stored_goes_on_as_it_was() {
        let mut whole = Times::default();
        let mut half = Times::default();
        for ms in 1..=1000 {
            whole.add(f64::from(ms));
            if ms <= 500 {
                half.add(f64::from(ms))
            }
        }
        let bytes = postcard::to_allocvec(&half).unwrap();
        let mut read: Times = postcard::from_bytes(&bytes).unwrap();
        (501..=1000).for_each(|ms| read.add(f64::from(ms)));
        assert_eq!(read, whole);
        let bytes = postcard::to_allocvec(&Times::default()).unwrap();
        let empty: Times = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((empty.count(), empty.quantile(0.5)), (0, None));
    }

    #[test]
    fn odd_times_do_no_harm() {
        let mut times = Times::default();
        for ms in [f64::NAN, f64::INFINITY, -5.0, 0.0, 1e300, 1e-300] {
            times.add(ms);
        }
        assert_eq!(times.count(), 4);
        assert_eq!(times.quantile(0.0), Some(0.0));
        assert!(postcard::from_bytes::<Times>(&[3, 9, 9, 9]).is_err());
    }
}
