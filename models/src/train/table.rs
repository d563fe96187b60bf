//! Training data: named columns of numbers or of level codes, all equally long.

use crate::schema::Kind;

/// Training data.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The columns in the order of the file.
    pub columns: Vec<TableColumn>,
    /// For each row the line of the file that it begins on.
    pub lines: Vec<u64>,
    /// SHA-256 of the file's bytes, in hex.
    pub sha256: String,
}

/// One column of training data.
#[derive(Clone, Debug, PartialEq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// What its values are. Levels are in alphabetical order.
    pub kind: Kind,
    /// One value a row: a number or a level's code; NaN is missing.
    pub values: Vec<f64>,
    /// Whether the kind was asked for, and not inferred from the values.
    pub forced: bool,
    /// Why a column is categorical that was not asked to be: the first value that is not a number, and its line.
    pub not_a_number: Option<(String, u64)>,
}

impl Table {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// Index of the column with this name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}
