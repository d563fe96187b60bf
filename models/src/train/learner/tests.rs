use super::*;

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn message(algorithm: Algorithm, name: &str, value: &str) -> String {
    Learner::new(algorithm, &given(&[(name, value)])).expect_err("a bad parameter").to_string()
}

#[test]
fn names_are_read_and_suggested() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.name().parse::<Algorithm>().expect("its own name"), algorithm);
        let (learner, _) = Learner::new(algorithm, &BTreeMap::new()).expect("defaults");
        assert_eq!(Algorithm::of(&learner), algorithm);
    }
    let error = "randomforest".parse::<Algorithm>().expect_err("no such name").to_string();
    assert!(error.contains("did you mean `random-forest`?"), "{error}");
}

#[test]
fn defaults_are_scikit_learns_and_are_told() {
    let (learner, told) = Learner::new(Algorithm::ElasticNet, &given(&[("l1_ratio", "0.25")]))
        .expect("good parameters");
    let descent = Descent { max_iter: 1000, tol: 1e-4 };
    assert_eq!(learner, Learner::ElasticNet { alpha: 1.0, l1_ratio: 0.25, descent });
    assert_eq!(
        told,
        given(&[("alpha", "1.0"), ("l1_ratio", "0.25"), ("max_iter", "1000"), ("tol", "0.0001")])
    );
    let (svr, _) = Learner::new(Algorithm::Svr, &BTreeMap::new()).expect("defaults");
    let kernel = SvrKernel::Rbf { gamma: Gamma::Scale };
    assert_eq!(svr, Learner::Svr(Svr { c: 1.0, epsilon: 0.1, tol: 1e-3, kernel }));
}

#[test]
fn unknown_names_name_the_nearest_and_all() {
    let error = message(Algorithm::Lasso, "aplha", "1");
    assert!(
        error.contains("did you mean `alpha`?") && error.contains("alpha, max_iter, tol"),
        "{error}"
    );
    assert!(message(Algorithm::Linear, "alpha", "1").ends_with("it has none"));
    // A parameter of another kernel is no parameter of this one.
    assert!(message(Algorithm::Svr, "degree", "2").contains("svr has no such parameter"));
}

#[test]
fn ranges_end_where_they_say() {
    let accepts =
        |algorithm, name, value| Learner::new(algorithm, &given(&[(name, value)])).is_ok();
    for (algorithm, name, good, bad) in [
        (Algorithm::Ridge, "alpha", "0", "-1e-9"),
        (Algorithm::Lasso, "alpha", "1e-9", "0"),
        (Algorithm::ElasticNet, "l1_ratio", "1", "1.001"),
        (Algorithm::Svr, "C", "1e-3", "inf"),
        (Algorithm::Svr, "gamma", "auto", "scaled"),
        (Algorithm::Svr, "kernel", "sigmoid", "cosine"),
        (Algorithm::Knn, "n_neighbors", "1", "0"),
        (Algorithm::Knn, "p", "64", "65"),
        (Algorithm::RandomForest, "n_estimators", "10000", "10001"),
        (Algorithm::RandomForest, "max_depth", "none", "0"),
        (Algorithm::RandomForest, "max_features", "log2", "1.5"),
        (Algorithm::ExtraTrees, "min_samples_split", "2", "1"),
        (Algorithm::GradientBoosting, "max_depth", "32", "33"),
        (Algorithm::GradientBoosting, "subsample", "1", "NaN"),
    ] {
        assert!(accepts(algorithm, name, good), "{algorithm} {name}={good}");
        assert!(
            message(algorithm, name, bad).contains(&format!("cannot take `{bad}`")),
            "{algorithm} {name}={bad}"
        );
    }
}

#[test]
fn shares_and_counts_of_columns_are_told_apart_by_their_point() {
    let columns = |text| {
        let (learner, _) =
            Learner::new(Algorithm::ExtraTrees, &given(&[("max_features", text)])).expect("good");
        match learner {
            Learner::ExtraTrees(forest) => forest.max_features.of(10),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        ["1.0", "1", "0.35", "sqrt", "log2", "99", "0.01"].map(columns),
        [10, 1, 3, 3, 3, 10, 1]
    );
}
