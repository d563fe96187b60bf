//! Train, inspect, score: what a user does before anything is served.

use std::path::Path;
use tests::{Outpost, README_ROW, diabetes, fields};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The README's row as a CSV file.
fn rows(folder: &Path) -> std::path::PathBuf {
    let (names, values): (Vec<&str>, Vec<&str>) = fields(README_ROW).into_iter().unzip();
    let file = folder.join("rows.csv");
    std::fs::write(&file, format!("{}\n{}\n", names.join(","), values.join(","))).unwrap();
    file
}

#[test]
fn a_package_says_what_it_is() {
    let shown = Outpost::run(&["inspect", path(Outpost::ridge()), "--json"]).succeeded();
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert!(shown["digest"].as_str().unwrap().starts_with("sha256:"));
    let manifest = &shown["manifest"];
    assert_eq!(manifest["target"], "Y");
    assert_eq!(manifest["provenance"]["algorithm"], "ridge");
    assert_eq!(manifest["provenance"]["data_rows"], 442);
    let names: Vec<&str> = manifest["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, fields(README_ROW).iter().map(|(name, _)| *name).collect::<Vec<_>>());

    let shown = Outpost::run(&["inspect", path(Outpost::ridge())]).succeeded();
    for word in ["ridge", "Y", "bmi", "sha256:", "How much each feature matters"] {
        assert!(shown.out.contains(word), "{word} is missing in: {}", shown.out);
    }
    // The one that matters most has the whole bar.
    assert!(shown.out.contains(&format!("{} 1.00", "█".repeat(30))), "{}", shown.out);
}

#[test]
fn scoring_a_file_adds_the_documented_number() {
    let folder = tempfile::tempdir().unwrap();
    let scored = folder.path().join("scored.csv");
    let rows = rows(folder.path());
    Outpost::run(&["score", path(Outpost::ridge()), path(&rows), "-o", path(&scored)]).succeeded();
    let scored = std::fs::read_to_string(scored).unwrap();
    let (header, row) = scored.trim_end().split_once('\n').unwrap();
    let (_, last_name) = header.rsplit_once(',').unwrap();
    let (_, last_value) = row.rsplit_once(',').unwrap();
    assert_eq!(last_name, "prediction");
    let expected = crate::stories::readme::documented_number();
    let given: f64 = last_value.trim().parse().unwrap();
    assert!((given / expected - 1.0).abs() < 1e-6, "{given} is not {expected}");
}

#[test]
fn the_same_data_settings_and_seed_make_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, seed: &str| {
        let file = folder.path().join(name);
        Outpost::train(&file, "random-forest", &["--param", "n_estimators=5", "--seed", seed]);
        std::fs::read(file).unwrap()
    };
    let first = make("first.wasm", "7");
    assert!(first == make("second.wasm", "7"), "the same seed made other bytes");
    assert!(first != make("third.wasm", "8"), "the seed does not reach the model");
}

#[test]
fn a_wrong_command_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("no.wasm");
    let data = diabetes();
    let train = |target: &str, more: &[&str]| {
        let mut arguments = vec!["train", path(&data), "--target", target, "-o", path(&out)];
        arguments.extend_from_slice(more);
        Outpost::run(&arguments)
    };
    train("Z", &["--model", "ridge"]).failed(64, &["Z"]);
    train("Y", &["--model", "rigde"]).failed(64, &["rigde", "ridge"]);
    train("Y", &["--model", "ridge", "--param", "alhpa=1"]).failed(64, &["alhpa", "alpha"]);
    train("Y", &["--model", "ridge", "--param", "alpha=-1"]).failed(64, &["alpha", "-1"]);
    assert!(!out.exists(), "a failed command left a package");
    Outpost::run(&["train", "missing.csv", "--target", "Y", "-o", path(&out)])
        .failed(74, &["missing.csv"]);
    Outpost::run(&["inspect", path(&data)]).failed(65, &["diabetes.csv"]);
    Outpost::run(&["serve", "--unknown"]).failed(64, &["--unknown"]);
}

#[test]
fn ragged_rows_are_refused_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("ragged.csv");
    std::fs::write(&data, "a,b,Y\n1,2,3\n4,5\n7,8,9\n").unwrap();
    let out = folder.path().join("no.wasm");
    let train = ["train", path(&data), "--target", "Y", "--model", "ridge", "-o", path(&out)];
    Outpost::run(&train).failed(65, &["ragged.csv", "line 3"]);
}

#[test]
fn a_row_that_does_not_fit_is_refused_by_field_and_row() {
    let folder = tempfile::tempdir().unwrap();
    let file = rows(folder.path());
    let text = std::fs::read_to_string(&file).unwrap().replace(",23,", ",tall,");
    std::fs::write(&file, text).unwrap();
    Outpost::run(&["score", path(Outpost::ridge()), path(&file)]).failed(65, &["bmi", "tall"]);
}

/// Every algorithm seals a package whose sandboxed predictions are those of the training library: the parity gate
/// stands in front of the file, so that a package exists is the proof.
#[test]
fn every_algorithm_makes_a_package_that_scores() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(folder.path());
    let few = ["--param", "n_estimators=10"];
    let algorithms: [(&str, &[&str]); 9] = [
        ("linear", &[]),
        ("ridge", &[]),
        ("lasso", &[]),
        ("elastic-net", &[]),
        ("svr", &[]),
        ("knn", &[]),
        ("random-forest", &few),
        ("extra-trees", &few),
        ("gradient-boosting", &few),
    ];
    for (algorithm, more) in algorithms {
        let file = folder.path().join(format!("{algorithm}.wasm"));
        let mut arguments = vec!["--folds", "2"];
        arguments.extend_from_slice(more);
        Outpost::train(&file, algorithm, &arguments);
        let scored = Outpost::run(&["score", path(&file), path(&rows)]).succeeded();
        let (_, prediction) = scored.out.trim_end().rsplit_once(',').unwrap();
        let prediction: f64 = prediction.parse().unwrap();
        // The targets of the training data lie between 25 and 346.
        assert!((0.0..400.0).contains(&prediction), "{algorithm}: {prediction}");
    }
}
