//! Building histograms. How they are binned is part of the manifest's form: who compares new data with a baseline
//! must bin alike, and uses this code for it.

use std::{cmp::Reverse, collections::BTreeMap};

use super::Distribution;

/// Bins of a numeric histogram.
pub const BINS: usize = 10;
/// Levels that a categorical histogram lists; the others are counted together.
pub const LEVELS_LISTED: usize = 25;

impl Distribution {
    /// Of numbers; NaN is a missing value.
    #[must_use]
    pub fn of_numbers(values: &[f64]) -> Self {
        let present = || values.iter().copied().filter(|value| !value.is_nan());
        let missing = (values.len() - present().count()) as u64;
        if present().next().is_none() {
            let counts = vec![0];
            return Self::Numeric { missing, min: 0.0, max: 0.0, mean: 0.0, std: 0.0, counts };
        }
        let (min, max) = present()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| (min.min(x), max.max(x)));
        let count = present().count() as f64;
        let mean = present().sum::<f64>() / count;
        let std = (present().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
        let bins = if min == max { 1 } else { BINS };
        let mut counts = vec![0; bins];
        for value in present() {
            counts[bin(value, min, max, bins)] += 1;
        }
        Self::Numeric { missing, min, max, mean, std, counts }
    }

    /// Of level codes, NaN being a missing value; a code that is not the place of a level counts as other.
    #[must_use]
    pub fn of_codes(codes: &[f64], levels: &[String]) -> Self {
        let mut missing = 0;
        let mut other = 0;
        let mut counts = BTreeMap::<&str, u64>::new();
        for code in codes {
            match levels.iter().enumerate().find(|(place, _)| *place as f64 == *code) {
                _ if code.is_nan() => missing += 1,
                Some((_, level)) => *counts.entry(level).or_default() += 1,
                None => other += 1,
            }
        }
        let mut listed: Vec<(String, u64)> =
            counts.into_iter().map(|(level, count)| (level.to_owned(), count)).collect();
        listed.sort_by_key(|(_, count)| Reverse(*count));
        let unlisted = listed.split_off(listed.len().min(LEVELS_LISTED));
        other += unlisted.iter().map(|(_, count)| count).sum::<u64>();
        Self::Categorical { missing, levels: listed, other }
    }
}

/// The bin of a value between `min` and `max`: equal steps, a value on an edge belongs to the bin above it, `max` to the last.
#[must_use]
pub fn bin(value: f64, min: f64, max: f64, bins: usize) -> usize {
    // Halved, so that a range wider than a number can hold does not become infinite.
    let place = (value / 2.0 - min / 2.0) / (max / 2.0 - min / 2.0) * bins as f64;
    // The cast takes what is below the range (and NaN, where min equals max) to the first bin.
    (place as usize).min(bins.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fall_into_equal_steps() {
        let values: Vec<f64> = (0..=10).map(f64::from).chain([f64::NAN]).collect();
        let Distribution::Numeric { missing, min, max, mean, std, counts } =
            Distribution::of_numbers(&values)
        else {
            panic!("numbers make a numeric histogram");
        };
        assert_eq!((missing, min, max, mean), (1, 0.0, 10.0, 5.0));
        assert!((std - 10f64.sqrt()).abs() < 1e-12);
        // 9 opens the last bin and 10 closes it.
        assert_eq!(counts, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn a_constant_has_one_bin_and_nothing_has_an_empty_one() {
        assert!(
            matches!(Distribution::of_numbers(&[3.0, 3.0]), Distribution::Numeric { counts, .. } if counts == [2])
        );
        let nothing = Distribution::of_numbers(&[f64::NAN]);
        assert!(
            matches!(nothing, Distribution::Numeric { missing: 1, counts, .. } if counts == [0])
        );
    }

    #[test]
    fn a_range_wider_than_a_number_still_has_bins() {
        let values = [-f64::MAX, 0.0, f64::MAX];
        assert_eq!(values.map(|x| bin(x, -f64::MAX, f64::MAX, BINS)), [0, 5, 9]);
    }

    #[test]
    fn levels_beyond_the_limit_are_counted_together() {
        let levels: Vec<String> = (0..=LEVELS_LISTED).map(|i| format!("{i:02}")).collect();
        let mut codes: Vec<f64> = (0..=LEVELS_LISTED).map(|i| i as f64).collect();
        codes.extend([25.0, f64::NAN, -1.0]);
        let Distribution::Categorical { missing, levels, other } =
            Distribution::of_codes(&codes, &levels)
        else {
            panic!("codes make a categorical histogram");
        };
        assert_eq!((missing, other, levels.len()), (1, 2, LEVELS_LISTED));
        // The most frequent first, then by name; "24" is the one that no longer fits.
        assert_eq!((levels[0].clone(), levels[1].clone()), (("25".into(), 2), ("00".into(), 1)));
    }
}
