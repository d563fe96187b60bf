//! The plain walk: one row at a time, one tree after the other.

use alloc::vec::Vec;

use super::{Child, Link, MissingGoes, Side, Test, Trees, Width};

/// Marks a step that is a leaf; the other bits are its index.
const LEAF: u32 = 1 << 31;

/// Trees made ready to walk, with the scratch for one row's ranks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forest {
    steps: Vec<Step>,
    roots: Vec<u32>,
    ranks: Vec<u32>,
}

/// A node in the form in which it is walked: 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Step {
    test: u32,
    threshold: u32,
    left: u32,
    right: u32,
}

impl Forest {
    /// Prepares trees that have been validated, whose indices therefore fit: a table of 2^31 nodes or leaves does
    /// not fit into the address space of the sandbox.
    pub(crate) fn new(trees: &Trees) -> Self {
        let place = |child: Child| match child {
            Child::Node(index) => index,
            Child::Leaf(index) => index | LEAF,
        };
        let steps = trees.nodes.iter().map(|node| Step {
            test: node.test,
            threshold: node.threshold,
            left: place(node.left),
            right: place(node.right),
        });
        Self {
            steps: steps.collect(),
            roots: trees.roots.iter().map(|root| place(*root)).collect(),
            ranks: alloc::vec![0; trees.tests.len()],
        }
    }

    /// Appends one prediction for each of the `rows` rows of `block`, whose rows have `width` values.
    pub(crate) fn score(
        &mut self,
        trees: &Trees,
        rows: usize,
        width: usize,
        block: &[f64],
        out: &mut Vec<f64>,
    ) {
        for row in 0..rows {
            let values = &block[row * width..(row + 1) * width];
            for (rank, test) in self.ranks.iter_mut().zip(&trees.tests) {
                *rank = test.rank(trees, values);
            }
            out.push(self.sum(trees));
        }
    }

    fn sum(&self, trees: &Trees) -> f64 {
        let leaves = self.roots.iter().map(|root| self.walk(*root, &trees.leaves));
        let sum = &trees.sum;
        match sum.width {
            Width::F64 => {
                let total = leaves.fold(sum.start, |total, leaf| total + leaf);
                trees.link.apply(total / sum.divisor * sum.scale + sum.bias)
            }
            Width::F32 => {
                let total = leaves.fold(sum.start as f32, |total, leaf| total + leaf as f32);
                let ended = total / sum.divisor as f32 * sum.scale as f32 + sum.bias as f32;
                f64::from(trees.link.apply(f64::from(ended)) as f32)
            }
        }
    }

    fn walk(&self, root: u32, leaves: &[f64]) -> f64 {
        let mut at = root;
        while at & LEAF == 0 {
            let step = self.steps[at as usize];
            at = if self.ranks[step.test as usize] <= step.threshold {
                step.left
            } else {
                step.right
            };
        }
        leaves[(at & !LEAF) as usize]
    }
}

impl Link {
    fn apply(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Exp => libm::exp(x),
        }
    }
}

impl Test {
    /// The row's value in this virtual column.
    fn rank(&self, trees: &Trees, values: &[f64]) -> u32 {
        let rank = match self {
            Self::Rank { input, missing } => {
                let input = &trees.inputs[*input as usize];
                let value = values[input.column as usize];
                match (value.is_nan(), missing) {
                    (false, _) => input.thresholds.rank(value),
                    (true, MissingGoes::Left) => 0,
                    (true, MissingGoes::Right) => input.thresholds.len(),
                    (true, MissingGoes::Zero) => input.thresholds.rank(0.0),
                }
            }
            Self::Set { column, levels, missing } => {
                let code = values[*column as usize];
                let left = if code.is_nan() {
                    *missing == Side::Left
                } else {
                    // An unknown level is negative and must not become level 0.
                    code >= 0.0 && levels.binary_search(&(code as u32)).is_ok()
                };
                usize::from(!left)
            }
        };
        // At most the number of thresholds, which validation holds against their places in 32 bits.
        rank as u32
    }
}
