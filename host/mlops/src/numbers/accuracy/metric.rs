//! One metric: its value, or why it has none.

use schemars::JsonSchema;
use serde::Serialize;

/// A metric's value, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Its name: `RMSE`, `FVE Poisson`, `Rate@Top5%`, ...
    pub name: &'static str,
    /// The class that it is about, for metrics of single classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<usize>,
    /// Its value, null when there is none. MAPE is in percent; every other rate is a fraction of one.
    pub value: Option<f64>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The rows that it was computed from.
    pub rows: u64,
    /// The rows that it could not take.
    pub left_out: u64,
    /// How scores were compared, for metrics that put rows in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
}

/// How scores were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// As they are.
    Exact,
    /// Rounded to a grid, because there were too many different ones.
    Grid,
}

/// Why a metric has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NoValueReason")]
pub enum Reason {
    /// No prediction has met its actual.
    NoRows,
    /// The metric is defined for none of the rows: no percentage of zero, no logarithm of a negative number.
    NoRowsInDomain,
    /// All actuals are the same, so there is nothing to explain.
    ConstantActuals,
    /// All actuals are of one class.
    OneClass,
    /// No actual is of this class.
    ClassNeverSeen,
    /// No prediction is of this class.
    ClassNeverPredicted,
    /// The target has more classes than scores are kept for.
    TooManyClasses,
}

impl Metric {
    /// A metric of these rows, of which it uses some.
    pub(super) fn new(name: &'static str, all: u64, rows: u64, value: Result<f64, Reason>) -> Self {
        let value = match value {
            _ if all == 0 => Err(Reason::NoRows),
            _ if rows == 0 => Err(Reason::NoRowsInDomain),
            value => value,
        };
        Self {
            name,
            class: None,
            value: value.ok(),
            reason: value.err(),
            rows,
            left_out: all.saturating_sub(rows),
            method: None,
        }
    }

    pub(super) fn of_class(self, class: usize) -> Self {
        Self { class: Some(class), ..self }
    }

    pub(super) fn by(self, method: Method) -> Self {
        Self { method: Some(method), ..self }
    }
}

/// A part of a whole, when there is a whole.
pub(super) fn share(part: u64, whole: u64, otherwise: Reason) -> Result<f64, Reason> {
    if whole == 0 { Err(otherwise) } else { Ok(part as f64 / whole as f64) }
}
