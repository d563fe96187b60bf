//! A model: what it takes, what its regressor is fed with, and the regressor.
//!
//! # Form
//!
//! [`Model::encode`] writes one byte, [`TABLE_FORM`], then the tables in postcard. A package is built and read by
//! different versions of this code only on the host's side (the scorer inside a package is frozen with its tables),
//! so a change of form gets a new number and the old one is refused by name.
//!
//! # Failure
//!
//! Tables may come from anywhere. [`Model::decode`] takes nothing on trust: every index is in range, every number
//! finite, thresholds sorted, children behind their parents (so that a walk ends), sizes in agreement, no bytes left
//! over. What has passed can be scored with any input and cannot panic. Nothing is allocated ahead of the bytes that
//! fill it.

pub(crate) mod validate;

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

use crate::{Regressor, Scorer, schema::Feature};

/// The form of the tables that this code writes and reads.
pub const TABLE_FORM: u8 = 1;

/// A model with everything that scoring needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The name of the column that the model predicts.
    pub target: String,
    /// What a row holds, in the order of its values.
    pub features: Vec<Feature>,
    /// What the regressor is fed with, in its order.
    pub columns: Vec<Column>,
    /// What was learned.
    pub regressor: Regressor,
}

/// One input of a regressor, made from one feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Column {
    /// The value of a numeric feature.
    Number {
        /// Index of the feature.
        feature: u32,
    },
    /// 1 where a categorical feature has this level, else 0.
    Level {
        /// Index of the feature.
        feature: u32,
        /// Code of the level.
        code: u32,
    },
    /// The code of a categorical feature's level, [`crate::schema::UNKNOWN_LEVEL`] for a level of its own. Only
    /// trees take it.
    Code {
        /// Index of the feature.
        feature: u32,
    },
}

impl Column {
    /// Index of the feature that the column is made from.
    #[must_use]
    pub fn feature(&self) -> u32 {
        match *self {
            Self::Number { feature } | Self::Level { feature, .. } | Self::Code { feature } => {
                feature
            }
        }
    }
}

/// Why tables are not a model.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// No bytes at all.
    #[error("read the model tables: there are none")]
    Empty,
    /// Written by another version of this program.
    #[error("read the model tables: they have form {0}, this program reads form {TABLE_FORM}")]
    Form(u8),
    /// Cut short, or not tables.
    #[error("read the model tables: they are damaged")]
    Damaged(#[source] postcard::Error),
    /// More bytes than the tables need.
    #[error("read the model tables: {0} bytes are left over behind them")]
    Trailing(usize),
    /// Readable, but not a model.
    #[error("use the model tables: {part}[{at}] {rule}")]
    Invalid {
        /// Which list.
        part: &'static str,
        /// Which entry of it, from 0.
        at: usize,
        /// The rule that it breaks.
        rule: &'static str,
    },
}

/// Checks features: there are some, their names and levels are unique, and what replaces a missing value fits.
///
/// # Errors
///
/// [`TableError::Invalid`] with the first feature that breaks a rule.
pub fn check_features(features: &[Feature]) -> Result<(), TableError> {
    validate::features(features)
}

impl Model {
    /// The tables as bytes. The same model always gives the same bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, alloc::vec![TABLE_FORM])
            .expect("a vector takes whatever is written, and every type here has a form")
    }

    /// Reads tables and checks them whole.
    ///
    /// # Errors
    ///
    /// [`TableError`] with the first thing that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, TableError> {
        let (&form, rest) = bytes.split_first().ok_or(TableError::Empty)?;
        if form != TABLE_FORM {
            return Err(TableError::Form(form));
        }
        let (model, left) = postcard::take_from_bytes::<Self>(rest).map_err(TableError::Damaged)?;
        if !left.is_empty() {
            return Err(TableError::Trailing(left.len()));
        }
        model.validate()?;
        Ok(model)
    }

    /// Checks the tables whole, as [`Model::decode`] does.
    ///
    /// # Errors
    ///
    /// [`TableError::Invalid`] with the first rule that is broken.
    pub fn validate(&self) -> Result<(), TableError> {
        validate::model(self)
    }

    /// Makes the model ready to score. Checks it first, because a model made by hand may be anything.
    ///
    /// # Errors
    ///
    /// [`TableError::Invalid`] as for [`Model::validate`].
    pub fn scorer(self) -> Result<Scorer, TableError> {
        self.validate()?;
        Ok(Scorer::new(self))
    }
}

#[cfg(test)]
pub(crate) mod tests;
