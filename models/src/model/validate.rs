//! The rules that tables keep. Each has one sentence, which is what the error says.

use alloc::collections::BTreeSet;

use super::{Column, Model, TableError};
use crate::{
    regressor::Regressor,
    schema::{Feature, Kind, Missing},
};

/// What a regressor's own rules may ask about the model around it.
pub(crate) struct Shape<'a> {
    pub(crate) features: &'a [Feature],
    pub(crate) columns: &'a [Column],
}

/// The first rule that is broken.
pub(crate) fn broken(part: &'static str, at: usize, rule: &'static str) -> TableError {
    TableError::Invalid { part, at, rule }
}

/// Checks that every number is finite.
pub(crate) fn finite(part: &'static str, numbers: &[f64]) -> Result<(), TableError> {
    match numbers.iter().position(|n| !n.is_finite()) {
        Some(at) => Err(broken(part, at, "is not a finite number")),
        None => Ok(()),
    }
}

pub(super) fn model(model: &Model) -> Result<(), TableError> {
    if model.target.is_empty() {
        return Err(broken("target", 0, "has no name"));
    }
    features(&model.features)?;
    let trees = matches!(model.regressor, Regressor::Trees(_));
    columns(&model.columns, &model.features, trees)?;
    let shape = Shape { features: &model.features, columns: &model.columns };
    match &model.regressor {
        Regressor::Linear(linear) => linear.validate(&shape),
        Regressor::Trees(trees) => trees.validate(&shape),
        Regressor::Kernel(kernel) => kernel.validate(&shape),
        Regressor::Neighbours(neighbours) => neighbours.validate(&shape),
    }
}

/// The rules of a schema, which a manifest keeps too.
pub(crate) fn features(features: &[Feature]) -> Result<(), TableError> {
    if features.is_empty() {
        return Err(broken("features", 0, "is missing: a model takes at least one feature"));
    }
    let mut names = BTreeSet::new();
    for (at, feature) in features.iter().enumerate() {
        if feature.name.is_empty() {
            return Err(broken("features", at, "has no name"));
        }
        if !names.insert(feature.name.as_str()) {
            return Err(broken("features", at, "has the name of an earlier feature"));
        }
        let replaceable = |by: f64| match &feature.kind {
            Kind::Numeric => by.is_finite(),
            Kind::Categorical(levels) => level_index(by, levels.len()).is_some(),
        };
        if let Kind::Categorical(levels) = &feature.kind {
            if levels.is_empty() {
                return Err(broken("features", at, "is categorical and has no levels"));
            }
            if levels.iter().collect::<BTreeSet<_>>().len() != levels.len() {
                return Err(broken("features", at, "has a level twice"));
            }
        }
        if let Missing::Replace(by) = feature.missing
            && !replaceable(by)
        {
            return Err(broken(
                "features",
                at,
                "replaces a missing value by something that is not one of its values",
            ));
        }
    }
    Ok(())
}

fn columns(columns: &[Column], features: &[Feature], trees: bool) -> Result<(), TableError> {
    for (at, column) in columns.iter().enumerate() {
        let Some(feature) = features.get(column.feature() as usize) else {
            return Err(broken("columns", at, "names a feature that does not exist"));
        };
        match (column, &feature.kind) {
            (Column::Number { .. }, Kind::Numeric) => {
                if feature.missing == Missing::Keep && !trees {
                    return Err(broken(
                        "columns",
                        at,
                        "keeps missing numbers, which only trees can take",
                    ));
                }
            }
            (Column::Level { code, .. }, Kind::Categorical(levels)) => {
                if *code as usize >= levels.len() {
                    return Err(broken("columns", at, "names a level that does not exist"));
                }
            }
            (Column::Code { .. }, Kind::Categorical(_)) => {
                if !trees {
                    return Err(broken(
                        "columns",
                        at,
                        "is a level's code, which only trees can take",
                    ));
                }
            }
            (Column::Number { .. }, Kind::Categorical(_)) => {
                return Err(broken("columns", at, "takes a category for a number"));
            }
            (Column::Level { .. } | Column::Code { .. }, Kind::Numeric) => {
                return Err(broken("columns", at, "takes a number for a category"));
            }
        }
    }
    Ok(())
}

/// The place of a level, if the code is that of one.
pub(crate) fn level_index(code: f64, levels: usize) -> Option<usize> {
    // The cast saturates, and only a code that survives it unchanged is a place.
    let index = code as usize;
    (index < levels && index as f64 == code).then_some(index)
}
