//! Every statistic against numpy, scipy and scikit-learn on the same rows: to 1e-9 of the answer, quantiles to 1 %.
//!
//! `reference/make.py` makes the rows and asks the libraries; what it printed lies in `reference/cases.json`, so that these
//! tests need no Python. One more runs it and compares, where the libraries are set up.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use mlops::numbers::accuracy::{Actual, Metric, Outcome, Sums, Target};
use mlops::numbers::load::Peaks;
use mlops::numbers::{Bins, Distance, Load, Sum, Times};
use models::manifest::Distribution;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const CASES: &str = include_str!("reference/cases.json");
/// So near the libraries' answers, relative to them.
const NEAR: f64 = 1e-9;
/// Answers between these are what rounding left of zero. The deviances of numbers far from zero are yet smaller, but exact.
const NOISE: std::ops::Range<f64> = 1e-17..1e-14;

#[derive(Deserialize)]
struct Outcomes<Prediction> {
    name: String,
    actuals: Vec<f64>,
    predictions: Vec<Prediction>,
    #[serde(default)]
    threshold: f64,
    answers: BTreeMap<String, Option<f64>>,
    #[serde(default)]
    rows: BTreeMap<String, u64>,
}

fn cases<T: DeserializeOwned>(part: &str) -> Vec<T> {
    let all: Value = serde_json::from_str(CASES).expect("JSON");
    let cases: Vec<T> = serde_json::from_value(all[part].clone()).expect("a list of cases");
    assert!(!cases.is_empty(), "{part}");
    cases
}

#[track_caller]
fn near(what: &str, ours: Option<f64>, theirs: Option<f64>) {
    let same = match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            let noise = theirs == 0.0 || NOISE.contains(&theirs.abs());
            (ours - theirs).abs() <= NEAR * theirs.abs() || noise && ours.abs() < NOISE.end
        }
        (ours, theirs) => ours == theirs,
    };
    assert!(same, "{what}: {ours:?} instead of {theirs:?}");
}

/// Outcomes in three parts that are merged, with some that came and went.
fn summed(target: &Target, outcomes: &[Outcome<'_>]) -> Sums {
    let mut parts = vec![Sums::new(target); 3];
    for (at, outcome) in outcomes.iter().enumerate() {
        let part = &mut parts[at % 3];
        part.add(outcome);
        part.add(&outcomes[(at * 7 + 1) % outcomes.len()]);
        part.remove(&outcomes[(at * 7 + 1) % outcomes.len()]);
    }
    let mut whole = Sums::new(target);
    for part in parts.iter().rev() {
        // As they come back from the store.
        let bytes = postcard::to_allocvec(part).expect("it takes sums");
        whole.merge(&postcard::from_bytes(&bytes).expect("the same sums"));
    }
    whole
}

fn compare<P>(case: &Outcomes<P>, metrics: &[Metric]) {
    for metric in metrics {
        let name = match metric.class {
            Some(class) => format!("{} {class}", metric.name),
            None => metric.name.to_owned(),
        };
        let what = format!("{}: {name}", case.name);
        let theirs = case.answers.get(&name).unwrap_or_else(|| panic!("no answer: {what}"));
        near(&what, metric.value, *theirs);
        assert_eq!(metric.reason.is_none(), metric.value.is_some(), "{what}");
        if let Some(rows) = case.rows.get(&name) {
            assert_eq!(
                (metric.rows, metric.left_out),
                (*rows, case.actuals.len() as u64 - rows),
                "{what}"
            );
        }
    }
    assert_eq!(metrics.len(), case.answers.len(), "{}", case.name);
}

#[test]
fn the_metrics_of_numbers_are_scikit_learns() {
    for case in cases::<Outcomes<f64>>("regression") {
        let pairs = case.predictions.iter().zip(&case.actuals);
        let outcomes: Vec<_> = pairs
            .map(|(p, y)| Outcome {
                prediction: std::slice::from_ref(p),
                actual: Actual::Number(*y),
            })
            .collect();
        compare(&case, &summed(&Target::Regression, &outcomes).report());
    }
}

#[test]
fn the_metrics_of_two_classes_are_scikit_learns() {
    for case in cases::<Outcomes<f64>>("binary") {
        let classes = ["no".to_owned(), "yes".to_owned()];
        let target = Target::Binary { classes, threshold: case.threshold };
        let pairs: Vec<[f64; 2]> = case.predictions.iter().map(|p| [1.0 - p, *p]).collect();
        let outcomes: Vec<_> = pairs
            .iter()
            .zip(&case.actuals)
            .map(|(p, y)| Outcome { prediction: p, actual: Actual::Class(*y as usize) })
            .collect();
        compare(&case, &summed(&target, &outcomes).report());
    }
}

#[test]
fn the_metrics_of_several_classes_are_scikit_learns() {
    for case in cases::<Outcomes<Vec<f64>>>("multiclass") {
        let classes = (0..case.predictions[0].len()).map(|at| at.to_string()).collect();
        let outcomes: Vec<_> = case
            .predictions
            .iter()
            .zip(&case.actuals)
            .map(|(p, y)| Outcome { prediction: p, actual: Actual::Class(*y as usize) })
            .collect();
        compare(&case, &summed(&Target::Multiclass { classes }, &outcomes).report());
    }
}

#[test]
fn distances_are_scipys() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        counts: Vec<u64>,
        baseline: Vec<u64>,
        answers: BTreeMap<String, f64>,
    }
    for case in cases::<Case>("distances") {
        for (name, theirs) in &case.answers {
            let distance: Distance =
                serde_json::from_value(Value::from(name.as_str())).expect("a distance");
            let ours = distance.between(&case.counts, &case.baseline);
            near(&format!("{}: {name}", case.name), ours, Some(*theirs));
        }
        assert_eq!(case.answers.len(), 5);
    }
}

#[test]
fn values_fall_into_numpys_bins() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        training: Vec<f64>,
        values: Vec<Option<f64>>,
        baseline: Vec<u64>,
        counts: Vec<u64>,
    }
    for case in cases::<Case>("tallies") {
        let (bins, baseline) = Bins::of(&Distribution::of_numbers(&case.training), None);
        assert_eq!(baseline.counts(), case.baseline, "{}", case.name);
        let mut tally = bins.empty();
        for value in &case.values {
            tally.add(bins.place_number(value.unwrap_or(f64::NAN)), 1);
        }
        assert_eq!(tally.counts(), case.counts, "{}", case.name);
    }
}

#[test]
fn predicted_classes_are_numpys() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        threshold: Option<f64>,
        training: Vec<f64>,
        probabilities: Vec<Vec<f64>>,
        counts: Vec<u64>,
        baseline: Vec<u64>,
        answers: BTreeMap<String, f64>,
    }
    for case in cases::<Case>("decisions") {
        let classes: Vec<String> =
            (0..case.probabilities[0].len()).map(|at| format!("class {at}")).collect();
        let target = match (case.threshold, <[String; 2]>::try_from(classes.clone())) {
            (Some(threshold), Ok(classes)) => Target::Binary { classes, threshold },
            _several => Target::Multiclass { classes: classes.clone() },
        };
        let distribution = Distribution::of_codes(&case.training, &classes);
        let (bins, baseline) = Bins::of_classes(&distribution, &classes).expect("bins of classes");
        assert_eq!(baseline.counts(), case.baseline, "{}", case.name);
        let mut tally = bins.empty();
        for row in &case.probabilities {
            let class = target.decision(row).map(|at| &*classes[at]);
            tally.add(bins.place_text(class), 1);
        }
        assert_eq!(tally.counts(), case.counts, "{}", case.name);
        for (name, theirs) in &case.answers {
            let distance: Distance =
                serde_json::from_value(Value::from(name.as_str())).expect("a distance");
            let ours = distance.between(tally.counts(), baseline.counts());
            near(&format!("{}: {name}", case.name), ours, Some(*theirs));
        }
        assert_eq!(case.answers.len(), 5, "{}", case.name);
    }
}

#[test]
fn quantiles_are_within_one_percent_of_numpys() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        times: Vec<f64>,
        shares: Vec<f64>,
        answers: Vec<f64>,
    }
    for case in cases::<Case>("times") {
        let mut halves = [Times::default(), Times::default()];
        case.times.iter().enumerate().for_each(|(at, ms)| halves[at % 2].add(*ms));
        let [mut times, other] = halves;
        times.merge(&other);
        for (share, theirs) in case.shares.iter().zip(&case.answers) {
            let ours = times.quantile(*share).expect("there are times");
            assert!((ours / theirs - 1.0).abs() <= 0.01, "{} {share}: {ours} {theirs}", case.name);
        }
    }
}

#[test]
fn loads_are_numpys() {
    #[derive(Deserialize)]
    struct Case {
        minutes: Vec<u64>,
        median: f64,
        peak: u64,
    }
    for case in cases::<Case>("loads") {
        let hours: Vec<Load> = case
            .minutes
            .chunks(60)
            .map(|minutes| {
                let mut load = Load::default();
                minutes.iter().enumerate().for_each(|(at, requests)| load.add(at, *requests));
                load
            })
            .collect();
        let peaks = Peaks::of(&hours);
        assert_eq!((peaks.median, peaks.peak), (Some(case.median), Some(case.peak)));
    }
}

#[test]
fn sums_are_as_if_nothing_was_rounded() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        numbers: Vec<f64>,
        answer: f64,
    }
    for case in cases::<Case>("sums") {
        let mut sum = Sum::default();
        case.numbers.iter().for_each(|x| sum.add(*x));
        near(&case.name, Some(sum.value()), Some(case.answer));
    }
}

#[test]
fn the_libraries_still_say_so() {
    let Some(python) = python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/make.py");
    let output = std::process::Command::new(python).arg(script).output().expect("Python starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    let now: Value = serde_json::from_slice(&output.stdout).expect("the script prints JSON");
    let then: Value = serde_json::from_str(CASES).expect("JSON");
    same("", &now, &then);
}

/// The same, numbers as near as every machine computes them.
#[track_caller]
fn same(at: &str, now: &Value, then: &Value) {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            assert!(now.keys().eq(then.keys()), "{at}");
            now.iter().for_each(|(key, value)| same(&format!("{at}/{key}"), value, &then[key]));
        }
        (Value::Array(now), Value::Array(then)) => {
            assert_eq!(now.len(), then.len(), "{at}");
            let pairs = now.iter().zip(then).enumerate();
            pairs.for_each(|(n, (now, then))| same(&format!("{at}/{n}"), now, then));
        }
        (Value::Number(now), Value::Number(then)) => near(at, now.as_f64(), then.as_f64()),
        _other => assert_eq!(now, then, "{at}"),
    }
}

/// The interpreter that the tests' set-up made, or none when this test has to be skipped: with `CI=true` never.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/parts/python");
    if folder.join(".ready").is_file() {
        return Some(folder.join("bin/python"));
    }
    let story = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("!! SKIPPED: {story}: Python is not set up (`make test` does it)\n");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}");
    // Past the test runner, which hides what a passing test prints.
    std::io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
    None
}
