//! The walk: one row at a time, a few trees in lock-step.
//!
//! A step has to wait for the one before it, but not for those in other trees. Leaves are steps too, which lead to
//! themselves, so that trees that have arrived can wait for the others without a branch that nobody could predict.

use alloc::vec::Vec;

use super::{Child, Link, Trees, Width};

/// Rows that are ranked in lock-step.
const ROWS: usize = 4;
/// Trees that are walked in lock-step.
const TREES: usize = 4;
/// Steps in one turn of the loop (see `lanes.rs` for what a turn costs).
const STEPS: usize = 4;

/// Trees made ready to walk, with the scratch for the ranks of a few rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forest {
    /// All nodes, then all leaves.
    steps: Vec<Step>,
    /// How many of the steps are nodes.
    nodes: u32,
    roots: Vec<u32>,
    /// The ranks of the rows at hand, row by row.
    ranks: Vec<u32>,
}

/// A node in the form in which it is walked: 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Step {
    test: u32,
    threshold: u32,
    /// Where a row goes whose rank is at most `threshold`, and where it goes otherwise.
    next: [u32; 2],
}

impl Forest {
    /// Prepares trees that have been validated, whose indices therefore fit: a table of 2^31 nodes or leaves does
    /// not fit into the address space of the sandbox.
    pub(crate) fn new(trees: &Trees) -> Self {
        let nodes = trees.nodes.len() as u32;
        let place = |child: Child| match child {
            Child::Node(index) => index,
            Child::Leaf(index) => nodes + index,
        };
        let inner = trees.nodes.iter().map(|node| Step {
            test: node.test,
            threshold: node.threshold,
            next: [place(node.left), place(node.right)],
        });
        // Where there is a node there is a test 0, and where there is none nothing is walked.
        let leaves = (nodes..).take(trees.leaves.len()).map(|place| Step {
            test: 0,
            threshold: 0,
            next: [place; 2],
        });
        Self {
            steps: inner.chain(leaves).collect(),
            nodes,
            roots: trees.roots.iter().map(|root| place(*root)).collect(),
            ranks: alloc::vec![0; ROWS * trees.tests.len()],
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
        let row = |row: usize| &block[row * width..(row + 1) * width];
        let whole = rows - rows % ROWS;
        for first in (0..whole).step_by(ROWS) {
            self.few(trees, core::array::from_fn::<_, ROWS, _>(|lane| row(first + lane)), out);
        }
        for last in whole..rows {
            self.few(trees, [row(last)], out);
        }
    }

    /// Appends the predictions of at most [`ROWS`] rows.
    fn few<const N: usize>(&mut self, trees: &Trees, rows: [&[f64]; N], out: &mut Vec<f64>) {
        let tests = trees.tests.len();
        for (at, test) in trees.tests.iter().enumerate() {
            for (row, rank) in test.ranks(trees, rows).into_iter().enumerate() {
                self.ranks[row * tests + at] = rank;
            }
        }
        for row in 0..N {
            out.push(self.sum(trees, &self.ranks[row * tests..(row + 1) * tests]));
        }
    }

    fn sum(&self, trees: &Trees, ranks: &[u32]) -> f64 {
        let sum = &trees.sum;
        match sum.width {
            Width::F64 => {
                let total = self.fold(ranks, &trees.leaves, sum.start, |total, leaf| total + leaf);
                trees.link.apply(total / sum.divisor * sum.scale + sum.bias)
            }
            Width::F32 => {
                let start = sum.start as f32;
                let total =
                    self.fold(ranks, &trees.leaves, start, |total, leaf| total + leaf as f32);
                let ended = total / sum.divisor as f32 * sum.scale as f32 + sum.bias as f32;
                f64::from(trees.link.apply(f64::from(ended)) as f32)
            }
        }
    }

    /// Adds a row's leaves up in the order of the trees.
    #[inline(always)]
    fn fold<T>(&self, ranks: &[u32], leaves: &[f64], start: T, add: impl Fn(T, f64) -> T) -> T {
        let mut total = start;
        let (groups, rest) = self.roots.as_chunks::<TREES>();
        for group in groups {
            for leaf in self.walk(ranks, *group) {
                total = add(total, leaves[leaf as usize]);
            }
        }
        for root in rest {
            let [leaf] = self.walk(ranks, [*root]);
            total = add(total, leaves[leaf as usize]);
        }
        total
    }

    /// From some roots to the indices of the leaves below them.
    #[inline(always)]
    fn walk<const N: usize>(&self, ranks: &[u32], roots: [u32; N]) -> [u32; N] {
        let mut places = roots;
        'walk: loop {
            for _ in 0..STEPS {
                if places.iter().fold(u32::MAX, |least, place| least.min(*place)) >= self.nodes {
                    break 'walk;
                }
                for place in &mut places {
                    let step = &self.steps[*place as usize];
                    *place = step.next[usize::from(ranks[step.test as usize] > step.threshold)];
                }
            }
        }
        places.map(|place| place - self.nodes)
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
