//! What the README says is what happens.

use serde_json::Value;
use std::process::Command;
use tests::{README_ROW, fields, root};

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("there is a README")
}

/// The number in the README's answer.
pub(crate) fn documented_number() -> f64 {
    let readme = readme();
    let (_, rest) = readme.split_once("\"prediction\":").expect("the README shows an answer");
    let end = rest.find(['}', ',']).expect("the answer is whole");
    rest[..end].trim().parse().expect("the prediction is a number")
}

/// What scikit-learn's `Ridge(alpha=1.0)` gives for the README's row: `models/reference/make.py` asked it.
pub(crate) fn scikit_learns_number() -> f64 {
    let (rows, predictions) = scikit_learns_ridge();
    let number = |text: &Value| text.as_str().unwrap().parse::<f64>().unwrap();
    for (name, value) in fields(README_ROW) {
        assert_eq!(
            number(&rows[0][name]),
            value.parse::<f64>().unwrap(),
            "{name} of the reference's first row"
        );
    }
    predictions[0]
}

/// All rows that scikit-learn's `Ridge(alpha=1.0)` was asked for, and its answers.
pub(crate) fn scikit_learns_ridge() -> (Vec<Value>, Vec<f64>) {
    let text = std::fs::read_to_string(root().join("models/reference/diabetes.json")).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    let plain =
        |case: &&Value| case["algorithm"] == "ridge" && case["parameters"] == serde_json::json!({});
    let ridge = cases.iter().find(plain).expect("the reference has ridge by its defaults");
    let predictions = ridge["predictions"].as_array().unwrap();
    let predictions = predictions.iter().map(|number| number.as_f64().unwrap()).collect();
    (ridge["rows"].as_array().unwrap().clone(), predictions)
}

#[test]
fn the_documented_number_is_scikit_learns() {
    let (documented, expected) = (documented_number(), scikit_learns_number());
    assert!((documented / expected - 1.0).abs() < 1e-6, "{documented} is not {expected}");
}

#[test]
fn the_documented_commands_exist() {
    let readme = readme();
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    for target in ["demo", "test"] {
        assert!(
            readme.contains(&format!("make {target}")),
            "the README does not say make {target}"
        );
        assert!(makefile.contains(&format!("\n{target}:")), "the Makefile has no {target}");
    }
    assert!(
        readme
            .contains(&format!("curl \"http://localhost:9091/predict\" -XGET -d \"{README_ROW}\""))
    );
}

/// Links of the form `](path)` that point into the work tree.
#[test]
fn the_files_that_it_mentions_exist() {
    let readme = readme();
    let links: Vec<&str> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://") && !link.starts_with('#'))
        .collect();
    assert!(!links.is_empty(), "the README links to nothing");
    for link in links {
        let path = link.split('#').next().unwrap();
        assert!(root().join(path).exists(), "{link} does not exist");
    }
}

/// The demo, through its own script, with a binary that is built already, up to its first answer.
#[test]
fn the_demo_answers_with_the_documented_number() {
    let free = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [port, mlops_port] = free.map(|free| free.local_addr().unwrap().port());
    let mut demo = Command::new(root().join("tests/setup/demo.sh"));
    let output = demo
        .env("OUTPOST", tests::Outpost::path())
        .env("ONCE", "1")
        .env("PORT", port.to_string())
        .env("MLOPS_PORT", mlops_port.to_string())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
    let (_, rest) = out.rsplit_once("\"prediction\":").expect("the demo prints an answer");
    let number: f64 = rest[..rest.find(['}', ',']).unwrap()].parse().unwrap();
    assert!((number / documented_number() - 1.0).abs() < 1e-6, "{number}");
    // The day before now is there to be looked at.
    for part in ["bmi ", "RED", "median ", "requests a minute"] {
        assert!(out.contains(part), "{part:?} in {out}");
    }
}
