//! From trees as smartcore keeps them to tree tables.

use std::collections::BTreeMap;

use super::FitError;
use crate::regressor::trees::{
    Child, Input, Link, MissingGoes, Node, Sum, Test, Thresholds, Trees,
};

/// A node of a tree, the first one being the root.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Grown {
    /// Goes to `left` where the column is at most the threshold.
    Split {
        column: usize,
        threshold: f64,
        left: usize,
        right: usize,
    },
    Leaf(f64),
}

/// Puts trees into one table, in their order. The tables refuse missing values before trees see them, so where those
/// go is of no meaning.
pub(super) fn trees(grown: &[Vec<Grown>], sum: Sum) -> Result<Trees, FitError> {
    let mut thresholds: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for node in grown.iter().flatten() {
        if let Grown::Split { column, threshold, .. } = node {
            thresholds.entry(*column as u32).or_default().push(unsigned_zero(*threshold));
        }
    }
    for list in thresholds.values_mut() {
        list.sort_by(f64::total_cmp);
        list.dedup();
    }
    let mut table = Trees {
        inputs: Vec::new(),
        tests: Vec::new(),
        nodes: Vec::new(),
        leaves: Vec::new(),
        roots: Vec::new(),
        sum,
        link: Link::Identity,
    };
    let mut inputs = BTreeMap::new();
    for (column, list) in thresholds {
        let input = table.inputs.len() as u32;
        inputs.insert(column, (input, list.clone()));
        table.tests.push(Test::Rank { input, missing: MissingGoes::Right });
        table.inputs.push(Input { column, thresholds: Thresholds::F64(list) });
    }
    for tree in grown {
        append(&mut table, tree, &inputs)?;
    }
    Ok(table)
}

/// Appends one tree, its nodes in the order in which a walk meets them, so that children come after their parents.
fn append(
    table: &mut Trees,
    tree: &[Grown],
    inputs: &BTreeMap<u32, (u32, Vec<f64>)>,
) -> Result<(), FitError> {
    let mut places = vec![None; tree.len()];
    let mut splits = Vec::new();
    let mut waiting = vec![0];
    while let Some(at) = waiting.pop() {
        let place = places.get_mut(at).ok_or(FitError::Tree)?;
        match tree[at] {
            // A node that is met twice would be a circle.
            _ if place.is_some() => return Err(FitError::Tree),
            Grown::Leaf(value) => {
                *place = Some(Child::Leaf(table.leaves.len() as u32));
                table.leaves.push(value);
            }
            Grown::Split { left, right, .. } => {
                *place = Some(Child::Node((table.nodes.len() + splits.len()) as u32));
                splits.push(at);
                waiting.extend([right, left]);
            }
        }
    }
    let place = |at: usize| places.get(at).copied().flatten().ok_or(FitError::Tree);
    for at in splits {
        if let Grown::Split { column, threshold, left, right } = tree[at] {
            let (input, list) = inputs.get(&(column as u32)).ok_or(FitError::Tree)?;
            let threshold = list.partition_point(|t| *t < threshold) as u32;
            table.nodes.push(Node {
                test: *input,
                threshold,
                left: place(left)?,
                right: place(right)?,
            });
        }
    }
    table.roots.push(place(0)?);
    Ok(())
}

/// -0 and 0 are one threshold.
fn unsigned_zero(threshold: f64) -> f64 {
    threshold + 0.0
}
