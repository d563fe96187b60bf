//! Decision trees of any family, as one exact table.
//!
//! # Constraints
//!
//! A library's trees must come out bit for bit, although libraries differ in the width of their numbers, in `<`
//! against `<=`, in where missing values go, in how they test categories and in how they sum.
//!
//! # Form
//!
//! - [`Input`]: a column with the distinct thresholds that any tree tests it against, sorted, in the library's own
//!   width. Every test is brought to `x <= t` (an importer moves the threshold by one step where the library has
//!   `x < t`).
//! - [`Test`]: a virtual column, a small whole number made from a row, in which all special cases end. For numbers it
//!   is `rank(x)`, the count of thresholds below `x`, so that `x <= t[j]` is exactly `rank(x) <= j`; the test says
//!   where a missing value goes. For a set of levels it is 0 (left) or 1 (right).
//! - [`Node`]: goes left where the rank of its test is at most its threshold's place.
//! - Leaves and roots in the order of the library, which is the order of the sum; [`Sum`] says how wide it is and
//!   what happens at its two ends; [`Link`] what is made of it.
//!
//! # Operation
//!
//! A row's ranks are found once, by binary search, and a walk compares whole numbers only. Children lie behind
//! their parents, so a walk always ends.

mod rank;
mod validate;
mod walk;

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
pub(crate) use walk::Forest;

/// A sum over decision trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trees {
    /// Columns with the thresholds that they are tested against.
    pub inputs: Vec<Input>,
    /// What nodes test.
    pub tests: Vec<Test>,
    /// The inner nodes of all trees.
    pub nodes: Vec<Node>,
    /// The values of all leaves.
    pub leaves: Vec<f64>,
    /// Where each tree begins, in the order of the sum.
    pub roots: Vec<Child>,
    /// How leaves become one number.
    pub sum: Sum,
    /// What is made of that number.
    pub link: Link,
}

/// A column with the thresholds that it is tested against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Index of the model's column.
    pub column: u32,
    /// Distinct thresholds in ascending order.
    pub thresholds: Thresholds,
}

/// Distinct thresholds in ascending order, in the width in which the library compares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Thresholds {
    /// Values are rounded to 32 bits before they are compared.
    F32(Vec<f32>),
    /// Values are compared as they are.
    F64(Vec<f64>),
}

/// A virtual column: what nodes test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Test {
    /// The rank of a value among the thresholds of an input.
    Rank {
        /// Index of the input.
        input: u32,
        /// Where a missing value goes.
        missing: MissingGoes,
    },
    /// Whether a level is in a set: 0 (left) if it is, 1 (right) if not.
    Set {
        /// Index of the model's column, a [`crate::Column::Code`].
        column: u32,
        /// Codes of the levels in the set, ascending. A level of its own (unknown) is in no set.
        levels: Vec<u32>,
        /// Where a missing value goes.
        missing: Side,
    },
}

/// Where a missing number goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissingGoes {
    /// To the left at every node.
    Left,
    /// To the right at every node.
    Right,
    /// Where 0 goes.
    Zero,
}

/// One of two children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// The child for `x <= t`, or for a level in the set.
    Left,
    /// The other one.
    Right,
}

/// An inner node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Index of the test.
    pub test: u32,
    /// Place of the threshold among those of the test's input; 0 for a set.
    pub threshold: u32,
    /// Where a row goes whose rank is at most `threshold`.
    pub left: Child,
    /// Where it goes otherwise.
    pub right: Child,
}

/// Where a branch leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Child {
    /// Index of a node, larger than that of the node that leads there.
    Node(u32),
    /// Index of a leaf.
    Leaf(u32),
}

/// How leaves become one number: `start + leaf0 + leaf1 + ...`, then `/ divisor`, `* scale`, `+ bias`. A divisor or a
/// scale of 1 and a bias of 0 change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    /// In what width every step is taken.
    pub width: Width,
    /// Where the sum starts.
    pub start: f64,
    /// What it is divided by.
    pub divisor: f64,
    /// What it is multiplied by.
    pub scale: f64,
    /// What is added at the end.
    pub bias: f64,
}

/// The width of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Width {
    /// 32 bits.
    F32,
    /// 64 bits.
    F64,
}

/// What is made of the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// Itself.
    Identity,
    /// `e` to its power, rounded to the width of the sum.
    Exp,
}

impl Thresholds {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(thresholds) => thresholds.len(),
            Self::F64(thresholds) => thresholds.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
