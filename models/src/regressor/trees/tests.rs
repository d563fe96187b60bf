use alloc::{vec, vec::Vec};

use super::*;
use crate::{Model, Regressor, model::tests as samples};

/// What the trees of a changed sample make of a row.
fn score(change: impl FnOnce(&mut Trees), row: [f64; 2]) -> f64 {
    let mut model: Model = samples::trees();
    if let Regressor::Trees(trees) = &mut model.regressor {
        change(trees);
    }
    let mut out = Vec::new();
    model.scorer().expect("valid tables").score(1, &row, &mut out).expect("a row that trees take");
    out[0]
}

fn plain(row: [f64; 2]) -> f64 {
    score(|_| {}, row)
}

#[test]
fn a_threshold_itself_goes_left() {
    let above = f64::from_bits(0.5f64.to_bits() + 1);
    assert_eq!(plain([0.5, 0.0]), 101.0);
    assert_eq!(plain([above, 0.0]), 102.0);
    assert_eq!(plain([f64::MIN, 0.0]), 101.0);
}

#[test]
fn levels_outside_the_set_go_right() {
    assert_eq!([0.0, 1.0, 2.0].map(|code| plain([1.0, code])), [102.0, 103.0, 102.0]);
    assert_eq!(plain([1.0, -1.0]), 103.0, "an unknown level is not level 0");
}

#[test]
fn missing_goes_where_the_test_says() {
    let sent = |missing| score(|t| t.tests[0] = Test::Rank { input: 0, missing }, [f64::NAN, 0.0]);
    assert_eq!(
        [MissingGoes::Left, MissingGoes::Right, MissingGoes::Zero].map(sent),
        [101.0, 102.0, 101.0]
    );
    let set = |missing| {
        score(|t| t.tests[1] = Test::Set { column: 1, levels: vec![0], missing }, [1.0, f64::NAN])
    };
    assert_eq!([Side::Left, Side::Right].map(set), [102.0, 103.0]);
}

#[test]
fn narrow_thresholds_round_the_value_first() {
    // In 64 bits this value is above 0.5, in 32 it is 0.5.
    let value = 0.5 + 1e-12;
    let narrow = |t: &mut Trees| t.inputs[0].thresholds = Thresholds::F32(vec![-1.0, 0.5]);
    assert_eq!(plain([value, 0.0]), 102.0);
    assert_eq!(score(narrow, [value, 0.0]), 101.0);
}

#[test]
fn the_sum_has_its_width_and_its_ends() {
    let ends = Sum { width: Width::F64, start: 3.0, divisor: 4.0, scale: 10.0, bias: 0.5 };
    assert_eq!(score(|t| t.sum = ends, [0.0, 0.0]), (3.0 + 101.0) / 4.0 * 10.0 + 0.5);
    // 2^24 + 1 is not a number of 32 bits.
    let narrow =
        Sum { width: Width::F32, start: 16_777_216.0, divisor: 1.0, scale: 1.0, bias: 0.0 };
    let one = |t: &mut Trees| {
        t.leaves = vec![1.0, 1.0, 1.0, 1.0];
        t.sum = narrow;
    };
    assert_eq!(score(one, [0.0, 0.0]), 16_777_216.0);
}

#[test]
fn the_exponential_is_taken_of_the_sum() {
    let exponential = |t: &mut Trees| {
        t.leaves = vec![1.0, 0.0, 0.0, 1.0];
        t.link = Link::Exp;
    };
    assert_eq!(score(exponential, [0.0, 0.0]), libm::exp(2.0));
}

/// Where the obvious walk from `child` ends, for trees whose only input is the row's first column.
fn descend(trees: &Trees, child: Child, x: f64) -> f64 {
    match child {
        Child::Leaf(index) => trees.leaves[index as usize],
        Child::Node(index) => {
            let node = trees.nodes[index as usize];
            let Thresholds::F64(thresholds) = &trees.inputs[0].thresholds else { unreachable!() };
            let left = x <= thresholds[node.threshold as usize];
            descend(trees, if left { node.left } else { node.right }, x)
        }
    }
}

#[test]
fn lock_step_changes_no_sum() {
    // One chain of nodes, which trees enter at different depths, some of them at a leaf: 0 to 13 trees, and rows that
    // leave the chain everywhere. The sum depends on the order of its leaves.
    const DEPTH: u32 = 11;
    let model = samples::trees();
    let Regressor::Trees(mut trees) = model.regressor else { unreachable!("trees() makes trees") };
    trees.inputs[0].thresholds = Thresholds::F64((0..DEPTH).map(f64::from).collect());
    trees.nodes = (0..DEPTH)
        .map(|at| Node {
            test: 0,
            threshold: at,
            left: Child::Leaf(at),
            right: if at + 1 < DEPTH { Child::Node(at + 1) } else { Child::Leaf(DEPTH) },
        })
        .collect();
    trees.leaves = (0..=DEPTH).map(|at| libm::pow(-7.3, f64::from(at) * 3.0)).collect();
    for count in 0..=13u32 {
        trees.roots = (0..count)
            .map(|tree| match tree * 5 % DEPTH {
                leaf @ 8.. => Child::Leaf(leaf),
                node => Child::Node(node),
            })
            .collect();
        let rows: Vec<[f64; 2]> = (0..2 * DEPTH + 3).map(|x| [f64::from(x) / 2.0, 0.0]).collect();
        let mut got = Vec::new();
        Forest::new(&trees).score(&trees, rows.len(), 2, rows.as_flattened(), &mut got);
        for (row, got) in rows.iter().zip(&got) {
            let leaves = trees.roots.iter().map(|root| descend(&trees, *root, row[0]));
            let want = leaves.fold(trees.sum.start, |sum, leaf| sum + leaf);
            assert_eq!(got.to_bits(), want.to_bits(), "{count} trees, {row:?}");
        }
        assert_eq!(got.len(), rows.len());
    }
}
