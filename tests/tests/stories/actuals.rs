//! Outcomes that become known, told to the gateway: what was acknowledged gets there, whatever happens in between.

use serde_json::Value;
use std::collections::BTreeSet;
use tests::{README_ROW, Serve, Server, spooled, wait_until};

#[test]
fn an_acknowledged_actual_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let mut told = BTreeSet::new();
    for round in 0..5 {
        let gateway = Serve::ridge(&outbox).start();
        for number in 0..20 {
            let id = format!("visit-{round}-{number}");
            let answer = gateway.tell(&format!("associationId={id}&actualValue={number}"));
            assert_eq!((answer.status, &answer.json()["accepted"]), (200, &1.into()));
            told.insert(id);
        }
        // At once after the answer, and without a word.
        gateway.kill();
    }
    let spool = folder.path().join("spool");
    let gateway = Serve::ridge(&outbox).to_files(&spool).start();
    gateway.wait_for("spool_channel_waiting_records", |records| records == 0.0);
    let records = spooled(&spool);
    let actuals = records.iter().filter(|it| it.is("ACTUALS_DATA"));
    let ids =
        actuals.map(|it| it.data["actualsList"][0]["associationId"].as_str().unwrap().to_owned());
    assert_eq!(ids.collect::<BTreeSet<_>>(), told);
}

#[test]
fn actuals_go_straight_to_a_server_as_it_wants_them() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::ridge(&folder.path().join("outbox"))
        .settings("[gateway]\nname = \"ward 3\"")
        .env("MLOPS_SPOOLER_TYPE", "API")
        .env("DATAROBOT_ENDPOINT", &server.url())
        .env("DATAROBOT_API_TOKEN", "token");
    let gateway = serve.with(&["--deployment-id", "ward"]).start();
    let prediction = gateway.predict(&format!("{README_ROW}&associationId=row-1"));
    assert_eq!(prediction.status, 200);
    let told = gateway
        .tell("associationId=row-1&actualValue=151&wasActedOn=true&timestamp=1795562956.242");
    assert_eq!(told.status, 200);
    let path = "deployments/ward/actuals/fromJSON/";
    let call =
        wait_until("the actual", || server.calls().into_iter().find(|call| call.path == path));
    let Value::Array(entries) = &call.body["data"] else { panic!("{call:?}") };
    let [entry] = &entries[..] else { panic!("{call:?}") };
    for (key, value) in [
        ("associationId", Value::from("row-1")),
        ("actualValue", 151.0.into()),
        ("wasActedOn", true.into()),
        ("timestamp", "2026-11-24 23:29:16.242+0000".into()),
        ("gateway", "ward 3".into()),
    ] {
        assert_eq!(entry[key], value, "{entry}");
    }
    assert!(entry["recordId"].is_string(), "{entry}");
}
