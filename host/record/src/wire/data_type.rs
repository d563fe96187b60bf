//! The kinds of message, and the two ways in which they are named: by a word in the envelope, by a number in the
//! binary form.

use serde::{Serialize, Serializer};

/// The kinds of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// How a request went.
    DeploymentStats,
    /// Rows with their predictions.
    PredictionsData,
    /// Something that happened.
    Event,
    /// Outcomes that became known.
    ActualsData,
    /// Rows with their predictions, summed up.
    PredictionStats,
    /// Values of a metric that somebody defined.
    CustomMetric,
    /// A sign of life.
    Ping,
}

impl DataType {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::DeploymentStats,
        Self::PredictionsData,
        Self::Event,
        Self::ActualsData,
        Self::PredictionStats,
        Self::CustomMetric,
        Self::Ping,
    ];

    /// Its name in the envelope.
    pub fn name(self) -> &'static str {
        match self {
            Self::DeploymentStats => "DEPLOYMENT_STATS",
            Self::PredictionsData => "PREDICTIONS_DATA",
            Self::Event => "EVENT",
            Self::ActualsData => "ACTUALS_DATA",
            Self::PredictionStats => "PREDICTION_STATS",
            Self::CustomMetric => "CUSTOM_METRIC",
            Self::Ping => "PING_MSG",
        }
    }

    /// Its number in the binary form.
    pub fn number(self) -> u32 {
        match self {
            Self::DeploymentStats => 3,
            Self::PredictionsData => 7,
            Self::Event => 8,
            Self::ActualsData => 9,
            Self::PredictionStats => 10,
            Self::CustomMetric => 11,
            Self::Ping => 12,
        }
    }

    /// The kind with this name, in capitals as it is written.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// Whether a message of this kind is of no use without a deployment. An event may name its own, or belong to
    /// none; a sign of life comes from a channel.
    pub fn needs_deployment(self) -> bool {
        !matches!(self, Self::Event | Self::Ping)
    }
}

impl Serialize for DataType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
