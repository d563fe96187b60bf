//! What hyper-parameters mean: models trained here predict what scikit-learn predicts (`reference/make.py`).

use std::{collections::BTreeMap, path::Path};

use models::{
    Kind,
    train::{Algorithm, CsvOptions, Settings, Table, train},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    scikit_learn: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    algorithm: String,
    parameters: BTreeMap<String, String>,
    rows: Vec<BTreeMap<String, String>>,
    predictions: Vec<f64>,
}

fn read(file: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file)
}

/// Trains the case's model and gives the largest difference between its predictions and scikit-learn's, relative to
/// the latter.
fn difference(table: &Table, target: &str, case: &Case) -> f64 {
    let mut settings = Settings::new(target, "reference");
    settings.algorithm = Some(case.algorithm.parse::<Algorithm>().expect("a known algorithm"));
    settings.parameters = case.parameters.clone();
    let trained = train(table, &settings, &mut |_| {}).expect("a model");
    let value = |text: &String, kind: &Kind| match kind {
        _ if text.is_empty() => f64::NAN,
        Kind::Numeric => text.parse().expect("a number"),
        Kind::Categorical(levels) => {
            levels.iter().position(|level| level == text).expect("a known level") as f64
        }
    };
    let features = &trained.model.features;
    let numbers: Vec<f64> = case
        .rows
        .iter()
        .flat_map(|row| features.iter().map(|f| value(&row[&f.name], &f.kind)))
        .collect();
    let mut predictions = Vec::new();
    let mut scorer = trained.model.clone().scorer().expect("a valid model");
    scorer.score(case.rows.len(), &numbers, &mut predictions).expect("rows that the model takes");
    assert_eq!(predictions.len(), case.predictions.len());
    let pairs = predictions.iter().zip(&case.predictions);
    pairs.map(|(ours, theirs)| ((ours - theirs) / theirs).abs()).fold(0.0, f64::max)
}

/// How far predictions may be from scikit-learn's, relative to these.
fn tolerance(algorithm: &str) -> f64 {
    match algorithm {
        // One solution, reached directly: what is left is rounding.
        "linear" | "ridge" | "knn" | "gradient-boosting" => 1e-10,
        // Both sides descend until a gap is closed to 1e-12, which leaves predictions its root apart.
        "lasso" | "elastic-net" => 1e-6,
        // Both sides stop where no pair presses by more than `tol`, on different ways there.
        "svr" => 1e-6,
        other => panic!("no tolerance for {other}"),
    }
}

fn compare(data: &str, target: &str, reference: &str) -> Vec<Case> {
    let table = Table::read_csv(&read(data), &CsvOptions::default()).expect("readable data");
    let reference: Reference = serde_json::from_slice(&read(reference)).expect("a reference");
    assert_eq!(reference.scikit_learn, "1.9.0");
    for case in &reference.cases {
        let difference = difference(&table, target, case);
        let allowed = tolerance(&case.algorithm);
        assert!(
            difference <= allowed,
            "{} {:?} is off by {difference:e}",
            case.algorithm,
            case.parameters
        );
    }
    reference.cases
}

#[test]
fn numbers_mean_what_scikit_learn_means() {
    let cases = compare("diabetes/diabetes.csv", "Y", "reference/diabetes.json");
    // The README's row is the first one.
    let ridge = cases.iter().find(|case| case.algorithm == "ridge" && case.parameters.is_empty());
    let prediction = ridge.expect("a ridge with defaults").predictions[0];
    assert!((prediction - 46.277198918661).abs() < 1e-9, "{prediction}");
}

#[test]
fn categories_and_gaps_mean_what_scikit_learn_means() {
    let cases = compare("penguins/penguins.csv", "body_mass_g", "reference/penguins.json");
    assert!(
        cases.iter().all(|case| case.rows.iter().any(|row| row["sex"].is_empty())),
        "a gap is asked for"
    );
}
