//! What operators do with a gateway that runs, by the commands that they give.

use super::two_models::{Pair, pair};
use std::path::Path;
use tests::{Known, Operated, Outpost, README_ROW, python, wait_until};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The package that a deployment's champion is, as the status has it.
fn champion(operated: &Operated, id: &str) -> String {
    let status = operated.status();
    let all = status["deployments"].as_array().unwrap();
    let one = all.iter().find(|one| one["id"] == id).unwrap();
    one["champion"]["digest"].as_str().unwrap().to_owned()
}

/// Asserts that this package answers.
#[track_caller]
fn answers(operated: &Operated, model: &Known) {
    let answer = operated.gateway.predict(README_ROW);
    assert_eq!(answer.predictions(), [model.says]);
    assert_eq!(answer.header("x-model-digest"), Some(&*model.digest));
    assert_eq!(champion(operated, "diabetes"), model.digest);
}

#[test]
fn a_package_is_deployed_as_a_canary_promoted_and_rolled_back() {
    let Pair { ridge, linear } = pair();
    let operated = Operated::on_socket(|serve| serve);
    answers(&operated, ridge);

    let deployed = operated.run(&["deploy", "diabetes", path(&linear.file), "--canary", "5%"]);
    assert!(deployed.succeeded().out.contains(&linear.digest));
    let shown = operated.run(&["status"]).succeeded().out;
    for part in ["diabetes *", "champion", "95%", "canary", "5%", &linear.digest[7..19]] {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    let raised = operated.run(&["canary", "diabetes", "50%"]).succeeded();
    assert!(raised.out.contains("canary"), "{}", raised.out);
    assert_eq!(operated.status()["deployments"][0]["canary"]["share"], 0.5);

    let promoted = operated.run(&["promote", "diabetes"]).succeeded().out;
    let (from, to) =
        (promoted.find(&ridge.digest).unwrap(), promoted.find(&linear.digest).unwrap());
    assert!(from < to, "{promoted}");
    answers(&operated, linear);
    operated.run(&["rollback", "diabetes"]).succeeded();
    answers(&operated, ridge);

    let audit = operated.audit();
    let said = |line: &serde_json::Value| {
        ["by", "action", "deployment", "from", "to"]
            .map(|key| line[key].as_str().unwrap_or("-").to_owned())
    };
    let me = format!("uid:{}", rustix::process::geteuid().as_raw());
    let mine: Vec<_> = audit.iter().map(said).filter(|line| line[0] == me).collect();
    let line = |action: &str, from: &str, to: &str| {
        [&*me, action, "diabetes", from, to].map(str::to_owned)
    };
    assert_eq!(
        mine,
        [
            line("canary", "-", &linear.digest),
            line("canary", &linear.digest, &linear.digest),
            line("promote", &ridge.digest, &linear.digest),
            line("rollback", &linear.digest, &ridge.digest),
        ]
    );
}

#[test]
fn a_canary_is_taken_away_and_a_champion_is_replaced_at_once() {
    let Pair { ridge, linear } = pair();
    let operated = Operated::on_socket(|serve| serve);
    operated.run(&["canary", "diabetes", "abort"]).failed(64, &["has no canary"]);
    operated.run(&["deploy", "diabetes", path(&linear.file), "--canary", "0.5"]).succeeded();
    operated.run(&["canary", "diabetes", "abort"]).succeeded();
    answers(&operated, ridge);
    operated.run(&["deploy", "diabetes", path(&linear.file)]).succeeded();
    answers(&operated, linear);
}

#[test]
fn a_challenger_scores_along_and_is_promoted_or_removed() {
    let Pair { ridge, linear } = pair();
    let operated = Operated::on_socket(|serve| serve);
    let add = ["challenger", "add", "diabetes", path(&linear.file)];
    operated.run(&add).succeeded();
    let another = [&add[..], &["--name", "other"]].concat();
    operated.run(&another).succeeded();
    answers(&operated, ridge);
    wait_until("a comparison", || {
        operated.gateway.predict(README_ROW);
        let status = operated.status();
        let challengers = status["deployments"][0]["challengers"].as_array().unwrap().clone();
        assert_eq!(challengers.len(), 2);
        let compared = |one: &serde_json::Value| one["comparison"]["rows"].as_u64() > Some(0);
        challengers.iter().all(compared).then_some(())
    });
    let shown = operated.run(&["status", "diabetes"]).succeeded().out;
    assert!(shown.contains("challenger linear") && shown.contains("challenger other"), "{shown}");
    operated.run(&["challenger", "remove", "diabetes", "other"]).succeeded();
    operated.run(&["challenger", "remove", "diabetes", "other"]).failed(64, &["other"]);
    operated.run(&["promote", "diabetes", "--challenger", "linear"]).succeeded();
    answers(&operated, linear);
}

#[test]
fn deployments_are_made_chosen_and_removed() {
    let Pair { ridge, linear } = pair();
    let operated = Operated::on_socket(|serve| serve);
    operated.run(&["deploy", "second", path(&linear.file)]).succeeded();
    answers(&operated, ridge);
    operated.run(&["default", "second"]).succeeded();
    assert_eq!(operated.gateway.predict(README_ROW).predictions(), [linear.says]);
    operated.run(&["default", "diabetes"]).succeeded();
    operated.run(&["undeploy", "second"]).succeeded();
    operated.run(&["undeploy", "second"]).failed(64, &["no deployment \"second\""]);
    operated.run(&["status", "second"]).failed(64, &["no deployment \"second\""]);
    // What the settings name is theirs to remove.
    operated.run(&["undeploy", "diabetes"]).failed(64, &["failed to remove diabetes"]);
    answers(&operated, ridge);
}

#[test]
fn a_deployment_and_the_whole_gateway_are_drained_and_resumed() {
    let operated = Operated::on_socket(|serve| serve);
    for of in [&["diabetes"][..], &[]] {
        operated.run(&[&["drain"], of].concat()).succeeded();
        assert_eq!(operated.gateway.predict(README_ROW).status, 503);
        operated.run(&[&["resume"], of].concat()).succeeded();
        assert_eq!(operated.gateway.predict(README_ROW).status, 200);
    }
    operated.run(&["drain"]).succeeded();
    operated.gateway.wait_for_readiness(503, "drain");
    operated.run(&["drain", "nothing"]).failed(64, &["no deployment \"nothing\""]);
}

#[test]
fn the_log_says_more_or_less_from_now_on() {
    let operated = Operated::on_socket(|serve| serve.with(&["--log", "error"]));
    operated.run(&["status"]).succeeded();
    assert!(!operated.gateway.log().contains("DEBUG"), "{}", operated.gateway.log());
    operated.run(&["log-level", "loud=very"]).failed(64, &["no log filter"]);
    operated.run(&["log-level", "admin=debug"]).succeeded();
    operated.run(&["status"]).succeeded();
    wait_until("a line of the request", || {
        operated.gateway.log().contains("/api/v1/status").then_some(())
    });
    let audit = operated.audit();
    let last = audit.last().unwrap();
    assert_eq!(
        (last["action"].as_str(), last["message"].as_str()),
        (Some("log-level"), Some("admin=debug"))
    );
}

#[test]
fn what_is_no_package_or_is_not_trusted_changes_nothing() {
    let Pair { ridge, linear } = pair();
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    Outpost::run(&["keygen", path(&file("ours"))]).succeeded();
    Outpost::run(&[
        "sign",
        path(Outpost::ridge()),
        "--key",
        path(&file("ours.key")),
        "-o",
        path(&file("ridge.wasm")),
    ])
    .succeeded();
    let settings = format!("[signing]\nkeys = [{:?}]\nonly_signed = true\n", file("ours.pub"));
    let model = file("ridge.wasm");
    let operated = Operated::serving(&model, |serve| {
        serve.settings(&settings).with(&["--deployment-id", "other"])
    });
    let served = champion(&operated, "other");
    assert_ne!(served, ridge.digest, "a signature is part of a package");

    std::fs::write(file("none.wasm"), "no package").unwrap();
    operated.run(&["deploy", "other", path(&file("none.wasm"))]).failed(65, &["none.wasm"]);
    operated.run(&["deploy", "other", path(&file("missing.wasm"))]).failed(74, &["missing.wasm"]);
    let unsigned = ["deploy", "other", path(&linear.file)];
    operated.run(&unsigned).failed(65, &["not signed"]);
    assert_eq!(champion(&operated, "other"), served);

    std::fs::copy(&linear.file, file("linear.wasm")).unwrap();
    Outpost::run(&[
        "sign",
        path(&file("linear.wasm")),
        "--key",
        path(&file("ours.key")),
        "--detached",
    ])
    .succeeded();
    let signature = file("linear.wasm.sig");
    let apart = [&unsigned[..], &["--signature", path(&signature)]].concat();
    operated.run(&apart).succeeded();
    assert_eq!(champion(&operated, "other"), linear.digest);
    operated.run(&["rollback", "other"]).succeeded();
    operated.run(&["deploy", "other", path(&file("linear.wasm"))]).succeeded();
    assert_eq!(champion(&operated, "other"), linear.digest);
}

#[test]
fn a_package_that_callers_would_notice_needs_force() {
    let operated = Operated::on_socket(|serve| serve);
    let place = tempfile::tempdir().unwrap();
    let package = place.path().join("short.wasm");
    Outpost::train(&package, "ridge", &["--ignore", "age"]);
    let short = known_digest(&package);
    operated.run(&["deploy", "diabetes", path(&package)]).failed(65, &["age", "force"]);
    operated.run(&["deploy", "diabetes", path(&package), "--force"]).succeeded();
    assert_eq!(champion(&operated, "diabetes"), short);
}

fn known_digest(package: &Path) -> String {
    let told = Outpost::run(&["inspect", path(package), "--json"]).succeeded().out;
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    json["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_gateway_may_start_empty_and_get_its_first_model_later() {
    let place = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", path(&place.path().join("outpost.sock")));
    let state = place.path().join("state");
    let serve = tests::Serve::settled("", &place.path().join("outbox"));
    let gateway = serve.with(&["--state", path(&state), "--admin", &address]).spawn();
    let ridge = Known::by(Outpost::ridge().to_owned(), README_ROW);
    Outpost::run(&["deploy", "first", path(Outpost::ridge()), "--admin", &address]).succeeded();
    gateway.wait_for_readiness(200, "");
    assert_eq!(gateway.predict(README_ROW).predictions(), [ridge.says]);
}

#[test]
fn the_openapi_document_is_one_and_what_is_answered_fits_it() {
    let Pair { linear, .. } = pair();
    let operated = Operated::on_port(|serve| serve);
    let run = |words: &[&str]| operated.run_as("admin", words);
    run(&["deploy", "diabetes", path(&linear.file), "--canary", "5%"]).succeeded();
    run(&["challenger", "add", "diabetes", path(&linear.file)]).succeeded();
    run(&["promote", "diabetes", "--challenger", "nothing"]).failed(64, &["nothing"]);
    operated.gateway.predict(README_ROW);
    let bearer = format!("Bearer {}", tests::token("admin"));
    let ask = |method: &str, target: &str, body: &str| {
        let head = [("Authorization", &*bearer), ("Content-Type", "application/json")];
        operated.client().send(method, target, &head, body).unwrap()
    };
    let one = "/api/v1/deployments/diabetes";
    let mut values = vec![
        ("Fleet", ask("GET", "/api/v1/status", "").json()),
        ("Deployment", ask("GET", one, "").json()),
        ("Change", ask("PUT", &format!("{one}/canary"), r#"{"share":0.5}"#).json()),
        ("Switched", ask("POST", "/api/v1/drain", "").json()),
        ("LogFilter", ask("PUT", "/api/v1/log", r#"{"filter":"info"}"#).json()),
        ("Problem", ask("POST", "/api/v1/deployments/nothing/rollback", "").json()),
        ("Problem", ask("GET", "/nothing", "").json()),
    ];
    let events = ask("GET", "/api/v1/events?deployment=diabetes", "").json();
    values.extend(events.as_array().unwrap().iter().map(|event| ("Event", event.clone())));
    let listed = ask("GET", "/api/v1/deployments", "").json();
    assert_eq!(listed[0]["canary"]["share"], 0.5);
    let document = ask("GET", "/openapi.json", "");
    assert_eq!(document.status, 200);
    python::check_openapi(&document.body, &values);
}
