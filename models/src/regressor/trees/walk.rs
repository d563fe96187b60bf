//! The plain walk: one row at a time, one tree after the other.

use alloc::vec::Vec;
use core::hint::select_unpredictable;

use super::{Child, Link, MissingGoes, Side, Test, Trees, Width};

/// Marks a step that is a leaf; the other bits are its index.
const LEAF: u32 = 1 << 31;
/// Trees that are walked in lock-step: their steps do not wait for each other.
const TREES: usize = 4;
/// Steps between two looks at whether all of them have arrived.
const STEPS: usize = 2;

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
        let sum = &trees.sum;
        match sum.width {
            Width::F64 => {
                let total = self.fold(&trees.leaves, sum.start, |total, leaf| total + leaf);
                trees.link.apply(total / sum.divisor * sum.scale + sum.bias)
            }
            Width::F32 => {
                let start = sum.start as f32;
                let total = self.fold(&trees.leaves, start, |total, leaf| total + leaf as f32);
                let ended = total / sum.divisor as f32 * sum.scale as f32 + sum.bias as f32;
                f64::from(trees.link.apply(f64::from(ended)) as f32)
            }
        }
    }

    /// Adds the row's leaves up in the order of the trees.
    #[inline(always)]
    fn fold<T>(&self, leaves: &[f64], start: T, add: impl Fn(T, f64) -> T) -> T {
        let mut total = start;
        let (groups, rest) = self.roots.as_chunks::<TREES>();
        for group in groups {
            for at in self.walk(*group) {
                total = add(total, leaves[(at & !LEAF) as usize]);
            }
        }
        for root in rest {
            let [at] = self.walk([*root]);
            total = add(total, leaves[(at & !LEAF) as usize]);
        }
        total
    }

    /// From some places to the leaves below them.
    #[inline(always)]
    fn walk<const N: usize>(&self, mut places: [u32; N]) -> [u32; N] {
        while places.iter().fold(LEAF, |all, at| all & at) == 0 {
            for _ in 0..STEPS {
                places = places.map(|at| self.step(at));
            }
        }
        places
    }

    /// One step down; a leaf stays where it is. There is at least one node.
    #[inline(always)]
    fn step(&self, at: u32) -> u32 {
        let leaf = at & LEAF != 0;
        let step = self.steps[select_unpredictable(leaf, 0, at) as usize];
        let left = self.ranks[step.test as usize] <= step.threshold;
        select_unpredictable(leaf, at, select_unpredictable(left, step.left, step.right))
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
