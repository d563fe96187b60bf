//! Support vectors: `bias + w0*k(x, v0) + w1*k(x, v1) + ...`, in this order.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::lanes;
use crate::model::{
    TableError,
    validate::{Shape, broken, finite},
};

/// A weighted sum of similarities to support vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kernel {
    /// What similarity is.
    pub function: KernelFunction,
    /// The support vectors, row by row, as wide as the columns.
    pub vectors: Vec<f64>,
    /// One weight a support vector.
    pub weights: Vec<f64>,
    /// Where the sum starts.
    pub bias: f64,
}

/// What similarity is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum KernelFunction {
    /// `x . v`
    Linear,
    /// `exp(-gamma * |x - v|^2)`
    Rbf {
        /// Inverse of the reach.
        gamma: f64,
    },
    /// `(gamma * x . v + coef0) ^ degree`
    Polynomial {
        /// Factor of the product.
        gamma: f64,
        /// What is added to it.
        coef0: f64,
        /// The power.
        degree: f64,
    },
    /// `tanh(gamma * x . v + coef0)`
    Sigmoid {
        /// Factor of the product.
        gamma: f64,
        /// What is added to it.
        coef0: f64,
    },
}

impl Kernel {
    pub(crate) fn validate(&self, shape: &Shape<'_>) -> Result<(), TableError> {
        if shape.columns.is_empty() {
            return Err(broken("columns", 0, "is missing: similarity needs at least one column"));
        }
        if self.weights.len().checked_mul(shape.columns.len()) != Some(self.vectors.len()) {
            return Err(broken(
                "vectors",
                self.vectors.len(),
                "is where the support vectors end: there must be one row of columns for each weight",
            ));
        }
        finite("weights", &self.weights)?;
        finite("vectors", &self.vectors)?;
        finite("bias", &[self.bias])?;
        let constants = match self.function {
            KernelFunction::Linear => [0.0; 3],
            KernelFunction::Rbf { gamma } => [gamma, 0.0, 0.0],
            KernelFunction::Polynomial { gamma, coef0, degree } => [gamma, coef0, degree],
            KernelFunction::Sigmoid { gamma, coef0 } => [gamma, coef0, 0.0],
        };
        finite("function", &constants)
    }

    /// Appends one prediction for each row of `block`, whose rows have `width` values.
    pub(crate) fn score(&self, width: usize, block: &[f64], out: &mut Vec<f64>) {
        out.extend(block.chunks_exact(width).map(|row| self.row(row)));
    }

    fn row(&self, row: &[f64]) -> f64 {
        match self.function {
            function @ KernelFunction::Rbf { .. } => self.sum(row, function, square),
            function => self.sum(row, function, product),
        }
    }

    #[inline(always)]
    fn sum(
        &self,
        row: &[f64],
        function: KernelFunction,
        term: impl Fn(f64, f64) -> f64 + Copy,
    ) -> f64 {
        let mut sum = self.bias;
        let mut weights = self.weights.iter();
        lanes::sums(&self.vectors, row, term, |terms| {
            for (terms, weight) in terms.iter().zip(&mut weights) {
                sum += weight * function.of(*terms);
            }
        });
        sum
    }
}

impl KernelFunction {
    /// How similar two rows are, for training.
    #[cfg(feature = "train")]
    pub(crate) fn similarity(self, x: &[f64], v: &[f64]) -> f64 {
        self.of(match self {
            Self::Rbf { .. } => lanes::sum(v, x, square),
            _ => lanes::sum(v, x, product),
        })
    }

    /// What is made of the sum over the columns.
    fn of(self, terms: f64) -> f64 {
        match self {
            Self::Linear => terms,
            Self::Rbf { gamma } => libm::exp(-gamma * terms),
            Self::Polynomial { gamma, coef0, degree } => libm::pow(gamma * terms + coef0, degree),
            Self::Sigmoid { gamma, coef0 } => libm::tanh(gamma * terms + coef0),
        }
    }
}

fn square(v: f64, x: f64) -> f64 {
    (x - v) * (x - v)
}

fn product(v: f64, x: f64) -> f64 {
    x * v
}
