//! A model's features as the doors need them: name to place, level to code.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use models::schema::{Feature, Kind};

use crate::privacy::PrivacyError;

/// Where a named value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// To the feature with this place in the batch.
    Feature(usize),
    /// To the row's association id.
    AssociationId,
}

/// A model's features by name.
#[derive(Debug)]
pub(crate) struct Schema {
    inputs: Vec<Input>,
    places: HashMap<Box<str>, Slot, RandomState>,
    association_id_column: Box<str>,
    categories: usize,
}

/// One feature.
#[derive(Debug, PartialEq)]
pub(crate) struct Input {
    pub(crate) name: Box<str>,
    /// None for a number.
    pub(crate) category: Option<Category>,
}

/// What a categorical feature adds.
#[derive(Debug, PartialEq)]
pub(crate) struct Category {
    /// Its place among the categorical features.
    pub(crate) place: usize,
    codes: HashMap<Box<str>, f64, RandomState>,
}

/// A feature whose name is taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Two features have one name.
    #[error("use this model: its features have the name {0:?} twice")]
    Twice(String),
    /// A feature has the name of the association id column.
    #[error(
        "use {0:?} as association id column: a feature of the model has that name; choose another column"
    )]
    AssociationId(String),
    /// What is to be kept private cannot be.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
}

impl Schema {
    pub(crate) fn new(
        features: &[Feature],
        association_id_column: &str,
    ) -> Result<Self, SchemaError> {
        let mut categories = 0;
        let mut inputs = Vec::with_capacity(features.len());
        let mut places = HashMap::default();
        for (place, feature) in features.iter().enumerate() {
            let category = match &feature.kind {
                Kind::Numeric => None,
                Kind::Categorical(levels) => {
                    let codes = (0u32..)
                        .zip(levels)
                        .map(|(code, level)| (level.as_str().into(), f64::from(code)))
                        .collect();
                    categories += 1;
                    Some(Category { place: categories - 1, codes })
                }
            };
            let name: Box<str> = feature.name.as_str().into();
            if places.insert(name.clone(), Slot::Feature(place)).is_some() {
                return Err(SchemaError::Twice(feature.name.clone()));
            }
            inputs.push(Input { name, category });
        }
        if places.insert(association_id_column.into(), Slot::AssociationId).is_some() {
            return Err(SchemaError::AssociationId(association_id_column.to_owned()));
        }
        Ok(Self { inputs, places, association_id_column: association_id_column.into(), categories })
    }

    /// Whether a row for this model is a row for the other one, number by number.
    pub(crate) fn same_layout(&self, other: &Self) -> bool {
        self.association_id_column == other.association_id_column && self.inputs == other.inputs
    }

    pub(crate) fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// How many of the features are categorical.
    pub(crate) fn categories(&self) -> usize {
        self.categories
    }

    /// Finds a name. Most callers send the features in one order, so `hint` is looked at first.
    pub(crate) fn find(&self, name: &str, hint: usize) -> Option<Slot> {
        match self.inputs.get(hint) {
            Some(input) if *input.name == *name => Some(Slot::Feature(hint)),
            _ => self.places.get(name).copied(),
        }
    }

    pub(crate) fn name(&self, slot: Slot) -> &str {
        match slot {
            Slot::Feature(place) => &self.inputs[place].name,
            Slot::AssociationId => &self.association_id_column,
        }
    }
}

impl Category {
    /// A level's code; that of an unknown level when the model does not list it.
    pub(crate) fn code(&self, level: &str) -> f64 {
        self.codes.get(level).copied().unwrap_or(models::schema::UNKNOWN_LEVEL)
    }
}

#[cfg(test)]
mod tests {
    use models::schema::{Missing, Unknown};

    use super::*;

    fn feature(name: &str) -> Feature {
        let (missing, unknown) = (Missing::Refuse, Unknown::Refuse);
        Feature { name: name.to_owned(), kind: Kind::Numeric, missing, unknown }
    }

    #[test]
    fn a_name_means_one_thing() {
        let twice = Schema::new(&[feature("a"), feature("a")], "id").unwrap_err();
        assert_eq!(twice, SchemaError::Twice("a".to_owned()));
        let id = Schema::new(&[feature("a"), feature("id")], "id").unwrap_err();
        assert_eq!(id, SchemaError::AssociationId("id".to_owned()));
    }

    #[test]
    fn a_wrong_hint_changes_nothing() {
        let schema = Schema::new(&[feature("a"), feature("b")], "id").unwrap();
        for hint in 0..4 {
            assert_eq!(schema.find("b", hint), Some(Slot::Feature(1)));
            assert_eq!(schema.find("id", hint), Some(Slot::AssociationId));
            assert_eq!(schema.find("c", hint), None);
        }
    }
}
