//! The shape in which the MLOps server takes messages over HTTP.
//!
//! A call takes many payloads of one kind: `{"data": [..]}`. Statistics are as on the wire. Rows have their features as
//! a list of `{name, values}`, and say whether they count for drift and accuracy once for the whole call, so that one
//! call can take only rows that agree in it ([`PredictionInput::flags`]).
//!
//! Every entry also says where it comes from ([`Origin`]), in keys of our own that others ignore. [`carry`] makes of a
//! message what goes into calls.

mod carry;
mod fast;
mod origin;
mod stats;

pub use self::carry::{ActualEntry, Carried, CarryLimits, Kind, Piece, carry, carry_binary};
pub use self::origin::Origin;
pub use self::stats::PredictionStat;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::read::{DeploymentStats, PredictionsData};

/// An entry of a `predictionRequests/fromJSON/` call.
#[derive(Clone, Debug)]
pub struct PredictionRequest<'a>(pub &'a DeploymentStats, pub Origin<'a>);

/// An entry of a `predictionInputs/fromJSON/` call.
#[derive(Clone, Debug)]
pub struct PredictionInput<'a>(pub &'a PredictionsData, pub Origin<'a>);

/// What the rows of a call have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flags {
    /// They do not count for drift.
    pub skip_drift_tracking: bool,
    /// They do not count for accuracy.
    pub skip_accuracy_tracking: bool,
}

impl PredictionInput<'_> {
    /// What must be the same for all entries of a call.
    pub fn flags(&self) -> Flags {
        Flags {
            skip_drift_tracking: self.0.skip_drift_tracking.unwrap_or(false),
            skip_accuracy_tracking: self.0.skip_accuracy_tracking.unwrap_or(false),
        }
    }
}

/// Adds an entry when there is something to add.
macro_rules! entries {
    ($map:ident, $($name:literal: $value:expr),+ $(,)?) => {
        $(if let Some(value) = &$value {
            $map.serialize_entry($name, value)?;
        })+
    };
}
use entries;

impl Serialize for PredictionRequest<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        entries!(map,
            "timestamp": self.0.timestamp,
            "modelId": self.0.model_id,
            "batchId": self.0.batch_id,
            "numPredictions": self.0.num_predictions,
            "executionTime": self.0.execution_time,
            "userError": self.0.user_error,
            "systemError": self.0.system_error,
        );
        self.1.serialize_into(&mut map)?;
        map.end()
    }
}

impl Serialize for PredictionInput<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        entries!(map,
            "timestamp": self.0.timestamp,
            "modelId": self.0.model_id,
            "batchId": self.0.batch_id,
            "features": self.0.features,
            "predictions": self.0.predictions,
            "associationIds": self.0.association_ids,
            "classNames": self.0.class_names,
            "requestParameters": self.0.request_parameters,
        );
        if self.0.forecast_distance.is_some() {
            map.serialize_entry("timeSeriesPredictionsReport", &TimeSeries(self.0))?;
        }
        self.1.serialize_into(&mut map)?;
        map.end()
    }
}

/// The lists of a time series.
struct TimeSeries<'a>(&'a PredictionsData);

impl Serialize for TimeSeries<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        entries!(map,
            "forecastDistance": self.0.forecast_distance,
            "rowIndex": self.0.row_index,
            "partition": self.0.partition,
            "seriesId": self.0.series_id,
        );
        map.end()
    }
}

#[cfg(test)]
mod tests;
