//! What the messages tell, one type each. Written as JSON, a payload has the library's own names again.

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use super::fields::{self, Fields, wrong};
use super::json::{Features, Object};
use super::{Aggregates, DataType, ReadError, Timestamp};

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
#[derive(Clone, Debug, PartialEq, Serialize)]
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

    pub(super) fn read(data_type: DataType, object: Object) -> Result<Self, ReadError> {
        let Object { mut features, fields } = object;
        let mut fields = Fields::new("", fields);
        if data_type != DataType::PredictionsData
            && let Some(features) = features.take()
        {
            fields.put_back("features", features.into_value());
        }
        match data_type {
            DataType::DeploymentStats => DeploymentStats::read(fields).map(Self::DeploymentStats),
            DataType::PredictionsData => {
                PredictionsData::read(features, fields).map(Self::PredictionsData)
            }
            DataType::Event => Event::read(fields).map(Self::Event),
            DataType::ActualsData => ActualsData::read(fields).map(Self::ActualsData),
            DataType::PredictionStats => PredictionStats::read(fields).map(Self::PredictionStats),
            DataType::CustomMetric => CustomMetric::read(fields).map(Self::CustomMetric),
            DataType::Ping => Ping::read(fields).map(Self::Ping),
        }
    }
}

impl DeploymentStats {
    fn read(mut fields: Fields) -> Result<Self, ReadError> {
        Ok(Self {
            timestamp: fields.timestamp("timestamp")?,
            model_id: fields.text("modelId")?,
            batch_id: fields.text("batchId")?,
            num_predictions: fields.whole("numPredictions")?,
            execution_time: fields.number("executionTime")?,
            user_error: fields.boolean("userError")?,
            system_error: fields.boolean("systemError")?,
            extra: fields.rest(),
        })
    }
}

impl PredictionsData {
    fn read(features: Option<Features>, mut fields: Fields) -> Result<Self, ReadError> {
        let timestamp_or_null = |path, value: Value| {
            if value.is_null() { Ok(None) } else { fields::timestamp(path, value).map(Some) }
        };
        let data = Self {
            timestamp: fields.timestamp("timestamp")?,
            model_id: fields.text("modelId")?,
            batch_id: fields.text("batchId")?,
            features: features.map(features_of).transpose()?.flatten(),
            predictions: fields.list_of("predictions", Prediction::read)?,
            association_ids: fields.list_of("associationIds", fields::text_or_null)?,
            class_names: fields.list_of("classNames", fields::text)?,
            skip_drift_tracking: fields.boolean("skipDriftTracking")?,
            skip_accuracy_tracking: fields.boolean("skipAccuracyTracking")?,
            request_parameters: fields.take("requestParameters"),
            forecast_distance: fields.list("forecastDistance")?,
            row_index: fields.list("rowIndex")?,
            partition: fields.list_of("partition", timestamp_or_null)?,
            series_id: fields.list_of("seriesId", fields::text_or_null)?,
            extra: fields.rest(),
        };
        data.check_even()?;
        Ok(data)
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        let predictions = self.predictions.as_ref().map(Vec::len);
        let features = || self.features.as_ref()?.first().map(|feature| feature.values.len());
        predictions.or_else(features).unwrap_or(0)
    }

    fn check_even(&self) -> Result<(), ReadError> {
        let features = self.features.as_deref().unwrap_or_default();
        if self.predictions.is_none() && features.is_empty() {
            return Err(ReadError::NoRows);
        }
        let rows = self.rows();
        let even = |found: usize, field: &dyn Fn() -> String| {
            if found == rows {
                Ok(())
            } else {
                Err(ReadError::Uneven { field: field(), found, rows })
            }
        };
        for feature in features {
            even(feature.values.len(), &|| format!("features.{}", feature.name))?;
        }
        let ids = self.association_ids.as_ref();
        ids.map_or(Ok(()), |ids| even(ids.len(), &|| "associationIds".to_owned()))
    }
}

/// Columns from an object of lists, or from a list of `{name, values}`.
fn features_of(features: Features) -> Result<Option<Vec<Feature>>, ReadError> {
    let values = match features {
        Features::Columns(columns) => {
            let read = |(name, values)| match values {
                Value::Array(values) => Ok(Feature { name, values }),
                other => Err(wrong(format!("features.{name}"), "a list", &other)),
            };
            return columns.into_iter().map(read).collect::<Result<_, _>>().map(Some);
        }
        Features::Other(Value::Null) => return Ok(None),
        Features::Other(Value::Array(values)) => values,
        Features::Other(other) => {
            return Err(wrong("features".to_owned(), "an object of lists", &other));
        }
    };
    let read = |(at, value)| {
        let mut fields = Fields::of(format!("features[{at}]"), value)?;
        let name = fields.needed_text("name")?;
        let missing = ReadError::Missing { field: fields.name("values") };
        Ok(Feature { name, values: fields.list("values")?.ok_or(missing)? })
    };
    values.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
}

impl Prediction {
    fn read(path: String, value: Value) -> Result<Self, ReadError> {
        match value {
            Value::Null => Ok(Self::Missing),
            Value::Number(number) => Ok(Self::Number(number)),
            Value::String(text) => Ok(Self::Text(text)),
            Value::Array(values) => {
                let read = |(at, value): (usize, Value)| {
                    if value.is_null() {
                        return Ok(None);
                    }
                    fields::number(format!("{path}[{at}]"), value).map(Some)
                };
                values
                    .into_iter()
                    .enumerate()
                    .map(read)
                    .collect::<Result<_, _>>()
                    .map(Self::Classes)
            }
            other => Err(wrong(path, "a number, a list of numbers or a text", &other)),
        }
    }
}

impl Event {
    fn read(mut fields: Fields) -> Result<Self, ReadError> {
        Ok(Self {
            timestamp: fields.timestamp("timestamp")?,
            event_type: fields.text("eventType")?,
            message: fields.text("message")?,
            org_id: fields.text("orgId")?,
            deployment_id: fields.text("deploymentId")?.filter(|id| !id.is_empty()),
            data: fields.take("data"),
            extra: fields.rest(),
        })
    }
}

impl ActualsData {
    fn read(mut fields: Fields) -> Result<Self, ReadError> {
        let actuals = fields.list_of("actualsList", Actual::read)?;
        Ok(Self {
            actuals_list: actuals
                .ok_or_else(|| ReadError::Missing { field: "actualsList".to_owned() })?,
            model_id: fields.text("modelId")?,
            batch_id: fields.text("batchId")?,
            extra: fields.rest(),
        })
    }
}

impl Actual {
    fn read(path: String, value: Value) -> Result<Self, ReadError> {
        let mut fields = Fields::of(path, value)?;
        Ok(Self {
            association_id: fields.needed_text("associationId")?,
            actual_value: scalar(&mut fields, "actualValue")?,
            was_acted_on: fields.boolean("wasActedOn")?,
            timestamp: fields.timestamp("timestamp")?,
            extra: fields.rest(),
        })
    }
}

impl CustomMetric {
    fn read(mut fields: Fields) -> Result<Self, ReadError> {
        let buckets = fields.list_of("buckets", Bucket::read)?;
        Ok(Self {
            model_id: fields.text("modelId")?,
            custom_metric_id: fields.needed_text("customMetricId")?,
            buckets: buckets.ok_or_else(|| ReadError::Missing { field: "buckets".to_owned() })?,
            extra: fields.rest(),
        })
    }
}

impl Bucket {
    fn read(path: String, value: Value) -> Result<Self, ReadError> {
        let mut fields = Fields::of(path, value)?;
        Ok(Self {
            timestamp: fields.timestamp("timestamp")?,
            value: scalar(&mut fields, "value")?,
            geospatial_coordinate: fields.text("geospatialCoordinate")?,
            extra: fields.rest(),
        })
    }
}

impl Ping {
    fn read(mut fields: Fields) -> Result<Self, ReadError> {
        Ok(Self {
            timestamp: fields.timestamp("timestamp")?,
            message: fields.text("message")?,
            created_timestamp: fields.whole("createdTimestamp")?,
            extra: fields.rest(),
        })
    }
}

impl PredictionStats {
    fn read(mut fields: Fields) -> Result<Self, ReadError> {
        let mut segments = BTreeMap::new();
        if let Some(mut stats) = fields.object("segmentAttributesAggregatedStats")? {
            for (attribute, mut values) in stats.entries("segmentStatsMap")? {
                let mut by_value = BTreeMap::new();
                for value in values.keys() {
                    if let Some(mut fields) = values.object(&value)? {
                        by_value.insert(value, Aggregates::read(&mut fields)?);
                    }
                }
                segments.insert(attribute, by_value);
            }
        }
        Ok(Self {
            timestamp: fields.timestamp("timestamp")?,
            model_id: fields.text("modelId")?,
            batch_id: fields.text("batchId")?,
            class_names: fields.list_of("classNames", fields::text)?,
            aggregates: Aggregates::read(&mut fields)?,
            segments,
            extra: fields.rest(),
        })
    }
}

/// A number, a text, true or false, or null.
fn scalar(fields: &mut Fields, key: &str) -> Result<Value, ReadError> {
    match fields.take(key).unwrap_or(Value::Null) {
        value @ (Value::Array(_) | Value::Object(_)) => {
            Err(wrong(fields.name(key), "a number, a text, true or false", &value))
        }
        value => Ok(value),
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
