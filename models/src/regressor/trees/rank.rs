//! From the values of rows to the ranks of their virtual columns, a few rows in lock-step: a step of a binary search has
//! to wait for the one before it, but not for those of other rows, and the same thresholds take them all the same
//! number of steps.

use core::hint::select_unpredictable;

use super::{MissingGoes, Side, Test, Thresholds, Trees};

impl Test {
    /// The rows' values in this virtual column: at most the number of thresholds, which validation holds against
    /// their places in 32 bits.
    pub(super) fn ranks<const N: usize>(&self, trees: &Trees, rows: [&[f64]; N]) -> [u32; N] {
        match self {
            Self::Rank { input, missing } => {
                let input = &trees.inputs[*input as usize];
                let values = rows.map(|row| row[input.column as usize]);
                let mut ranks = input.thresholds.ranks(values.map(|value| match missing {
                    MissingGoes::Zero if value.is_nan() => 0.0,
                    _ => value,
                }));
                for (rank, value) in ranks.iter_mut().zip(values) {
                    match missing {
                        MissingGoes::Left if value.is_nan() => *rank = 0,
                        MissingGoes::Right if value.is_nan() => *rank = input.thresholds.len(),
                        _ => {}
                    }
                }
                ranks.map(|rank| rank as u32)
            }
            Self::Set { column, levels, missing } => rows.map(|row| {
                let code = row[*column as usize];
                let left = if code.is_nan() {
                    *missing == Side::Left
                } else {
                    // An unknown level is negative and must not become level 0.
                    code >= 0.0 && levels.binary_search(&(code as u32)).is_ok()
                };
                u32::from(!left)
            }),
        }
    }
}

impl Thresholds {
    /// How many thresholds are below each of some values.
    fn ranks<const N: usize>(&self, values: [f64; N]) -> [usize; N] {
        match self {
            Self::F32(thresholds) => below(thresholds, values.map(|value| value as f32)),
            Self::F64(thresholds) => below(thresholds, values),
        }
    }
}

#[inline(always)]
fn below<T: PartialOrd + Copy, const N: usize>(thresholds: &[T], values: [T; N]) -> [usize; N] {
    let mut places = [0; N];
    let mut length = thresholds.len();
    if length == 0 {
        return places;
    }
    // The threshold at a place is below its value, or it is the first; the one `length` behind it is not below.
    while length > 1 {
        let half = length / 2;
        for (place, value) in places.iter_mut().zip(values) {
            let middle = *place + half;
            *place = select_unpredictable(thresholds[middle] < value, middle, *place);
        }
        length -= half;
    }
    for (place, value) in places.iter_mut().zip(values) {
        *place += usize::from(thresholds[*place] < value);
    }
    places
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn ranks_count_what_is_below() {
        for count in 0..40 {
            let thresholds: Vec<f64> = (0..count).map(f64::from).collect();
            for value in (-2..=2 * count + 2).map(|value| f64::from(value) / 2.0) {
                let values = [value, -1.0, f64::INFINITY, value + 3.0];
                let want = values.map(|value| thresholds.iter().filter(|t| **t < value).count());
                assert_eq!(below(&thresholds, values), want, "{value} among {count}");
                assert_eq!(below(&thresholds, [value]), [want[0]], "{value} among {count}");
            }
        }
    }
}
