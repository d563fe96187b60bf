//! `outpost spool`: an outbox seen and put right from outside.

use serde_json::Value;
use std::path::Path;
use tests::{Envelope, Gateway, Outpost, README_ROW, Run, Serve, spooled, wait_until};

fn spool(command: &str, outbox: &Path, more: &[&str]) -> Run {
    let mut arguments = vec!["spool", command, "--outbox", outbox.to_str().unwrap()];
    arguments.extend_from_slice(more);
    Outpost::run(&arguments)
}

fn status(outbox: &Path) -> Value {
    serde_json::from_str(&spool("status", outbox, &["--json"]).succeeded().out).unwrap()
}

fn channel(status: &Value, name: &str) -> Value {
    let channels = status["channels"].as_array().unwrap();
    channels.iter().find(|channel| channel["name"] == name).unwrap().clone()
}

fn envelopes(out: &str) -> Vec<Envelope> {
    out.lines().map(Envelope::parse).collect()
}

fn ask(gateway: &Gateway, names: std::ops::RangeInclusive<u32>) {
    for name in names {
        let answer = gateway.predict(&format!("{README_ROW}&associationId=visit-{name}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

/// The segments of an outbox, oldest first.
fn segments(outbox: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(outbox).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        files.filter(|path| path.extension() == Some("log".as_ref())).collect();
    segments.sort();
    segments
}

#[test]
fn an_outbox_is_seen_while_a_gateway_runs_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let files = folder.path().join("spool");
    let nobody = "spooler_type=kafka;bootstrap_servers=127.0.0.1:9;topic_name=t";
    let serve = Serve::ridge(&outbox).durable().to_files(&files).with(&["--channel", nobody]);
    let gateway = serve.start();
    ask(&gateway, 1..=5);
    super::files::records(&files, 10);
    wait_until("a cursor that moved", || {
        (channel(&status(&outbox), "filesystem")["waitingRecords"] == 0).then_some(())
    });
    let seen = status(&outbox);
    assert_eq!((&seen["records"], &seen["lastSeq"]), (&5.into(), &5.into()), "{seen}");
    assert_eq!(channel(&seen, "kafka")["waitingRecords"], 5, "{seen}");
    assert!(channel(&seen, "kafka")["waitingBytes"].as_u64().unwrap() > 5 * 100, "{seen}");
    let told = spool("status", &outbox, &[]).succeeded().out;
    for word in ["numbers 1 to 5", "kafka", "filesystem", "quarantined  none"] {
        assert!(told.contains(word), "{word} is missing in: {told}");
    }
    let checked = spool("check", &outbox, &[]).succeeded().out;
    assert!(checked.contains("5 records") && checked.contains("as it was written"), "{checked}");

    // What a channel would send is what the other channel did send.
    let waiting = spool("export", &outbox, &["--channel", "kafka"]).succeeded();
    assert_eq!(envelopes(&waiting.out), spooled(&files));
    let file = folder.path().join("out.jsonl");
    let range = ["--from", "2", "--to", "3", "-o", file.to_str().unwrap()];
    spool("export", &outbox, &range).succeeded();
    let some = envelopes(&std::fs::read_to_string(&file).unwrap());
    let names: Vec<String> = some.iter().flat_map(Envelope::associations).collect();
    assert_eq!(names, ["visit-2", "visit-3"]);
    let raw = spool("export", &outbox, &["--raw", "--to", "1"]).succeeded().out;
    let raw: Value = serde_json::from_str(&raw).unwrap();
    assert!(raw["id"].as_str().unwrap().ends_with("/1"), "{raw}");
    let rows = &raw["record"]["payload"]["Prediction"]["rows"];
    assert_eq!(rows["association_ids"][0], "visit-1", "{raw}");
    // Package, role and gateway are in our own form and in what is sent. Nobody has named this one.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(raw["record"]["gateway"], host.trim(), "{raw}");
    let digest = &raw["record"]["model_digest"];
    assert!(digest.as_str().is_some_and(|text| text.starts_with("sha256:")), "{raw}");
    assert_eq!(raw["record"]["role"], "champion", "{raw}");
    for line in waiting.out.lines() {
        let header = serde_json::from_str::<Value>(line).unwrap()["header"].take();
        assert_eq!((&header["modelDigest"], &header["role"]), (digest, &Value::Null), "{header}");
        assert_eq!(header["gateway"], host.trim(), "{header}");
    }

    spool("export", &outbox, &["--channel", "kafak"]).failed(64, &["kafak", "filesystem, kafka"]);
    for change in [
        spool("requeue", &outbox, &["--channel", "kafka", "--all"]),
        spool("purge", &outbox, &["--channel", "kafka", "--yes"]),
        spool("purge", &outbox, &["--quarantined", "--yes"]),
    ] {
        change.failed(69, &["while a gateway runs", "already open"]);
    }
    assert_eq!(places(&status(&outbox)), places(&seen), "looking changed something");
}

/// The channels of an outbox without their ages, which grow while somebody looks.
fn places(status: &Value) -> Value {
    let mut channels = status["channels"].clone();
    for channel in channels.as_array_mut().unwrap() {
        assert!(channel.as_object_mut().unwrap().remove("oldestAgeSeconds").is_some());
    }
    channels
}

#[test]
fn dead_letters_go_back_and_are_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let files = folder.path().join("spool");
    let serve = || Serve::ridge(&outbox).durable().to_files(&files);
    // No message fits in such a file.
    let gateway = serve().env("MLOPS_FILESYSTEM_MAX_FILE_SIZE", "100").start();
    ask(&gateway, 1..=3);
    let dead = |status: &Value| channel(status, "filesystem")["deadLetters"]["records"].clone();
    wait_until("dead letters", || (dead(&status(&outbox)) == 3).then_some(()));
    let metric = "spool_channel_dead_letters{channel=\"filesystem\"} 3";
    wait_until("a metric of them", || gateway.get("/metrics").body.contains(metric).then_some(()));
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));

    let letters = spool("export", &outbox, &["--dead-letters", "--raw"]).succeeded().out;
    let letters: Vec<Value> =
        letters.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(letters.len(), 3);
    assert!(letters[0]["why"].as_str().unwrap().contains("does not fit"), "{letters:?}");
    assert_eq!(letters[2]["channel"], "filesystem");
    let all = spool("export", &outbox, &["--dead-letters"]).succeeded();
    assert_eq!(envelopes(&all.out).len(), 6);

    let second = letters[1]["id"].as_str().unwrap();
    let named = ["--channel", "filesystem", "--id", second];
    assert!(spool("requeue", &outbox, &named).succeeded().out.starts_with("1 dead"));
    spool("requeue", &outbox, &named).failed(64, &[second, "there is none"]);
    spool("requeue", &outbox, &["--channel", "filesystem"]).failed(64, &["--all"]);
    let all = ["--channel", "filesystem", "--all"];
    assert!(spool("requeue", &outbox, &all).succeeded().out.starts_with("2 dead"));
    assert_eq!(dead(&status(&outbox)), 0);

    let gateway = serve().start();
    let records = super::files::records(&files, 6);
    let names: Vec<String> = records.iter().flat_map(Envelope::associations).collect();
    assert_eq!(names, ["visit-2", "visit-1", "visit-3"]);
    drop(gateway);
}

#[test]
fn damage_is_found_and_what_is_left_is_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let gateway = Serve::ridge(&outbox).durable().start();
    ask(&gateway, 1..=4);
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    spool("check", &outbox, &[]).succeeded();
    let segment = &segments(&outbox)[0];
    let mut bytes = std::fs::read(segment).unwrap();
    bytes[48 + 40] ^= 1;
    std::fs::write(segment, bytes).unwrap();

    let found = spool("check", &outbox, &[]).failed(65, &[]).out;
    assert!(found.contains("DAMAGE segment-") && found.contains("record 1 "), "{found}");
    let found = spool("check", &outbox, &["--json"]).failed(65, &[]).out;
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!((&found["sound"], &found["records"]), (&false.into(), &3.into()), "{found}");
    let left = spool("export", &outbox, &[]).succeeded();
    let names: Vec<String> = envelopes(&left.out).iter().flat_map(Envelope::associations).collect();
    assert_eq!(names, ["visit-2", "visit-3", "visit-4"]);
}

#[test]
fn purging_asks_first_and_removes_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let gateway = Serve::ridge(&outbox).durable().to_files(&folder.path().join("spool")).start();
    ask(&gateway, 1..=1);
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    std::fs::write(outbox.join("segment-0000000007.quarantine"), "x").unwrap();
    assert_eq!(status(&outbox)["quarantined"][0]["bytes"], 1);
    spool("purge", &outbox, &["--quarantined"]).failed(64, &["--yes"]);
    assert!(spool("purge", &outbox, &["--quarantined", "--yes"]).succeeded().out.starts_with('1'));
    spool("purge", &outbox, &["--delivered", "--yes"]).succeeded();
    spool("purge", &outbox, &["--dead-letters", "--yes"]).succeeded();
    spool("purge", &outbox, &["--channel", "kafka", "--yes"]).failed(64, &["filesystem"]);
    spool("purge", &outbox, &["--channel", "filesystem", "--yes"]).succeeded();
    assert_eq!(status(&outbox)["channels"], Value::Array(Vec::new()));
    spool("purge", &outbox, &["--yes"]).failed(64, &["--dead-letters"]);
    let nothing = folder.path().join("nothing");
    for (command, more) in [("status", &[][..]), ("purge", &["--delivered", "--yes"])] {
        spool(command, &nothing, more).failed(64, &["nothing", "no outbox"]);
    }
    assert!(!nothing.exists(), "looking made an outbox");
}

/// An operator who sees a metric finds what it means.
#[test]
fn every_metric_of_the_spooler_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("spool");
    let gateway = Serve::ridge(&folder.path().join("outbox")).to_files(&files).start();
    let docs = std::fs::read_to_string(tests::root().join("docs/SPOOLER.md")).unwrap();
    let metrics = gateway.get("/metrics").body;
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE spool_"));
    let mut count = 0;
    for (name, _kind) in types.map(|line| line.split_once(' ').unwrap()) {
        let name = format!("spool_{name}");
        assert!(docs.contains(&format!("`{name}")), "{name} is not in docs/SPOOLER.md");
        count += 1;
    }
    assert!(count > 25, "{metrics}");
}
