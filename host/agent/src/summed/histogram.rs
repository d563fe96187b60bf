//! A histogram of at most so many centroids, after Ben-Haim and Tom-Tov: while there are fewer distinct values than
//! that, each has a centroid of its own and the histogram is exact; from then on the two that are nearest to each other
//! become one, at the mean of what is in them.

/// Counts of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    most: usize,
    /// By their centre, which differ.
    centroids: Vec<(f64, u64)>,
    count: u64,
    min: f64,
    max: f64,
    sum: Exact,
    squares: Exact,
}

/// A sum that loses next to nothing on the way.
#[derive(Clone, Copy, Debug, Default)]
struct Exact {
    sum: f64,
    lost: f64,
}

impl Exact {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    /// None when it left the numbers.
    fn value(self) -> Option<f64> {
        Some(self.sum + self.lost).filter(|value| value.is_finite())
    }
}

impl Histogram {
    /// An empty one of at most so many centroids; there is always one.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            centroids: Vec::new(),
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sum: Exact::default(),
            squares: Exact::default(),
        }
    }

    /// Counts a number, which must be finite.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum.add(value);
        self.squares.add(value * value);
        let at = self.centroids.partition_point(|(centre, _)| *centre < value);
        match self.centroids.get_mut(at) {
            Some((centre, count)) if *centre == value => *count += 1,
            _other => {
                self.centroids.insert(at, (value, 1));
                if self.centroids.len() > self.most {
                    self.join_nearest();
                }
            }
        }
    }

    fn join_nearest(&mut self) {
        let gaps = self.centroids.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let nearest = gaps.enumerate().min_by(|one, other| one.1.total_cmp(&other.1));
        let Some((at, _)) = nearest else { return };
        let (right, more) = self.centroids.remove(at + 1);
        let (left, count) = self.centroids[at];
        let all = count + more;
        // Each weight alone, so that nothing leaves the numbers on the way.
        let mean = left * (count as f64 / all as f64) + right * (more as f64 / all as f64);
        self.centroids[at] = (mean.clamp(left, right), all);
        self.join_equals(at);
    }

    /// What rounds to its neighbour is one with it.
    fn join_equals(&mut self, at: usize) {
        for at in [at, at.wrapping_sub(1)] {
            let next = at.wrapping_add(1);
            if next < self.centroids.len()
                && at < next
                && self.centroids[at].0 == self.centroids[next].0
            {
                let (_, more) = self.centroids.remove(next);
                self.centroids[at].1 += more;
            }
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn centroids(&self) -> &[(f64, u64)] {
        &self.centroids
    }

    /// The least and the greatest; none when there are no numbers.
    pub(crate) fn ends(&self) -> Option<(f64, f64)> {
        (self.count > 0).then_some((self.min, self.max))
    }

    pub(crate) fn sum(&self) -> Option<f64> {
        self.sum.value()
    }

    pub(crate) fn sum_of_squares(&self) -> Option<f64> {
        self.squares.value()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn of(most: usize, values: &[f64]) -> Histogram {
        let mut histogram = Histogram::new(most);
        values.iter().for_each(|value| histogram.add(*value));
        histogram
    }

    #[test]
    fn so_many_distinct_values_are_exact_and_one_more_joins_the_nearest() {
        let values: Vec<f64> = (0..100).map(|at| f64::from(at * at)).collect();
        let exact = of(100, &[values.as_slice(), &values].concat());
        let wanted: Vec<(f64, u64)> = values.iter().map(|value| (*value, 2)).collect();
        assert_eq!(exact.centroids(), wanted);
        let joined = of(3, &[0.0, 10.0, 4.0, 5.0, 5.0]);
        // 4 and 5 became 4.5 before the second 5 came, which joined it in its turn.
        let [(_, 1), (middle, 3), (_, 1)] = joined.centroids() else { panic!("{joined:?}") };
        assert!((middle - 14.0 / 3.0).abs() < 1e-12);
        assert_eq!(joined.ends(), Some((0.0, 10.0)));
    }

    #[test]
    fn the_ends_of_the_numbers_are_joined_without_leaving_them() {
        let wide = of(1, &[f64::MAX, f64::MIN, 0.0]);
        assert_eq!(wide.centroids().iter().map(|one| one.1).sum::<u64>(), 3);
        assert!(wide.centroids()[0].0.is_finite());
        assert_eq!((wide.sum(), wide.sum_of_squares()), (Some(0.0), None));
        assert_eq!(of(2, &[0.0, -0.0]).centroids(), [(0.0, 2)]);
        assert_eq!(of(5, &[]).ends(), None);
    }

    proptest! {
        #[test]
        fn no_count_is_lost_and_the_sums_are_the_plain_ones(
            values in prop::collection::vec(prop_oneof![-1e6..1e6, Just(1.5), Just(-7.0), -1.0..1.0], 1..400),
            most in 1_usize..60,
        ) {
            let histogram = of(most, &values);
            let centroids = histogram.centroids();
            prop_assert!(centroids.len() <= most);
            prop_assert!(centroids.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert_eq!(histogram.count(), values.len() as u64);
            prop_assert_eq!(centroids.iter().map(|one| one.1).sum::<u64>(), values.len() as u64);
            let min = values.iter().copied().fold(f64::INFINITY, f64::min);
            let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert_eq!(histogram.ends(), Some((min, max)));
            let size = values.iter().map(|value| value.abs()).sum::<f64>();
            let sum = values.iter().sum::<f64>();
            prop_assert!((histogram.sum().unwrap() - sum).abs() <= 1e-12 * size);
            let squares = values.iter().map(|value| value * value).sum::<f64>();
            prop_assert!((histogram.sum_of_squares().unwrap() - squares).abs() <= 1e-12 * squares);
            // The centroids stand for the same sum.
            let stands = centroids.iter().map(|one| one.0 * one.1 as f64).sum::<f64>();
            prop_assert!((stands - sum).abs() <= 1e-9 * size);
            let mut distinct: BTreeMap<u64, u64> = BTreeMap::new();
            values.iter().for_each(|value| *distinct.entry(value.to_bits()).or_default() += 1);
            if distinct.len() <= most {
                for (centre, count) in centroids {
                    prop_assert_eq!(distinct.get(&centre.to_bits()), Some(count));
                }
            }
        }
    }
}
