//! What the messages tell, one type each. Written as JSON, a payload has the library's own names again.

mod parse;

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use super::{Aggregates, DataType, Timestamp};

/// What a message tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Payload {
    /// How a request went.
    DeploymentStats(DeploymentStats),
    /// Rows with their predictions.
    PredictionsData(PredictionsData),
    /// Something that happened.
    Event(Event),
    /// Outcomes that became known.
    ActualsData(ActualsData),
    /// Rows with their predictions, summed up.
    PredictionStats(PredictionStats),
    /// Values of a metric that somebody defined.
    CustomMetric(CustomMetric),
    /// A sign of life.
    Ping(Ping),
}

/// How a request went.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentStats {
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// The batch that the request belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    /// How many predictions it got. The library lets negative numbers through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_predictions: Option<i64>,
    /// How long it took: milliseconds, whole or not as they were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_time: Option<Number>,
    /// It failed, and the caller is to blame. Old libraries do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_error: Option<bool>,
    /// It failed, and the model or what runs it is to blame. Old libraries do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_error: Option<bool>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Rows with their predictions. All features, the predictions and the association ids are equally long, where they
/// are there at all; the lists of a time series are as they came.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PredictionsData {
    /// When they were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The model that made them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// The batch that the rows belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    /// The columns, in the order in which they were written.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "columns")]
    pub features: Option<Vec<Feature>>,
    /// One a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predictions: Option<Vec<Prediction>>,
    /// One a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub association_ids: Option<Vec<Option<String>>>,
    /// The classes, in the order of the probabilities in a prediction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_names: Option<Vec<String>>,
    /// The rows do not count for drift; they were summed up already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_drift_tracking: Option<bool>,
    /// The rows do not count for accuracy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_accuracy_tracking: Option<bool>,
    /// Time series: what the request asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_parameters: Option<Value>,
    /// Time series: how many steps ahead each row looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast_distance: Option<Vec<Value>>,
    /// Time series: the row's place in the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_index: Option<Vec<Value>>,
    /// Time series: the time that each row speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<Vec<Option<Timestamp>>>,
    /// Time series: the series that each row belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series_id: Option<Vec<Option<String>>>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// One value a row: numbers, texts, true or false, null where one is missing.
    pub values: Vec<Value>,
}

/// A prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Prediction {
    /// There is none.
    Missing,
    /// Of a regression.
    Number(Number),
    /// Of a classification: a probability for each class.
    Classes(Vec<Option<Number>>),
    /// A text that was generated.
    Text(String),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When; the library writes local time without an offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// What kind of thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// What there is to say about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The organisation that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// The deployment that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// Details, as they came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Outcomes that became known.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualsData {
    /// The outcomes.
    pub actuals_list: Vec<Actual>,
    /// The model that predicted them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// The batch that they belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An outcome.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Actual {
    /// The key by which it joins its prediction.
    pub association_id: String,
    /// The outcome: a number, a text, true or false; null when it is not known after all.
    pub actual_value: Value,
    /// Whether the prediction was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was_acted_on: Option<bool>,
    /// When the outcome came about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Values of a metric that somebody defined.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomMetric {
    /// The model that they belong to; none for the deployment as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// The metric.
    pub custom_metric_id: String,
    /// The values.
    pub buckets: Vec<Bucket>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A value of a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The value, a number or, for a metric of categories, a text.
    pub value: Value,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geospatial_coordinate: Option<String>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ping {
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_timestamp: Option<i64>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Rows with their predictions, summed up.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PredictionStats {
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The model that made them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// The batch that the rows belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    /// The classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_names: Option<Vec<String>>,
    /// All rows.
    #[serde(flatten)]
    pub aggregates: Aggregates,
    /// Parts of the rows: by attribute, then by the value of that attribute.
    #[serde(rename = "segmentAttributesAggregatedStats", serialize_with = "segments")]
    pub segments: BTreeMap<String, BTreeMap<String, Aggregates>>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Payload {
    /// What kind of message tells this.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::DeploymentStats(_) => DataType::DeploymentStats,
            Self::PredictionsData(_) => DataType::PredictionsData,
            Self::Event(_) => DataType::Event,
            Self::ActualsData(_) => DataType::ActualsData,
            Self::PredictionStats(_) => DataType::PredictionStats,
            Self::CustomMetric(_) => DataType::CustomMetric,
            Self::Ping(_) => DataType::Ping,
        }
    }
}

impl PredictionsData {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        let predictions = self.predictions.as_ref().map(Vec::len);
        let features = || self.features.as_ref()?.first().map(|feature| feature.values.len());
        predictions.or_else(features).unwrap_or(0)
    }
}

fn columns<S: Serializer>(features: &Option<Vec<Feature>>, to: S) -> Result<S::Ok, S::Error> {
    let features = features.as_deref().unwrap_or_default();
    let mut map = to.serialize_map(Some(features.len()))?;
    for feature in features {
        map.serialize_entry(&feature.name, &feature.values)?;
    }
    map.end()
}

fn segments<S: Serializer>(
    segments: &BTreeMap<String, BTreeMap<String, Aggregates>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(1))?;
    map.serialize_entry("segmentStatsMap", segments)?;
    map.end()
}
