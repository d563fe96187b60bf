use alloc::{string::ToString, vec};
use proptest::prelude::*;

use super::*;
use crate::{
    regressor::{
        Kernel, KernelFunction, Linear, Metric, Neighbours, Weighting,
        trees::{Child, Input, Link, MissingGoes, Node, Side, Sum, Test, Thresholds, Trees, Width},
    },
    schema::{Kind, Missing, Unknown},
};

fn features(missing: Missing) -> Vec<Feature> {
    let levels = vec!["a".to_string(), "b".to_string(), "c".to_string()];
    vec![
        Feature { name: "x".into(), kind: Kind::Numeric, missing, unknown: Unknown::Refuse },
        Feature {
            name: "c".into(),
            kind: Kind::Categorical(levels),
            missing,
            unknown: Unknown::Other,
        },
    ]
}

fn model(columns: Vec<Column>, missing: Missing, regressor: Regressor) -> Model {
    Model { target: "y".into(), features: features(missing), columns, regressor }
}

fn one_hot() -> Vec<Column> {
    let level = |code| Column::Level { feature: 1, code };
    vec![Column::Number { feature: 0 }, level(0), level(1), level(2)]
}

pub(crate) fn linear() -> Model {
    let regressor =
        Regressor::Linear(Linear { weights: vec![2.0, 10.0, 20.0, 30.0], intercept: 1.0 });
    model(one_hot(), Missing::Refuse, regressor)
}

/// Two trees: the first tests x against 0.5 and then the level, the second is a single leaf.
pub(crate) fn trees() -> Model {
    let table = Trees {
        inputs: vec![Input { column: 0, thresholds: Thresholds::F64(vec![-1.0, 0.5]) }],
        tests: vec![
            Test::Rank { input: 0, missing: MissingGoes::Right },
            Test::Set { column: 1, levels: vec![0, 2], missing: Side::Right },
        ],
        nodes: vec![
            Node { test: 0, threshold: 1, left: Child::Leaf(0), right: Child::Node(1) },
            Node { test: 1, threshold: 0, left: Child::Leaf(1), right: Child::Leaf(2) },
        ],
        leaves: vec![1.0, 2.0, 3.0, 100.0],
        roots: vec![Child::Node(0), Child::Leaf(3)],
        sum: Sum { width: Width::F64, start: 0.0, divisor: 1.0, scale: 1.0, bias: 0.0 },
        link: Link::Identity,
    };
    model(
        vec![Column::Number { feature: 0 }, Column::Code { feature: 1 }],
        Missing::Keep,
        Regressor::Trees(table),
    )
}

fn kernel() -> Model {
    let table = Kernel {
        function: KernelFunction::Rbf { gamma: 0.5 },
        vectors: vec![0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 1.0, 0.0],
        weights: vec![1.0, -1.0],
        bias: 5.0,
    };
    model(one_hot(), Missing::Replace(0.0), Regressor::Kernel(table))
}

fn neighbours() -> Model {
    let table = Neighbours {
        k: 2,
        weighting: Weighting::Distance,
        metric: Metric::Minkowski { p: 3.0 },
        points: vec![0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 1.0],
        targets: vec![1.0, 2.0, 3.0],
    };
    model(one_hot(), Missing::Refuse, Regressor::Neighbours(table))
}

pub(crate) fn models() -> [Model; 4] {
    [linear(), trees(), kernel(), neighbours()]
}

#[test]
fn every_shape_survives_its_bytes() {
    for model in models() {
        assert_eq!(Model::decode(&model.encode()).expect("what was written can be read"), model);
    }
}

#[test]
fn bytes_that_are_no_tables_are_refused_by_kind() {
    let bytes = linear().encode();
    let decode = |bytes: &[u8]| Model::decode(bytes).expect_err("broken bytes");
    assert!(matches!(decode(&[]), TableError::Empty));
    assert!(matches!(decode(&[TABLE_FORM + 1]), TableError::Form(form) if form == TABLE_FORM + 1));
    assert!(matches!(decode(&bytes[..bytes.len() - 1]), TableError::Damaged(_)));
    assert!(matches!(decode(&[&bytes[..], &[0]].concat()), TableError::Trailing(1)));
    // A list that claims to be longer than the memory.
    let claim = [TABLE_FORM, 1, b'y', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert!(matches!(decode(&claim), TableError::Damaged(_)));
}

/// Breaks a valid model and gives what is said about it.
fn broken(model: Model, breaking: impl FnOnce(&mut Model)) -> (&'static str, usize) {
    let mut model = model;
    breaking(&mut model);
    match Model::decode(&model.encode()).expect_err("a broken rule") {
        TableError::Invalid { part, at, .. } => (part, at),
        other => panic!("{other:?}"),
    }
}

fn broken_trees(breaking: impl FnOnce(&mut Trees)) -> (&'static str, usize) {
    broken(trees(), |model| match &mut model.regressor {
        Regressor::Trees(trees) => breaking(trees),
        _ => unreachable!("trees() makes trees"),
    })
}

#[test]
fn schema_and_columns_keep_their_rules() {
    assert_eq!(broken(linear(), |m| m.target.clear()), ("target", 0));
    assert_eq!(broken(linear(), |m| m.features.clear()), ("features", 0));
    assert_eq!(broken(linear(), |m| m.features[1].name = "x".into()), ("features", 1));
    assert_eq!(broken(linear(), |m| m.features[1].name.clear()), ("features", 1));
    assert_eq!(
        broken(linear(), |m| m.features[1].kind = Kind::Categorical(vec![])),
        ("features", 1)
    );
    let twice = Kind::Categorical(vec!["a".into(), "b".into(), "a".into()]);
    assert_eq!(broken(linear(), |m| m.features[1].kind = twice), ("features", 1));
    assert_eq!(
        broken(linear(), |m| m.features[0].missing = Missing::Replace(f64::NAN)),
        ("features", 0)
    );
    for code in [3.0, -1.0, 0.5, f64::NAN] {
        assert_eq!(
            broken(linear(), |m| m.features[1].missing = Missing::Replace(code)),
            ("features", 1)
        );
    }
    assert_eq!(broken(linear(), |m| m.features[0].missing = Missing::Keep), ("columns", 0));
    assert_eq!(broken(linear(), |m| m.columns[0] = Column::Number { feature: 2 }), ("columns", 0));
    assert_eq!(broken(linear(), |m| m.columns[0] = Column::Number { feature: 1 }), ("columns", 0));
    assert_eq!(
        broken(linear(), |m| m.columns[1] = Column::Level { feature: 1, code: 3 }),
        ("columns", 1)
    );
    assert_eq!(
        broken(linear(), |m| m.columns[1] = Column::Level { feature: 0, code: 0 }),
        ("columns", 1)
    );
    assert_eq!(broken(linear(), |m| m.columns[1] = Column::Code { feature: 1 }), ("columns", 1));
    assert_eq!(
        broken(linear(), |m| {
            m.columns.pop();
        }),
        ("weights", 4)
    );
}

#[test]
fn numbers_are_finite() {
    for wrong in [f64::NAN, f64::INFINITY] {
        let linear = linear();
        let broken_linear = |breaking: fn(&mut Linear, f64)| {
            broken(linear.clone(), |m| match &mut m.regressor {
                Regressor::Linear(linear) => breaking(linear, wrong),
                _ => unreachable!("linear() is linear"),
            })
        };
        assert_eq!(broken_linear(|l, wrong| l.weights[2] = wrong), ("weights", 2));
        assert_eq!(broken_linear(|l, wrong| l.intercept = wrong), ("intercept", 0));
        assert_eq!(broken_trees(|t| t.leaves[1] = wrong), ("leaves", 1));
        assert_eq!(broken_trees(|t| t.sum.start = wrong), ("sum", 0));
    }
}

#[test]
fn trees_keep_their_rules() {
    let thresholds = |list: &[f64]| Thresholds::F64(list.to_vec());
    assert_eq!(broken_trees(|t| t.inputs[0].column = 2), ("inputs", 0));
    assert_eq!(broken_trees(|t| t.inputs[0].thresholds = thresholds(&[0.5, 0.5])), ("inputs", 0));
    assert_eq!(broken_trees(|t| t.inputs[0].thresholds = thresholds(&[1.0, 0.5])), ("inputs", 0));
    assert_eq!(
        broken_trees(|t| t.inputs[0].thresholds = thresholds(&[0.5, f64::INFINITY])),
        ("inputs", 0)
    );
    assert_eq!(
        broken_trees(|t| t.tests[0] = Test::Rank { input: 1, missing: MissingGoes::Left }),
        ("tests", 0)
    );
    let set =
        |column, levels: &[u32]| Test::Set { column, levels: levels.to_vec(), missing: Side::Left };
    assert_eq!(broken_trees(|t| t.tests[1] = set(0, &[0])), ("tests", 1));
    assert_eq!(broken_trees(|t| t.tests[1] = set(1, &[1, 0])), ("tests", 1));
    assert_eq!(broken_trees(|t| t.tests[1] = set(1, &[3])), ("tests", 1));
    assert_eq!(broken_trees(|t| t.nodes[0].test = 2), ("nodes", 0));
    assert_eq!(broken_trees(|t| t.nodes[0].threshold = 2), ("nodes", 0));
    assert_eq!(broken_trees(|t| t.nodes[1].threshold = 1), ("nodes", 1));
    assert_eq!(broken_trees(|t| t.nodes[0].left = Child::Leaf(4)), ("nodes", 0));
    assert_eq!(broken_trees(|t| t.nodes[0].left = Child::Node(2)), ("nodes", 0));
    // Circles: to itself and to its parent.
    assert_eq!(broken_trees(|t| t.nodes[1].left = Child::Node(1)), ("nodes", 1));
    assert_eq!(broken_trees(|t| t.nodes[1].left = Child::Node(0)), ("nodes", 1));
    assert_eq!(broken_trees(|t| t.roots[0] = Child::Node(2)), ("roots", 0));
    assert_eq!(broken_trees(|t| t.sum.divisor = 0.0), ("sum", 1));
}

#[test]
fn similarity_and_nearness_keep_their_rules() {
    let broken_neighbours = |breaking: fn(&mut Neighbours)| {
        broken(neighbours(), |m| match &mut m.regressor {
            Regressor::Neighbours(table) => breaking(table),
            _ => unreachable!("neighbours() has neighbours"),
        })
    };
    assert_eq!(broken_neighbours(|t| t.k = 0), ("k", 0));
    assert_eq!(broken_neighbours(|t| t.k = 4), ("k", 0));
    assert_eq!(
        broken_neighbours(|t| {
            t.points.pop();
        }),
        ("points", 11)
    );
    assert_eq!(broken_neighbours(|t| t.metric = Metric::Minkowski { p: 0.5 }), ("metric", 0));
    let broken_kernel = |breaking: fn(&mut Kernel)| {
        broken(kernel(), |m| match &mut m.regressor {
            Regressor::Kernel(table) => breaking(table),
            _ => unreachable!("kernel() has a kernel"),
        })
    };
    assert_eq!(
        broken_kernel(|t| {
            t.vectors.pop();
        }),
        ("vectors", 7)
    );
    assert_eq!(
        broken_kernel(|t| t.function = KernelFunction::Rbf { gamma: f64::NAN }),
        ("function", 0)
    );
}

/// Scores whatever a model that was accepted may be asked; the answer does not matter, that there is one does.
fn exercise(model: Model) {
    let width = model.features.len();
    let mut scorer = model.scorer().expect("accepted tables make a scorer");
    let values = [
        0.0,
        -1.0,
        1.0,
        2.0,
        0.5,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        -0.0,
        1e-310,
    ];
    let numbers: Vec<f64> = values.iter().copied().cycle().take(width * values.len()).collect();
    let mut out = Vec::new();
    for (row, numbers) in numbers.chunks_exact(width).enumerate() {
        match scorer.score(1, numbers, &mut out) {
            Ok(()) => assert!(out.len() == 1 && out[0].is_finite(), "row {row}: {out:?}"),
            Err(decline) => assert!(out.is_empty() && !decline.message.is_empty()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused_or_score(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let tagged = [&[TABLE_FORM], &bytes[..]].concat();
        if let Ok(model) = Model::decode(&tagged) {
            exercise(model);
        }
    }

    #[test]
    fn damaged_tables_are_refused_or_score(
        which in 0..4usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = models()[which].encode();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(model) = Model::decode(&bytes) {
            exercise(model);
        }
    }
}
