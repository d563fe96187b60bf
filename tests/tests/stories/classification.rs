//! Classifications all the way: a model in scikit-learn, the public library, our agent, our server, and the same numbers as
//! scikit-learn has of the rows.

use serde_json::{Value, json};
use tests::{AgentChannel, Mlops, Monitor, python, wait_until};

/// So near the library's answers, relative to them.
const NEAR: f64 = 1e-9;

/// Waits until a deployment has so many rows, and so many of them with their outcomes.
fn arrived(server: &Mlops, deployment: &str, rows: u64, outcomes: u64) {
    wait_until(&format!("all rows of {deployment}"), || {
        let here = server.drift(deployment)["rows"] == rows
            && server.accuracy(deployment)["rows"] == outcomes;
        here.then_some(())
    });
}

#[track_caller]
fn near(what: &str, ours: &Value, theirs: &Value) {
    let (Some(a), Some(b)) = (ours.as_f64(), theirs.as_f64()) else {
        panic!("{what}: {ours} instead of {theirs}");
    };
    assert!((a - b).abs() <= NEAR * b.abs(), "{what}: {a} instead of {b}");
}

/// What the server says of how often each class was predicted, now and in training, is what scikit-learn counts.
#[track_caller]
fn has_drifted(server: &Mlops, deployment: &str, classes: &Value, told: &Value, status: &str) {
    let drift = server.drift(deployment);
    let target = &drift["target"];
    assert_eq!(target["status"], status, "{deployment}: {target}");
    near(deployment, &target["drift"], &told["psi"]);
    let bins = target["bins"].as_array().unwrap();
    let (listed, rest) = bins.split_at(classes.as_array().unwrap().len());
    let names: Value = listed.iter().map(|bin| bin["level"].clone()).collect();
    let counts: Value = listed.iter().map(|bin| bin["count"].clone()).collect();
    let before: Value = listed.iter().map(|bin| bin["baselineCount"].clone()).collect();
    assert_eq!((&names, &counts, &before), (classes, &told["counts"], &told["training"]));
    assert!(rest.iter().all(|bin| bin["count"] == 0 && bin["baselineCount"] == 0), "{target}");
}

fn check(server: &Mlops, target: &str, told: &Value) {
    let classes = &told["target"]["classNames"];
    let [alike, other, summed] = ["alike", "other", "summed"].map(|it| format!("{target}-{it}"));
    let accuracy = server.accuracy(&alike);
    let answers = told["answers"].as_object().unwrap();
    assert!(answers.len() >= 9, "{told}");
    for (name, answer) in answers {
        near(&format!("{target}: {name}"), &accuracy["metrics"][name]["value"], answer);
    }
    has_drifted(server, &alike, classes, &told["alike"], "green");
    has_drifted(server, &other, classes, &told["other"], "red");
    // The features are those of training, so that nothing is red.
    assert_eq!(server.drift(&alike)["status"], "green");
    assert_eq!(server.drift(&other)["status"], "red");
    if told["target"]["predictionThreshold"].is_null() {
        has_drifted(server, &summed, classes, &told["alike"], "green");
    } else {
        // The library counts the more probable one, which by another threshold is not what is predicted.
        assert_eq!(server.drift(&summed)["target"]["status"], "notEnoughData");
    }
}

#[test]
fn what_scikit_learn_says_of_classes_the_server_says_of_what_the_public_library_reported() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let Some(told) = python::classify(&spool) else { return };
    let told = told.as_object().unwrap();
    assert_eq!(told.len(), 2);
    let server = Mlops::start();
    for (target, told) in told {
        let description = json!({"name": target, "modelId": target, "target": told["target"]});
        let package = server.external(&description, told["training"].as_str().unwrap());
        for kind in ["alike", "other", "summed"] {
            server.deploy(&package, &format!("{target}-{kind}"));
        }
    }
    let channels = [AgentChannel::Files(&spool)];
    let file = Monitor::configure(folder.path(), &server.url(), &channels, "");
    let agent = Monitor::known_by(server.token(), &file, &[]);
    for (target, told) in told {
        let rows = told["rows"].as_u64().unwrap();
        let others: u64 =
            told["other"]["counts"].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
        arrived(&server, &format!("{target}-alike"), rows, rows);
        arrived(&server, &format!("{target}-other"), others, 0);
        arrived(&server, &format!("{target}-summed"), rows, 0);
    }
    assert_eq!(agent.stop().code(), Some(0));
    for (target, told) in told {
        check(&server, target, told);
    }
    // And again when it has read everything back.
    let server = server.killed_and_started();
    for (target, told) in told {
        check(&server, target, told);
    }
}
