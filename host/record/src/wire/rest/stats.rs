//! Rows that were summed up, in the server's shape: lists of named parts where the wire has maps, and histograms as two
//! lists.

use serde::ser::{SerializeSeq as _, Serializer};
use serde::{Serialize, ser::SerializeMap};

use super::{Origin, entries};
use crate::wire::read::{Aggregates, CategoricalAggregate, NumericAggregate, PredictionStats};

/// What the prediction of a regression is called on the wire.
const REGRESSION: &str = "0";

/// An entry of a `predictionStats/fromJSON/` call.
#[derive(Clone, Debug)]
pub struct PredictionStat<'a>(pub &'a PredictionStats, pub Origin<'a>);

impl Serialize for PredictionStat<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(stats, origin) = self;
        let mut map = to.serialize_map(None)?;
        entries!(map,
            "timestamp": stats.timestamp,
            "modelId": stats.model_id,
            "batchId": stats.batch_id,
            "classNames": stats.class_names,
        );
        map.serialize_entry("features", &Features(&stats.aggregates))?;
        if !stats.segments.is_empty() {
            let segments: Vec<Segment<'_>> = stats
                .segments
                .iter()
                .map(|(name, values)| Segment {
                    name,
                    data: values.iter().map(|(value, part)| Part { value, part }).collect(),
                })
                .collect();
            map.serialize_entry("segments", &segments)?;
        }
        let predictions = &stats.aggregates.predictions;
        match predictions.get(REGRESSION).filter(|_| predictions.len() == 1) {
            Some(one) => map.serialize_entry("predictions", &Numbers(one))?,
            None if predictions.is_empty() => {}
            None => {
                let order = stats.class_names.as_deref().unwrap_or_default();
                map.serialize_entry("predictions", &Classes(&stats.aggregates, order))?;
            }
        }
        origin.serialize_into(&mut map)?;
        map.end()
    }
}

#[derive(Serialize)]
struct Segment<'a> {
    name: &'a str,
    data: Vec<Part<'a>>,
}

struct Part<'a> {
    value: &'a str,
    part: &'a Aggregates,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("value", self.value)?;
        map.serialize_entry("features", &Features(self.part))?;
        map.serialize_entry("predictions", &Classes(self.part, &[]))?;
        map.end()
    }
}

struct Features<'a>(&'a Aggregates);

impl Serialize for Features<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Named<'a, T> {
            name: &'a str,
            stats: T,
        }
        let mut list = to.serialize_seq(None)?;
        for (name, numbers) in &self.0.numeric {
            list.serialize_element(&Named { name, stats: Numeric(numbers) })?;
        }
        for (name, levels) in &self.0.categorical {
            list.serialize_element(&Named { name, stats: Levels(levels) })?;
        }
        list.end()
    }
}

/// The classes in the order of their names in the report; without names there in that of their own names.
struct Classes<'a>(&'a Aggregates, &'a [String]);

impl Serialize for Classes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let all = &self.0.predictions;
        let mut list = to.serialize_seq(None)?;
        if self.1.len() == all.len() && self.1.iter().all(|name| all.contains_key(name)) {
            for class in self.1.iter().filter_map(|name| all.get(name)) {
                list.serialize_element(&Numbers(class))?;
            }
        } else {
            for class in all.values() {
                list.serialize_element(&Numbers(class))?;
            }
        }
        list.end()
    }
}

struct Numeric<'a>(&'a NumericAggregate);

impl Serialize for Numeric<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry("numericStats", &Numbers(self.0))?;
        map.serialize_entry("missingCount", &self.0.missing_count)?;
        map.end()
    }
}

struct Numbers<'a>(&'a NumericAggregate);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(numbers) = self;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("count", &numbers.count)?;
        let histogram = numbers.histogram.as_ref().map(|histogram| Lists {
            centroids: histogram.bucket_list.iter().map(|bucket| bucket.centroid).collect(),
            counts: histogram.bucket_list.iter().map(|bucket| bucket.count).collect(),
        });
        entries!(map,
            "min": numbers.min,
            "max": numbers.max,
            "sum": numbers.sum,
            "sumOfSquares": numbers.sum_of_squares,
            "histogram": histogram,
            "decisionCount": numbers.decision_count,
        );
        map.end()
    }
}

#[derive(Serialize)]
struct Lists {
    centroids: Vec<f64>,
    counts: Vec<i64>,
}

struct Levels<'a>(&'a CategoricalAggregate);

impl Serialize for Levels<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Lists<'a> {
            values: Vec<&'a str>,
            counts: Vec<i64>,
        }
        let Self(levels) = self;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("count", &levels.count)?;
        map.serialize_entry("missingCount", &levels.missing_count)?;
        entries!(map, "textWordCount": levels.text_word_count);
        let lists = Lists {
            values: levels.category_counts.keys().map(String::as_str).collect(),
            counts: levels.category_counts.values().copied().collect(),
        };
        SerializeMap::serialize_entry(&mut map, "categories", &lists)?;
        map.end()
    }
}
