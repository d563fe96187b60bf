//! From the rows of a batch to the rows of a regressor: policies for missing values and unknown levels, then columns.

use alloc::{format, string::String, vec::Vec};

use super::{BLOCK_ROWS, Decline, decline_code};
use crate::{
    model::{Column, validate::level_index},
    regressor::lanes::all_finite,
    schema::{Feature, Kind, Missing, UNKNOWN_LEVEL, Unknown},
};

/// The scratch for a block of rows.
#[derive(Debug)]
pub(crate) struct Block {
    /// Whether all features are numbers and the columns are the features, so that rows without gaps can be used as they are.
    plain: bool,
    /// Rows of features after the policies.
    resolved: Vec<f64>,
    /// Rows of columns.
    widened: Vec<f64>,
}

impl Block {
    pub(crate) fn new(features: &[Feature], columns: &[Column]) -> Self {
        let same = |(at, column): (usize, &Column)| matches!(column, Column::Number { feature } if *feature as usize == at);
        Self {
            plain: columns.len() == features.len() && columns.iter().enumerate().all(same),
            resolved: Vec::with_capacity(BLOCK_ROWS * features.len()),
            widened: Vec::with_capacity(BLOCK_ROWS * columns.len()),
        }
    }

    /// Whether rows without gaps can be used as they are.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The regressor's rows for `numbers`, whose first row is row `first` of the batch.
    pub(crate) fn widen<'a>(
        &'a mut self,
        features: &[Feature],
        columns: &[Column],
        first: usize,
        numbers: &'a [f64],
    ) -> Result<&'a [f64], Decline> {
        if self.plain && all_finite(numbers) {
            return Ok(numbers);
        }
        self.resolved.clear();
        for (row, values) in numbers.chunks_exact(features.len()).enumerate() {
            for (at, (value, feature)) in values.iter().zip(features).enumerate() {
                let resolved = resolve(*value, feature)
                    .map_err(|fault| fault.decline(feature, first + row, at))?;
                self.resolved.push(resolved);
            }
        }
        if self.plain {
            return Ok(&self.resolved);
        }
        self.widened.clear();
        for row in self.resolved.chunks_exact(features.len()) {
            self.widened.extend(columns.iter().map(|column| match *column {
                Column::Number { feature } | Column::Code { feature } => row[feature as usize],
                Column::Level { feature, code } => {
                    f64::from(u8::from(row[feature as usize] == f64::from(code)))
                }
            }));
        }
        Ok(&self.widened)
    }
}

/// What is wrong with a value.
enum Fault {
    Missing,
    UnknownLevel,
    Infinite,
}

/// The value that the model goes on with; NaN if it is missing and kept so.
fn resolve(value: f64, feature: &Feature) -> Result<f64, Fault> {
    if value.is_nan() {
        return missing(feature);
    }
    match &feature.kind {
        Kind::Numeric if value.is_finite() => Ok(value),
        Kind::Numeric => Err(Fault::Infinite),
        Kind::Categorical(levels) if level_index(value, levels.len()).is_some() => Ok(value),
        Kind::Categorical(_) => match feature.unknown {
            Unknown::Refuse => Err(Fault::UnknownLevel),
            Unknown::Missing => missing(feature),
            Unknown::Other => Ok(UNKNOWN_LEVEL),
        },
    }
}

fn missing(feature: &Feature) -> Result<f64, Fault> {
    match feature.missing {
        Missing::Refuse => Err(Fault::Missing),
        Missing::Replace(by) => Ok(by),
        Missing::Keep => Ok(f64::NAN),
    }
}

impl Fault {
    fn decline(self, feature: &Feature, row: usize, at: usize) -> Decline {
        let name = &feature.name;
        let (code, message): (_, String) = match self {
            Self::Missing => (
                decline_code::MISSING_VALUE,
                format!("`{name}` is missing, and the model needs it"),
            ),
            Self::UnknownLevel => (
                decline_code::UNKNOWN_LEVEL,
                format!("`{name}` has a level that the model does not know"),
            ),
            Self::Infinite => (
                decline_code::NOT_FINITE,
                format!("`{name}` is infinite; the model takes finite numbers"),
            ),
        };
        Decline { code, message, row: u32::try_from(row).ok(), feature: u32::try_from(at).ok() }
    }
}
