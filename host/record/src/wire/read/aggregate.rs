//! The sums in a message that tells of many rows at once.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::ReadError;
use super::fields::Fields;

/// Rows, summed up: features, and the predictions, by name. The prediction of a regression is called `0`, those of a
/// classification by their class.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Aggregates {
    /// Features that are numbers.
    #[serde(rename = "numericAggregateMap")]
    pub numeric: BTreeMap<String, NumericAggregate>,
    /// Features that are levels or texts.
    #[serde(rename = "categoricalAggregateMap")]
    pub categorical: BTreeMap<String, CategoricalAggregate>,
    /// Predictions.
    #[serde(rename = "predictionAggregateMap")]
    pub predictions: BTreeMap<String, NumericAggregate>,
}

/// Numbers, summed up.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NumericAggregate {
    /// How many values there are, without the missing ones.
    pub count: i64,
    /// How many values are missing.
    pub missing_count: i64,
    /// The smallest; none without values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest; none without values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Their sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
    /// The sum of their squares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum_of_squares: Option<f64>,
    /// How they are spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    /// For a class: in how many rows it won. For the prediction of a regression: how many rows there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_count: Option<i64>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A histogram without fixed borders: buckets around centres of gravity, merged when there are too many.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Histogram {
    /// Most buckets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<i64>,
    /// The buckets, by rising centre.
    pub bucket_list: Vec<HistogramBucket>,
}

/// A bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HistogramBucket {
    /// The mean of its values.
    pub centroid: f64,
    /// How many values it has.
    pub count: i64,
}

/// Levels or texts, counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CategoricalAggregate {
    /// How many values there are, without the missing ones.
    pub count: i64,
    /// How many values are missing.
    pub missing_count: i64,
    /// For texts: how many words they have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_word_count: Option<i64>,
    /// How often each level or word is there.
    pub category_counts: BTreeMap<String, i64>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Aggregates {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, ReadError> {
        let numeric = |(name, fields)| Ok((name, NumericAggregate::read(fields)?));
        let categorical = |(name, fields)| Ok((name, CategoricalAggregate::read(fields)?));
        Ok(Self {
            numeric: fields
                .entries("numericAggregateMap")?
                .into_iter()
                .map(numeric)
                .collect::<Result<_, ReadError>>()?,
            categorical: fields
                .entries("categoricalAggregateMap")?
                .into_iter()
                .map(categorical)
                .collect::<Result<_, ReadError>>()?,
            predictions: fields
                .entries("predictionAggregateMap")?
                .into_iter()
                .map(numeric)
                .collect::<Result<_, ReadError>>()?,
        })
    }
}

impl NumericAggregate {
    fn read(mut fields: Fields) -> Result<Self, ReadError> {
        Ok(Self {
            count: needed(&mut fields, "count")?,
            missing_count: fields.whole("missingCount")?.unwrap_or(0),
            min: fields.float("min")?,
            max: fields.float("max")?,
            sum: fields.float("sum")?,
            sum_of_squares: fields.float("sumOfSquares")?,
            histogram: fields.object("histogram")?.map(Histogram::read).transpose()?,
            decision_count: fields.whole("decisionCount")?,
            extra: fields.rest(),
        })
    }
}

impl Histogram {
    fn read(mut fields: Fields) -> Result<Self, ReadError> {
        let bucket = |path, value| {
            let mut fields = Fields::of(path, value)?;
            let centroid = fields.float("centroid")?;
            let centroid =
                centroid.ok_or_else(|| ReadError::Missing { field: fields.name("centroid") })?;
            Ok(HistogramBucket { centroid, count: needed(&mut fields, "count")? })
        };
        Ok(Self {
            max_length: fields.whole("maxLength")?,
            bucket_list: fields.list_of("bucketList", bucket)?.unwrap_or_default(),
        })
    }
}

impl CategoricalAggregate {
    fn read(mut fields: Fields) -> Result<Self, ReadError> {
        let mut counts = fields.object("categoryCounts")?;
        let mut category_counts = BTreeMap::new();
        for name in counts.as_ref().map(Fields::keys).unwrap_or_default() {
            if let Some(counts) = &mut counts {
                let count = needed(counts, &name)?;
                category_counts.insert(name, count);
            }
        }
        Ok(Self {
            count: needed(&mut fields, "count")?,
            missing_count: fields.whole("missingCount")?.unwrap_or(0),
            text_word_count: fields.whole("textWordCount")?,
            category_counts,
            extra: fields.rest(),
        })
    }
}

fn needed(fields: &mut Fields, key: &str) -> Result<i64, ReadError> {
    fields.whole(key)?.ok_or_else(|| ReadError::Missing { field: fields.name(key) })
}
