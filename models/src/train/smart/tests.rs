use super::{lower::Grown, *};
use crate::{
    regressor::trees::{Child, Sum, Thresholds, Trees, Width},
    train::learner::{Boosting, Descent, Forest, MaxFeatures},
};

const SUM: Sum = Sum { width: Width::F64, start: 0.0, divisor: 1.0, scale: 1.0, bias: 0.0 };

/// Twelve rows of two columns, and `y = x0 * 3 - x1`.
fn data() -> (Vec<f64>, Vec<f64>) {
    let values: Vec<f64> = (0..12).flat_map(|i| [f64::from(i), f64::from(i * i % 7)]).collect();
    let targets = values.chunks(2).map(|row| row[0] * 3.0 - row[1]).collect();
    (values, targets)
}

fn learn(learner: Learner, width: usize) -> Result<Fitted, FitError> {
    let (values, targets) = data();
    let targets: Vec<f64> = targets.into_iter().take(values.len() / width).collect();
    fit(learner, Rows { width, values: &values, targets: &targets }, 1, true)
}

fn trees(fitted: Fitted) -> Trees {
    match fitted.regressor {
        Regressor::Trees(trees) => trees,
        other => panic!("{other:?}"),
    }
}

/// The longest way from a root to a leaf, in splits.
fn depth(trees: &Trees, from: Child) -> usize {
    match from {
        Child::Leaf(_) => 0,
        Child::Node(at) => {
            let node = trees.nodes[at as usize];
            1 + depth(trees, node.left).max(depth(trees, node.right))
        }
    }
}

#[test]
fn thresholds_are_shared_and_children_come_later() {
    let split = |column, threshold, left, right| Grown::Split { column, threshold, left, right };
    // The root's right child comes first in this list, and -0 is 0.
    let first = vec![
        split(3, 2.0, 2, 1),
        Grown::Leaf(10.0),
        split(3, -0.0, 3, 4),
        Grown::Leaf(20.0),
        Grown::Leaf(30.0),
    ];
    let second = vec![split(3, 0.0, 1, 2), Grown::Leaf(1.0), Grown::Leaf(2.0)];
    let table = lower::trees(&[first, second], SUM).expect("whole trees");
    assert_eq!((table.inputs.len(), table.inputs[0].column), (1, 3));
    assert_eq!(table.inputs[0].thresholds, Thresholds::F64(vec![0.0, 2.0]));
    assert_eq!(table.nodes.iter().map(|node| node.threshold).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(table.roots, [Child::Node(0), Child::Node(2)]);
    assert_eq!((table.nodes[0].left, table.nodes[0].right), (Child::Node(1), Child::Leaf(2)));
    assert_eq!(table.leaves, [20.0, 30.0, 10.0, 1.0, 2.0]);
}

#[test]
fn trees_that_are_not_whole_are_refused() {
    let circle = vec![Grown::Split { column: 0, threshold: 0.0, left: 0, right: 0 }];
    let hole =
        vec![Grown::Split { column: 0, threshold: 0.0, left: 1, right: 2 }, Grown::Leaf(0.0)];
    for tree in [circle, hole, vec![]] {
        assert!(matches!(lower::trees(&[tree], SUM), Err(FitError::Tree)));
    }
}

#[test]
fn depth_counts_splits() {
    let forest = |max_depth| Forest {
        trees: 5,
        max_depth,
        min_samples_split: 2,
        min_samples_leaf: 1,
        max_features: MaxFeatures::Share(1.0),
    };
    let deepest = |trees: &Trees| trees.roots.iter().map(|root| depth(trees, *root)).max();
    for max_depth in [1, 2] {
        for learner in [
            Learner::RandomForest(forest(Some(max_depth))),
            Learner::ExtraTrees(forest(Some(max_depth))),
        ] {
            let table = trees(learn(learner, 2).expect("a forest"));
            assert_eq!(
                (table.roots.len(), deepest(&table)),
                (5, Some(max_depth as usize)),
                "{learner:?}"
            );
        }
    }
    let table = trees(learn(Learner::ExtraTrees(forest(None)), 2).expect("a forest"));
    assert!(deepest(&table) > Some(2));
}

#[test]
fn leaves_have_as_many_rows_as_they_must() {
    let boosting = Boosting {
        trees: 1,
        learning_rate: 1.0,
        max_depth: 3,
        min_samples_leaf: 7,
        subsample: 1.0,
    };
    // Twelve rows cannot be split into two times seven.
    assert_eq!(trees(learn(Learner::GradientBoosting(boosting), 2).expect("a model")).nodes, []);
    let half = Boosting { min_samples_leaf: 6, ..boosting };
    assert_eq!(trees(learn(Learner::GradientBoosting(half), 2).expect("a model")).nodes.len(), 1);
}

#[test]
fn fewer_rows_than_columns_are_no_obstacle() {
    // Eight columns, three rows.
    let descent = Descent { max_iter: 1000, tol: 1e-4 };
    for learner in [
        Learner::Linear,
        Learner::Ridge { alpha: 1.0 },
        Learner::Lasso { alpha: 0.1, descent },
        Learner::ElasticNet { alpha: 0.1, l1_ratio: 0.5, descent },
    ] {
        let (values, targets) = data();
        let rows = Rows { width: 8, values: &values, targets: &targets[..3] };
        let fitted = fit(learner, rows, 1, true).expect("a model");
        let predictions = fitted.predictions.expect("asked for");
        assert_eq!(predictions.len(), 3);
        if learner == Learner::Linear {
            assert!(
                predictions.iter().zip(&targets).all(|(p, y)| (p - y).abs() < 1e-9),
                "{predictions:?}"
            );
        }
    }
}

#[test]
fn a_descent_that_is_cut_short_says_so() {
    let descent = Descent { max_iter: 1, tol: 1e-4 };
    let error =
        learn(Learner::Lasso { alpha: 0.01, descent }, 2).expect_err("one step is not enough");
    assert!(
        matches!(error, FitError::NotConverged { gap, tol: 1e-4, .. } if gap > 1e-4),
        "{error:?}"
    );
}

#[test]
fn ties_between_neighbours_are_smartcores() {
    // A grid on which most distances are shared, and targets that tell every row apart.
    let values: Vec<f64> = (0..36).flat_map(|i| [f64::from(i % 3), f64::from(i * 5 % 4)]).collect();
    let targets: Vec<f64> = (0..36).map(|i| f64::from(i * i)).collect();
    let rows = Rows { width: 2, values: &values, targets: &targets };
    for (k, distance_weights) in [(1, false), (4, false), (5, true), (11, false), (20, true)] {
        let metric = crate::train::learner::Metric::Manhattan;
        let fitted = fit(Learner::Knn { neighbours: k, distance_weights, metric }, rows, 0, true);
        let fitted = fitted.expect("a model");
        let Regressor::Neighbours(table) = fitted.regressor else { panic!("neighbours") };
        let (mut out, mut nearest) = (Vec::new(), Default::default());
        table.score(2, &values, &mut nearest, &mut out);
        assert_eq!(out, fitted.predictions.expect("asked for"), "{k} neighbours");
    }
}

#[test]
fn neighbours_and_rows_have_limits() {
    let knn = |neighbours| Learner::Knn {
        neighbours,
        distance_weights: false,
        metric: crate::train::learner::Metric::Euclidean,
    };
    assert!(learn(knn(12), 2).is_ok());
    assert!(matches!(learn(knn(13), 2), Err(FitError::TooFewRows { k: 13, rows: 12 })));
    let many = vec![0.0; KNN_ROWS_MAX + 1];
    let rows = |count: usize| Rows { width: 1, values: &many[..count], targets: &many[..count] };
    assert!(matches!(
        fit(knn(1), rows(KNN_ROWS_MAX + 1), 0, false),
        Err(FitError::TooManyRows { .. })
    ));
    assert!(fit(knn(1), rows(KNN_ROWS_MAX), 0, false).is_ok());
    let (svr, _) =
        Learner::new(crate::train::Algorithm::Svr, &Default::default()).expect("defaults");
    assert!(matches!(
        fit(svr, rows(svr::SVR_ROWS_MAX + 1), 0, false),
        Err(FitError::TooManyRows { .. })
    ));
    assert!(fit(svr, rows(svr::SVR_ROWS_MAX), 0, false).is_ok());
}

#[test]
fn a_panic_of_the_library_is_an_error() {
    let rows = Rows { width: 1, values: &[f64::NAN; 4], targets: &[1.0, 2.0, 3.0, 4.0] };
    let (boosting, _) =
        Learner::new(crate::train::Algorithm::GradientBoosting, &Default::default())
            .expect("defaults");
    assert!(matches!(fit(boosting, rows, 0, false), Err(FitError::Broke(_))));
}
