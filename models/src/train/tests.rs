use super::*;
use crate::schema::Missing;

fn data(file: &str) -> Table {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    Table::read_csv(&std::fs::read(path).expect(file), &CsvOptions::default())
        .expect("readable data")
}

fn diabetes(algorithm: &str, parameters: &[(&str, &str)]) -> Result<Trained, TrainError> {
    let mut settings = Settings::new("Y", "diabetes");
    settings.algorithm = Some(algorithm.parse().expect("a known algorithm"));
    settings.parameters =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    train(&data("diabetes/diabetes.csv"), &settings, &mut |_| {})
}

#[test]
fn the_demo_model_gives_the_documented_number() {
    let trained = diabetes("ridge", &[]).expect("a model");
    let mut out = Vec::new();
    let mut scorer = trained.model.scorer().expect("a valid model");
    scorer
        .score(1, &[30.0, 1.0, 23.0, 100.0, 157.0, 70.0, 40.0, 4.0, 3.0, 88.0], &mut out)
        .expect("a good row");
    assert!((out[0] / 46.277198918661 - 1.0).abs() < 1e-12, "{}", out[0]);
}

#[test]
fn every_algorithm_learns_passes_the_gate_and_repeats_itself() {
    let table = data("penguins/penguins.csv");
    for algorithm in Algorithm::ALL {
        let mut settings = Settings::new("body_mass_g", "penguins");
        settings.algorithm = Some(algorithm);
        settings.folds = 2;
        let make = || {
            train(&table, &settings, &mut |_| {})
                .unwrap_or_else(|error| panic!("{algorithm}: {error:?}"))
        };
        let (first, second) = (make(), make());
        assert_eq!(first.model.encode(), second.model.encode(), "{algorithm}");
        assert_eq!(first.manifest.to_json(), second.manifest.to_json(), "{algorithm}");
        assert_eq!(first.manifest.provenance.algorithm, algorithm.name());
        // SVR with defaults barely moves from the mean on unscaled columns, as in scikit-learn.
        let least = if algorithm == Algorithm::Svr { -0.1 } else { 0.7 };
        assert!(
            first.manifest.metrics["cv_r2"] > least,
            "{algorithm}: {:?}",
            first.manifest.metrics
        );
    }
}

#[test]
fn the_seed_matters_where_there_is_chance() {
    let model = |seed| {
        let mut settings = Settings::new("Y", "diabetes");
        settings.algorithm = Some(Algorithm::RandomForest);
        settings.parameters = BTreeMap::from([("n_estimators".to_owned(), "3".to_owned())]);
        settings.seed = seed;
        train(&data("diabetes/diabetes.csv"), &settings, &mut |_| {})
            .expect("a model")
            .model
            .encode()
    };
    assert_ne!(model(1), model(2));
}

#[test]
fn golden_rows_are_reproduced_and_show_a_gap() {
    let trained = {
        let mut settings = Settings::new("body_mass_g", "penguins");
        settings.algorithm = Some(Algorithm::Ridge);
        train(&data("penguins/penguins.csv"), &settings, &mut |_| {}).expect("a model")
    };
    let Trained { model, manifest, .. } = trained;
    assert_eq!(manifest.golden.len(), 11);
    assert_eq!(manifest.golden.iter().filter(|golden| golden.row.contains(&None)).count(), 1);
    assert!(manifest.features.iter().all(|f| (f.missing == Missing::Refuse) == (f.name != "sex")));
    let mut scorer = model.scorer().expect("a valid model");
    let mut out = Vec::new();
    for golden in &manifest.golden {
        let row: Vec<f64> = golden.row.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        scorer.score(1, &row, &mut out).expect("a golden row");
        assert_eq!(out[0].to_bits(), golden.prediction.to_bits());
    }
    assert_eq!(manifest, Manifest::from_json(&manifest.to_json()).expect("a good manifest"));
}

#[test]
fn auto_takes_the_smallest_error_and_tells_every_step() {
    let mut settings = Settings::new("Y", "diabetes");
    settings.folds = 3;
    let mut steps = Vec::new();
    let trained = train(&data("diabetes/diabetes.csv"), &settings, &mut |step| steps.push(step))
        .expect("a model");
    let report = &trained.report;
    assert_eq!(report.candidates.len(), Algorithm::ALL.len());
    let error = |candidate: &Candidate| {
        candidate.rmse().map(|rmse| rmse.mean).expect("all learn from this data")
    };
    let chosen = error(&report.candidates[report.chosen]);
    assert!(report.candidates.iter().all(|candidate| error(candidate) >= chosen));
    assert_eq!(trained.manifest.metrics["cv_rmse"], chosen);
    let folds = steps.iter().filter(|step| matches!(step, Progress::Fold { .. })).count();
    assert_eq!(folds, 3 * Algorithm::ALL.len());
    assert_eq!(steps.last(), Some(&Progress::Weighing));
}

#[test]
fn an_algorithm_that_cannot_learn_is_left_out_of_auto_and_an_error_alone() {
    // Three rows a fold to learn from are too few for five neighbours.
    let text = "x,y\n1,1\n2,3\n3,2\n5,4\n8,6\n9,5\n";
    let table = Table::read_csv(text.as_bytes(), &CsvOptions::default()).expect("good CSV");
    let mut settings = Settings::new("y", "m");
    settings.folds = 2;
    let report = train(&table, &settings, &mut |_| {}).expect("a model").report;
    let knn = report
        .candidates
        .iter()
        .find(|candidate| candidate.algorithm == Algorithm::Knn)
        .expect("tried");
    assert!(
        knn.folds.is_empty()
            && knn.failure.as_ref().is_some_and(|text| text.contains("`n_neighbors` is 5"))
    );
    settings.algorithm = Some(Algorithm::Knn);
    let error = train(&table, &settings, &mut |_| {}).expect_err("too few rows");
    assert!(matches!(
        error,
        TrainError::Fit { algorithm: Algorithm::Knn, source: FitError::TooFewRows { .. } }
    ));
}

#[test]
fn a_constant_target_is_learned_and_has_no_r2() {
    // A number whose mean is not exactly itself.
    let text = "x,y\n1,.1\n2,.1\n3,.1\n5,.1\n8,.1\n9,.1\n";
    let table = Table::read_csv(text.as_bytes(), &CsvOptions::default()).expect("good CSV");
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::Knn) {
        let mut settings = Settings::new("y", "m");
        settings.algorithm = Some(algorithm);
        settings.folds = 2;
        let trained = train(&table, &settings, &mut |_| {})
            .unwrap_or_else(|error| panic!("{algorithm}: {error:?}"));
        assert!(!trained.manifest.metrics.contains_key("cv_r2"), "{algorithm}");
        assert!(
            trained.manifest.golden.iter().all(|golden| (golden.prediction - 0.1).abs() < 0.2),
            "{algorithm}"
        );
    }
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let table = data("diabetes/diabetes.csv");
    let fails = |change: fn(&mut Settings)| {
        let mut settings = Settings::new("Y", "diabetes");
        change(&mut settings);
        train(&table, &settings, &mut |_| {}).expect_err("bad settings").to_string()
    };
    assert!(fails(|s| s.name = "Diabetes!".into()).contains("`name` is `Diabetes!`"));
    assert!(fails(|s| s.version.clear()).contains("`version`"));
    assert!(fails(|s| s.folds = 1).contains("choose 2 to 100"));
    assert!(fails(|s| s.folds = FOLDS_MAX + 1).contains("choose 2 to 100"));
    assert!(fails(|s| drop(s.parameters.insert("alpha".into(), "1".into()))).contains("choose it"));
    let few = |rows: usize| {
        let text = (0..rows)
            .fold("x,y\n".to_owned(), |text, row| format!("{text}{},{}\n", row * row, row));
        let table = Table::read_csv(text.as_bytes(), &CsvOptions::default()).expect("good CSV");
        let mut settings = Settings::new("y", "m");
        settings.algorithm = Some(Algorithm::Ridge);
        settings.folds = 2;
        train(&table, &settings, &mut |_| {})
    };
    assert!(matches!(few(ROWS_MIN - 1), Err(TrainError::TooFewRows { rows: 3 })));
    assert!(few(ROWS_MIN).is_ok());
}

/// Numbers without a pattern, from -0.5 to 0.5, the same on every machine.
fn scattered(row: usize, salt: usize) -> f64 {
    let mixed = (row * 7919 + salt * 104_729 + 13).wrapping_mul(2_654_435_761) % 1_000_003;
    mixed as f64 / 1_000_003.0 - 0.5
}

#[test]
fn importance_is_how_much_worse_it_gets_without_the_feature() {
    // y = 3 a + b, and c is noise. Dealing x out anew adds 2 beta^2 var(x) to the squared error of a linear model.
    let line = |row: usize| {
        let [a, b, c] = [0, 1, 2].map(|salt| scattered(row, salt));
        format!("{a},{b},{c},{}\n", 3.0 * a + b)
    };
    let text = format!("a,b,c,y\n{}", (0..3_000).map(line).collect::<String>());
    let table = Table::read_csv(text.as_bytes(), &CsvOptions::default()).expect("good CSV");
    let trained = |seed| {
        let mut settings = Settings::new("y", "m");
        settings.algorithm = Some(Algorithm::Linear);
        settings.seed = seed;
        train(&table, &settings, &mut |_| {}).expect("a model").manifest.baseline.importance
    };
    let found = trained(0);
    assert_eq!(found[0], 1.0);
    assert!((found[1] * 9.0 - 1.0).abs() < 0.1, "{found:?}");
    assert!(found[2] < 1e-6, "{found:?}");
    assert_eq!(trained(0), found);
    assert_ne!(trained(1), found);
}

#[test]
fn a_model_that_says_the_same_of_every_row_depends_on_nothing() {
    let text =
        format!("a,y\n{}", (0..20).map(|row| format!("{},5\n", row * 3 % 7)).collect::<String>());
    let table = Table::read_csv(text.as_bytes(), &CsvOptions::default()).expect("good CSV");
    let mut settings = Settings::new("y", "m");
    settings.algorithm = Some(Algorithm::Knn);
    let manifest = train(&table, &settings, &mut |_| {}).expect("a model").manifest;
    assert_eq!(manifest.baseline.importance, [0.0]);
}
