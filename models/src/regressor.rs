//! What a model learned, in one of four shapes. Each turns a block of rows, already policed and widened to the
//! model's columns, into one prediction a row.

pub mod kernel;
pub(crate) mod lanes;
pub mod linear;
pub mod neighbours;
mod root;
pub mod trees;

pub use kernel::{Kernel, KernelFunction};
pub use linear::Linear;
pub use neighbours::{Metric, Neighbours, Weighting};
use serde::{Deserialize, Serialize};
pub use trees::Trees;

/// What a model learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Regressor {
    /// A weighted sum of the columns.
    Linear(Linear),
    /// A sum over decision trees.
    Trees(Trees),
    /// A weighted sum of similarities to support vectors.
    Kernel(Kernel),
    /// A mean over the nearest training rows.
    Neighbours(Neighbours),
}
