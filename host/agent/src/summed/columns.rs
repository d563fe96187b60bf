//! What the values of a column, and what the predictions came to.

use std::collections::BTreeMap;

use record::wire::read::{
    Aggregates, CategoricalAggregate, Histogram as Shown, HistogramBucket, NumericAggregate,
};
use record::wire::rest::read::{Value, Values};

use super::histogram::Histogram;
use crate::config::Aggregation;

/// What the prediction of a regression is called.
const REGRESSION: &str = "0";

/// A column: of numbers as long as nothing else is in it.
#[derive(Debug)]
pub(super) struct Column {
    numbers: Histogram,
    levels: BTreeMap<String, u64>,
    /// Most levels that are listed.
    most: usize,
    /// Values of levels that are not listed any more.
    others: u64,
    missing: u64,
}

impl Column {
    pub(super) fn new(settings: &Aggregation) -> Self {
        Self {
            numbers: Histogram::new(settings.bins),
            levels: BTreeMap::new(),
            most: settings.categories_max,
            others: 0,
            missing: 0,
        }
    }

    pub(super) fn add(&mut self, values: &Values<'_>) {
        match values {
            Values::Numbers(values) => values.iter().for_each(|value| self.number(*value)),
            Values::Mixed(values) => values.iter().for_each(|value| match value {
                Value::Missing => self.missing += 1,
                Value::Number(value) => self.number(*value),
                Value::Boolean(value) => self.level(if *value { "true" } else { "false" }),
                Value::Text(text) => self.level(text),
            }),
        }
    }

    fn number(&mut self, value: f64) {
        if value.is_finite() {
            self.numbers.add(value);
        } else {
            self.missing += 1;
        }
    }

    fn level(&mut self, level: &str) {
        if let Some(count) = self.levels.get_mut(level) {
            *count += 1;
        } else if self.levels.len() < self.most {
            self.levels.insert(level.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }

    pub(super) fn show_in(&self, name: &str, to: &mut Aggregates) {
        if self.levels.is_empty() && self.others == 0 {
            let numbers = numeric(&self.numbers, self.missing, None);
            to.numeric.insert(name.to_owned(), numbers);
            return;
        }
        let mut levels = self.levels.clone();
        let mut others = self.others;
        // Numbers among texts are levels like them.
        for (number, count) in self.numbers.centroids() {
            let level = number.to_string();
            if levels.len() < self.most || levels.contains_key(&level) {
                *levels.entry(level).or_default() += count;
            } else {
                others += count;
            }
        }
        let count = levels.values().sum::<u64>() + others;
        let levels = CategoricalAggregate {
            count: whole(count),
            missing_count: whole(self.missing),
            text_word_count: None,
            category_counts: levels.into_iter().map(|(level, n)| (level, whole(n))).collect(),
            extra: serde_json::Map::new(),
        };
        to.categorical.insert(name.to_owned(), levels);
    }
}

/// The predictions: one number a row, or one a class.
#[derive(Debug)]
pub(super) struct Classes {
    names: Vec<String>,
    numbers: Vec<Histogram>,
    decisions: Vec<u64>,
    /// Numbers a row as it comes: one where there are two classes is the probability of the second.
    width: usize,
}

impl Classes {
    pub(super) fn new(width: usize, names: &[String], settings: &Aggregation) -> Self {
        let classes = if width == 0 { 0 } else { names.len().max(width) };
        let named = |at: usize| names.get(at).cloned().unwrap_or_else(|| format!("{at:06}"));
        let names = match classes {
            1 => vec![REGRESSION.to_owned()],
            _other => (0..classes).map(named).collect(),
        };
        let numbers = (0..classes).map(|_| Histogram::new(settings.bins)).collect();
        Self { names, numbers, decisions: vec![0; classes], width }
    }

    pub(super) fn add(&mut self, values: &[f64]) {
        for row in values.chunks_exact(self.width.max(1)) {
            match row {
                [one] if self.numbers.len() == 2 => self.row(&[1.0 - one, *one]),
                row => self.row(row),
            }
        }
    }

    fn row(&mut self, row: &[f64]) {
        self.numbers.iter_mut().zip(row).for_each(|(class, value)| class.add(*value));
        // The first of equals wins.
        let best =
            row.iter().enumerate().reduce(|best, one| if one.1 > best.1 { one } else { best });
        if let Some(decision) = best.and_then(|(at, _)| self.decisions.get_mut(at)) {
            *decision += 1;
        }
    }

    pub(super) fn show(&self) -> BTreeMap<String, NumericAggregate> {
        let all = self.names.iter().zip(&self.numbers).zip(&self.decisions);
        all.map(|((name, numbers), won)| {
            let won = (self.names.len() > 1).then_some(*won);
            (name.clone(), numeric(numbers, 0, won))
        })
        .collect()
    }
}

fn numeric(numbers: &Histogram, missing: u64, decisions: Option<u64>) -> NumericAggregate {
    let ends = numbers.ends();
    let bucket = |(centroid, count): &(f64, u64)| HistogramBucket {
        centroid: *centroid,
        count: whole(*count),
    };
    NumericAggregate {
        count: whole(numbers.count()),
        missing_count: whole(missing),
        min: ends.map(|ends| ends.0),
        max: ends.map(|ends| ends.1),
        sum: numbers.sum(),
        sum_of_squares: numbers.sum_of_squares(),
        histogram: Some(Shown {
            max_length: None,
            bucket_list: numbers.centroids().iter().map(bucket).collect(),
        }),
        decision_count: decisions.map(whole),
        extra: serde_json::Map::new(),
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
