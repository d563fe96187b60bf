//! Several channels at once: each gets every record at its own pace, and each is told of by its name.

use super::files::{check, records};
use tests::{Outpost, README_ROW, Serve, wait_until};

#[test]
fn each_channel_gets_every_record() {
    let folder = tempfile::tempdir().unwrap();
    let [near, far] = ["near", "far"].map(|name| folder.path().join(name));
    let string = format!("spooler_type=filesystem;name=archive;directory={}", far.display());
    let serve = Serve::ridge(&folder.path().join("outbox")).to_files(&near);
    // Nobody listens on port 9: that channel holds nobody else up.
    let nobody = "spooler_type=kafka;name=hall-2;bootstrap_servers=127.0.0.1:9;topic_name=t";
    let serve = serve.with(&["--channel", &string, "--channel", nobody]);
    let gateway = serve.with(&["--deployment-id", "ward"]).start();
    assert_eq!(gateway.predict(&format!("{README_ROW}&associationId=visit-1")).status, 200);
    assert_eq!(gateway.predict("age=thirty").status, 400);
    check(&records(&near, 3), "ward");
    check(&records(&far, 3), "ward");
    assert_eq!(records(&near, 3), records(&far, 3), "the same record has the same bytes");

    let waiting = |name: &str| {
        let ready: serde_json::Value = serde_json::from_str(&gateway.get("/readyz").body).unwrap();
        let channels = ready["channels"].as_array().unwrap().clone();
        let channel = channels.iter().find(|channel| channel["name"] == name).unwrap().clone();
        channel["waitingRecords"].as_u64().unwrap()
    };
    wait_until("cursors that moved", || {
        (waiting("filesystem") == 0 && waiting("archive") == 0).then_some(())
    });
    assert_eq!(waiting("hall-2"), 2);
    let metrics = gateway.get("/metrics").body;
    for line in [
        "spool_channel_delivered_records_total{channel=\"filesystem\"} 2",
        "spool_channel_delivered_records_total{channel=\"archive\"} 2",
        "spool_channel_waiting_records{channel=\"hall-2\"} 2",
    ] {
        assert!(metrics.contains(line), "{line} is missing in: {metrics}");
    }
    for cursor in ["filesystem", "archive", "hall-2"] {
        assert!(folder.path().join(format!("outbox/{cursor}.cursor")).exists(), "{cursor}");
    }
    // The one that cannot send costs no more than the grace that all share.
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
}

#[test]
fn a_wrong_channel_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let serve = |channels: &[&str]| {
        let model = Outpost::ridge().to_str().unwrap();
        let mut arguments = vec!["serve", "--model", model, "--outbox", outbox.to_str().unwrap()];
        channels.iter().for_each(|channel| arguments.extend(["--channel", channel]));
        Outpost::run(&arguments)
    };
    let files = "spooler_type=filesystem;directory=/tmp/never-made";
    serve(&[files, files]).failed(64, &["two have the name", "filesystem"]);
    serve(&["spooler_type=filesystem;dir=/x"]).failed(64, &["dir", "MLOPS_FILESYSTEM_DIRECTORY"]);
    serve(&["directory=/x"]).failed(64, &["MLOPS_SPOOLER_TYPE"]);
    let kafka = "spooler_type=kafka;bootstrap_servers=b:1;topic_name=t;";
    serve(&[&format!("{kafka}location=/x")])
        .failed(64, &["MLOPS_KAFKA_SSL_CA_LOCATION", "MLOPS_KAFKA_SSL_KEY_LOCATION"]);
    assert!(!outbox.exists(), "a wrong setting made an outbox");
}
