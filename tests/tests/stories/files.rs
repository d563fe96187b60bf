//! Records in files, as the filesystem spooler of the public library lays them out.

use std::path::Path;
use tests::{Envelope, Outpost, README_ROW, Serve, python, spool_files, spooled, wait_until};

/// Waits until this many records lie in the folder.
pub(crate) fn records(folder: &Path, count: usize) -> Vec<Envelope> {
    wait_until("records in files", || {
        Some(spooled(folder)).filter(|records| records.len() >= count)
    })
}

/// One prediction, one refused request: the stats of both and the data of the first.
pub(crate) fn check(records: &[Envelope], deployment: &str) {
    let stats: Vec<_> = records.iter().filter(|it| it.is("DEPLOYMENT_STATS")).collect();
    let data: Vec<_> = records.iter().filter(|it| it.is("PREDICTIONS_DATA")).collect();
    assert_eq!((stats.len(), data.len()), (2, 1), "{records:#?}");
    assert!(records.iter().all(|record| record.deployment == deployment), "{records:#?}");
    assert_eq!(
        (&stats[0].data["userError"], &stats[0].data["numPredictions"]),
        (&false.into(), &1.into())
    );
    assert_eq!(
        (&stats[1].data["userError"], &stats[1].data["systemError"]),
        (&true.into(), &false.into())
    );
    let data = &data[0].data;
    assert_eq!(
        (&data["features"]["age"][0], &data["features"]["s6"][0]),
        (&30.0.into(), &88.0.into())
    );
    assert_eq!(data["associationIds"][0], "visit-1");
    let predicted = data["predictions"][0].as_f64().unwrap();
    assert!((predicted / crate::stories::readme::documented_number() - 1.0).abs() < 1e-6);
}

#[test]
fn every_request_becomes_records_that_the_public_library_reads() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let serve = Serve::ridge(&folder.path().join("outbox")).to_files(&spool);
    let serve = serve.settings("[gateway]\nname = \"ward 3\"");
    let gateway = serve.with(&["--deployment-id", "ward"]).start();
    assert_eq!(gateway.predict(&format!("{README_ROW}&associationId=visit-1")).status, 200);
    assert_eq!(gateway.predict("age=thirty").status, 400);
    let told = gateway.tell("associationId=visit-1&actualValue=151");
    assert_eq!((told.status, &told.json()["accepted"]), (200, &1.into()));
    let records = records(&spool, 4);
    check(&records, "ward");
    let actuals: Vec<_> = records.iter().filter(|it| it.is("ACTUALS_DATA")).collect();
    let [actuals] = actuals[..] else { panic!("{records:#?}") };
    let actual = &actuals.data["actualsList"][0];
    assert_eq!(
        (&actual["associationId"], &actual["actualValue"]),
        (&"visit-1".into(), &151.0.into())
    );
    assert!(records.iter().all(|it| it.gateway.as_deref() == Some("ward 3")), "{records:#?}");
    assert_eq!(spool_files(&spool).len(), 1);
    drop(gateway);
    let folder = spool.to_str().unwrap();
    if let Some(readings) = python::read(&["filesystem", folder], records.len()) {
        python::agrees(&readings, &records);
    }
}

#[test]
fn the_public_librarys_environment_names_work() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let serve = Serve::ridge(&folder.path().join("outbox"))
        .env("MLOPS_DEPLOYMENT_ID", "from-the-environment")
        .env("MLOPS_SPOOLER_TYPE", "FILESYSTEM")
        .env("MLOPS_FILESYSTEM_DIRECTORY", spool.to_str().unwrap());
    let gateway = serve.start();
    gateway.predict(&format!("{README_ROW}&associationId=visit-1"));
    gateway.predict("age=thirty");
    check(&records(&spool, 3), "from-the-environment");
}

#[test]
fn a_channel_that_runs_no_more_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let spool = folder.path().join("spool");
    drop(Serve::ridge(&outbox).to_files(&spool).start());
    let gateway = Serve::ridge(&outbox).start();
    let says = "Channel of a former run holds its records";
    assert!(gateway.log().contains(says), "{}", gateway.log());
    drop(gateway);
    let gateway = Serve::ridge(&outbox).to_files(&spool).start();
    assert!(!gateway.log().contains(says), "{}", gateway.log());
}

#[test]
fn files_are_rotated_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let limit = 4096;
    let serve = Serve::ridge(&folder.path().join("outbox")).to_files(&spool);
    let gateway = serve.env("MLOPS_FILESYSTEM_MAX_FILE_SIZE", &limit.to_string()).start();
    for _ in 0..12 {
        assert_eq!(gateway.predict(README_ROW).status, 200);
    }
    assert_eq!(records(&spool, 24).len(), 24);
    let files = spool_files(&spool);
    assert!(files.len() > 1, "{files:?}");
    for file in files {
        assert!(file.metadata().unwrap().len() <= limit, "{file:?} is larger than {limit} bytes");
    }
}

#[test]
fn a_model_that_takes_too_long_is_a_504_and_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("forest.wasm");
    let slow = ["--param", "n_estimators=300", "--folds", "2"];
    Outpost::train(&package, "random-forest", &slow);
    let config = folder.path().join("gateway.toml");
    std::fs::write(&config, "[engine]\ncall_time_max = 10\n").unwrap();
    let spool = folder.path().join("spool");
    let serve = Serve::package(&package, &folder.path().join("outbox")).to_files(&spool);
    let gateway = serve.with(&["--config", config.to_str().unwrap()]).start();

    let data = std::fs::read_to_string(tests::diabetes()).unwrap();
    let mut lines = data.lines().map(|line| line.rsplit_once(',').unwrap().0);
    let header = lines.next().unwrap();
    let rows: Vec<&str> = lines.cycle().take(10_000).collect();
    let csv = format!("{header}\n{}\n", rows.join("\n"));
    let answer =
        gateway.client().send("POST", "/predict", &[("Content-Type", "text/csv")], &csv).unwrap();
    assert_eq!(answer.status, 504, "{}", answer.body);
    assert_eq!(gateway.predict(README_ROW).status, 200, "the model did not come back");

    let records = records(&spool, 3);
    let failed = &records[0];
    assert!(failed.is("DEPLOYMENT_STATS"), "{records:#?}");
    let fault =
        (&failed.data["userError"], &failed.data["systemError"], &failed.data["numPredictions"]);
    assert_eq!(fault, (&false.into(), &true.into(), &0.into()), "{records:#?}");
}
