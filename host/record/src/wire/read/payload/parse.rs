//! How each payload is read from the fields of its JSON object, and what it must hold.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Actual, ActualsData, Bucket, CustomMetric, DeploymentStats, Event, Feature, Payload, Ping,
    Prediction, PredictionStats, PredictionsData,
};
use crate::wire::read::fields::{self, Fields, wrong};
use crate::wire::read::json::{Features, Object};
use crate::wire::read::{Aggregates, DataType, ReadError};

impl Payload {
    pub(in crate::wire::read) fn read(
        data_type: DataType,
        object: Object,
    ) -> Result<Self, ReadError> {
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
