//! Cross-validation: k folds that differ by at most one row, dealt from rows shuffled by a seed.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Rows to learn from and rows to be tested on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fold {
    pub(super) train: Vec<usize>,
    pub(super) test: Vec<usize>,
}

/// Splits `rows` rows: each is tested on once. Both halves are in the order of the file. The shuffle is ChaCha's, the
/// same on every machine.
pub(super) fn folds(rows: usize, count: usize, seed: u64) -> Vec<Fold> {
    let mut order: Vec<usize> = (0..rows).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut rest = order.as_slice();
    let mut folds = Vec::with_capacity(count);
    for fold in 0..count {
        // The first folds take the rows that do not divide evenly, one each.
        let size = rows / count + usize::from(fold < rows % count);
        let (taken, left) = rest.split_at(size);
        rest = left;
        let mut test = taken.to_vec();
        test.sort_unstable();
        let train = (0..rows).filter(|row| test.binary_search(row).is_err()).collect();
        folds.push(Fold { train, test });
    }
    folds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_tested_once_and_sizes_differ_by_one_at_most() {
        let folds = folds(442, 5, 7);
        assert_eq!(
            folds.iter().map(|fold| fold.test.len()).collect::<Vec<_>>(),
            [89, 89, 88, 88, 88]
        );
        let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..442).collect::<Vec<_>>());
        for fold in &folds {
            assert_eq!(fold.train.len() + fold.test.len(), 442);
            assert!(fold.train.iter().all(|row| !fold.test.contains(row)));
        }
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(folds(50, 5, 1), folds(50, 5, 1));
        assert_ne!(folds(50, 5, 1), folds(50, 5, 2));
    }
}
