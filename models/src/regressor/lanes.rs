//! Sums over the columns of many rows, several rows in lock-step.
//!
//! One row's sum has a fixed order, so its additions wait for each other; those of different rows do not. And a
//! sandbox looks at its clock at every turn of a loop, so a turn should do more than one of them. Both ask for the
//! same: a few rows next to each other, a few columns a turn. No row's order changes.

/// Rows that are summed in lock-step.
pub(crate) const LANES: usize = 4;
/// Columns that are added in one turn of the loop.
const COLUMNS: usize = 4;
/// Numbers that are looked at in one turn of the loop.
const LOOKS: usize = 16;

/// Gives `term(row[0], other[0]) + term(row[1], other[1]) + ...` of each row of `rows`, from the first row to the last,
/// up to [`LANES`] at a time. Rows are as wide as `other`, which is not empty.
#[inline(always)]
pub(crate) fn sums(
    rows: &[f64],
    other: &[f64],
    term: impl Fn(f64, f64) -> f64 + Copy,
    mut take: impl FnMut(&[f64]),
) {
    let width = other.len();
    let mut groups = rows.chunks_exact(LANES * width);
    for group in &mut groups {
        take(&lock_step(group, other, term));
    }
    for row in groups.remainder().chunks_exact(width) {
        take(&[sum(row, other, term)]);
    }
}

/// `term(row[0], other[0]) + term(row[1], other[1]) + ...`
pub(crate) fn sum(row: &[f64], other: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    row.iter().zip(other).fold(0.0, |sum, (x, y)| sum + term(*x, *y))
}

#[inline(always)]
fn lock_step(group: &[f64], other: &[f64], term: impl Fn(f64, f64) -> f64) -> [f64; LANES] {
    let width = other.len();
    let (a, rest) = group.split_at(width);
    let (b, rest) = rest.split_at(width);
    let (c, d) = rest.split_at(width);
    let mut sums = [0.0; LANES];
    let mut add = |[a, b, c, d]: [f64; LANES], y: f64| {
        sums[0] += term(a, y);
        sums[1] += term(b, y);
        sums[2] += term(c, y);
        sums[3] += term(d, y);
    };
    let (a, a_rest) = a.as_chunks::<COLUMNS>();
    let (b, b_rest) = b.as_chunks::<COLUMNS>();
    let (c, c_rest) = c.as_chunks::<COLUMNS>();
    let (d, d_rest) = d.as_chunks::<COLUMNS>();
    let (y, y_rest) = other.as_chunks::<COLUMNS>();
    for ((((a, b), c), d), y) in a.iter().zip(b).zip(c).zip(d).zip(y) {
        for at in 0..COLUMNS {
            add([a[at], b[at], c[at], d[at]], y[at]);
        }
    }
    for ((((a, b), c), d), y) in a_rest.iter().zip(b_rest).zip(c_rest).zip(d_rest).zip(y_rest) {
        add([*a, *b, *c, *d], *y);
    }
    sums
}

/// Whether all numbers are finite.
pub(crate) fn all_finite(numbers: &[f64]) -> bool {
    let finite = |numbers: &[f64]| numbers.iter().fold(true, |finite, x| finite & x.is_finite());
    let (chunks, rest) = numbers.as_chunks::<LOOKS>();
    chunks.iter().all(|chunk| finite(chunk)) && finite(rest)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Numbers whose sums depend on the order in which they are added.
    fn rough(count: usize) -> Vec<f64> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as f64
        };
        (0..count).map(|_| (next() - 1e9) * libm::pow(10.0, next() % 20.0 - 10.0)).collect()
    }

    #[test]
    fn lock_step_changes_no_sum() {
        for width in 1..=2 * COLUMNS + 1 {
            for rows in 0..=2 * LANES + 1 {
                let numbers = rough((rows + 1) * width);
                let (other, block) = numbers.split_at(width);
                let term = |x: f64, y: f64| (x - y) * (x - y) * x;
                let mut got = Vec::new();
                sums(block, other, term, |sums| got.extend(sums.iter().map(|sum| sum.to_bits())));
                let mut want = Vec::new();
                for row in block.chunks_exact(width) {
                    let mut sum = 0.0;
                    for at in 0..width {
                        sum += term(row[at], other[at]);
                    }
                    want.push(sum.to_bits());
                }
                assert_eq!(got, want, "{rows} rows of {width}");
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_found_anywhere() {
        for count in [1, LOOKS - 1, LOOKS, 2 * LOOKS + 1] {
            let mut numbers = rough(count);
            assert!(all_finite(&numbers));
            for at in 0..count {
                for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                    let good = core::mem::replace(&mut numbers[at], bad);
                    assert!(!all_finite(&numbers), "{bad} at {at} of {count}");
                    numbers[at] = good;
                }
            }
        }
        assert!(all_finite(&[]));
    }
}
