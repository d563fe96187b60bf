use proptest::prelude::*;

use super::*;

fn number(prediction: &[f64], actual: f64) -> Outcome<'_> {
    Outcome { prediction, actual: Actual::Number(actual) }
}

fn class(prediction: &[f64], actual: usize) -> Outcome<'_> {
    Outcome { prediction, actual: Actual::Class(actual) }
}

fn binary() -> Target {
    Target::Binary { classes: ["no".into(), "yes".into()], threshold: THRESHOLD }
}

fn metric(sums: &Sums, name: &str) -> Metric {
    sums.report().into_iter().find(|metric| metric.name == name).unwrap()
}

#[test]
fn nothing_says_that_there_are_no_rows() {
    let targets = [
        Target::Regression,
        binary(),
        Target::Multiclass { classes: vec!["a".into(), "b".into()] },
    ];
    for target in targets {
        let metrics = Sums::new(&target).report();
        assert!(metrics.iter().all(|m| m.value.is_none() && m.reason == Some(Reason::NoRows)));
    }
}

#[test]
fn what_cannot_be_counted_is_counted_apart() {
    let mut sums = Sums::new(&Target::Regression);
    let odd = [
        number(&[f64::NAN], 1.0),
        number(&[f64::INFINITY], 1.0),
        number(&[1.0], f64::NAN),
        number(&[], 1.0),
        number(&[LARGEST * 1.01], 1.0),
        class(&[1.0], 0),
    ];
    odd.iter().for_each(|outcome| sums.add(outcome));
    assert_eq!((sums.rows(), sums.unusable()), (0, 6));
    odd.iter().for_each(|outcome| sums.remove(outcome));
    assert_eq!(sums, Sums::new(&Target::Regression));
    // At the edge it is counted, and can be taken away.
    sums.add(&number(&[LARGEST], -LARGEST));
    assert_eq!(metric(&sums, "MAE").value, Some(2.0 * LARGEST));
    sums.remove(&number(&[LARGEST], -LARGEST));
    assert_eq!(sums, Sums::new(&Target::Regression));

    let mut sums = Sums::new(&binary());
    let odd = [class(&[1.5], 1), class(&[f64::NAN], 1), class(&[0.5], 2), number(&[0.5], 1.0)];
    odd.iter().for_each(|outcome| sums.add(outcome));
    assert_eq!((sums.rows(), sums.unusable()), (0, 4));
    let mut sums = Sums::new(&Target::Multiclass { classes: vec!["a".into(), "b".into()] });
    let odd = [class(&[0.5], 0), class(&[0.5, 0.5], 2), class(&[0.5, -0.5], 0)];
    odd.iter().for_each(|outcome| sums.add(outcome));
    assert_eq!((sums.rows(), sums.unusable()), (0, 3));
}

#[test]
fn a_row_is_left_out_only_where_a_metric_cannot_take_it() {
    let mut sums = Sums::new(&Target::Regression);
    sums.add(&number(&[1.0], 0.0));
    sums.add(&number(&[-2.0], 3.0));
    sums.add(&number(&[2.0], 4.0));
    let rows = |name| (metric(&sums, name).rows, metric(&sums, name).left_out);
    assert_eq!(rows("RMSE"), (3, 0));
    assert_eq!(rows("MAPE"), (2, 1));
    assert_eq!(rows("RMSLE"), (2, 1));
    assert_eq!(rows("Poisson Deviance"), (2, 1));
    assert_eq!(rows("Gamma Deviance"), (1, 2));
}

#[test]
fn many_scores_are_rounded_and_nearly_the_same() {
    let outcome = |at: usize| ([at as f64 / 12_000.0], usize::from(at % 7 < at * 7 / 12_000));
    let mut sums = Sums::new(&binary());
    for at in 0..SCORES_KEPT {
        let (score, happened) = outcome(at);
        sums.add(&class(&score, happened));
    }
    assert_eq!(metric(&sums, "AUC").method, Some(Method::Exact));
    let (exact, mut rounded) = (sums.clone(), sums);
    let (score, happened) = outcome(SCORES_KEPT);
    rounded.add(&class(&score, happened));
    assert_eq!(metric(&rounded, "AUC").method, Some(Method::Grid));
    rounded.remove(&class(&score, happened));
    // The rate may take another row or two at the edge.
    for (name, near) in [("AUC", 1e-3), ("KS", 1e-3), ("Rate@Top5%", 1e-2)] {
        let (exact, rounded) = (metric(&exact, name), metric(&rounded, name));
        assert_eq!(rounded.method, Some(Method::Grid));
        assert!((exact.value.unwrap() - rounded.value.unwrap()).abs() < near, "{name}");
    }
    // What was exact becomes as coarse as what it is merged with, and stays small.
    let mut merged = exact;
    merged.merge(&rounded);
    assert_eq!(metric(&merged, "AUC").method, Some(Method::Grid));
    assert!(postcard::to_allocvec(&merged).unwrap().len() < 8 * GRID as usize);
}

#[test]
fn too_many_classes_have_no_area() {
    let classes = |n: usize| (0..n).map(|at| at.to_string()).collect();
    for (count, reason) in
        [(CLASSES_WITH_SCORES, None), (CLASSES_WITH_SCORES + 1, Some(Reason::TooManyClasses))]
    {
        let mut sums = Sums::new(&Target::Multiclass { classes: classes(count) });
        for at in 0..count {
            let mut probabilities = vec![0.0; count];
            probabilities[at] = 1.0;
            sums.add(&class(&probabilities, at));
        }
        assert_eq!(metric(&sums, "AUC").reason, reason);
        assert_eq!(metric(&sums, "Accuracy").value, Some(1.0));
    }
}

proptest! {
    #[test]
    fn what_leaves_was_never_there(
        kept in prop::collection::vec((-1e3f64..1e30, -1e3f64..1e30), 1..30),
        gone in prop::collection::vec((-1e3f64..1e30, -1e3f64..1e30), 0..30),
    ) {
        let (mut pure, mut mixed) = (Sums::new(&Target::Regression), Sums::new(&Target::Regression));
        gone.iter().for_each(|(p, y)| mixed.add(&number(&[*p], *y)));
        for (p, y) in &kept {
            pure.add(&number(&[*p], *y));
            mixed.add(&number(&[*p], *y));
        }
        gone.iter().for_each(|(p, y)| mixed.remove(&number(&[*p], *y)));
        prop_assert_eq!(pure, mixed);
    }

    #[test]
    fn parts_add_up_in_any_order(
        rows in prop::collection::vec((0u8..=8, any::<bool>(), 0usize..3), 3..60),
    ) {
        let mut parts = vec![Sums::new(&binary()); 3];
        let mut whole = Sums::new(&binary());
        for (score, positive, part) in &rows {
            let score = [f64::from(*score) / 8.0];
            parts[*part].add(&class(&score, usize::from(*positive)));
            whole.add(&class(&score, usize::from(*positive)));
        }
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let mut merged = Sums::new(&binary());
            order.iter().for_each(|at| merged.merge(&parts[*at]));
            prop_assert_eq!(&whole, &merged);
        }
    }
}
