//! 11, 12, 13, 14: the disk says no, or takes its time.

use super::{SMALL, block, unblock};
use tests::{Disk, Gateway, Ledger, Load, Serve, Tamper, WRITER};

const CLIENTS: usize = 4;
const ERRORS: &str = "spool_write_errors_total";

/// Load before, while and after the writer's calls are tampered with.
fn while_tampering(mut ledger: Ledger, inject: &str, noticed: impl Fn(&Gateway)) {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let mut gateway = Serve::ridge(&outbox).settings(SMALL).durable().to_files(&spool).start();
    let load = Load::start(gateway.port(), CLIENTS, "load");
    load.wait_for(50);
    let Some(tamper) = Tamper::thread(&gateway, WRITER, inject) else { return };
    noticed(&gateway);
    drop(tamper);
    gateway.wait_for_readiness(200, "true");
    load.wait_for_more(100);
    assert!(gateway.is_running());
    ledger.enter(load.finish());
    ledger.close_on_files(&spool);
}

fn one_more_error(gateway: &Gateway) {
    gateway.wait_for(ERRORS, |errors| errors >= 1.0);
}

#[test]
fn a_sync_that_fails_once_costs_nothing() {
    let ledger = Ledger::new(12, "EIO from one fdatasync");
    while_tampering(ledger, "fdatasync:error=EIO:when=3", one_more_error);
}

#[test]
fn a_write_that_fails_once_costs_nothing() {
    let ledger = Ledger::new(13, "EIO from one write");
    while_tampering(ledger, "pwrite64:error=EIO:when=3", one_more_error);
}

/// A limit on the size of files makes real short writes: the kernel writes up to it.
#[test]
fn a_write_that_stops_half_way_costs_nothing() {
    if !tests::parts::program("prlimit") {
        return;
    }
    let mut ledger = Ledger::new(13, "short writes");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let serve = Serve::ridge(&outbox).durable().to_files(&spool);
    let mut gateway = serve.under(&["env", "--ignore-signal=XFSZ"]).start();
    let load = Load::rows(gateway.port(), CLIENTS, "load", 20);
    load.wait_for(100);
    let limit = |bytes: &str| {
        let pid = gateway.pid().to_string();
        let args = ["--pid", &pid, &format!("--fsize={bytes}:unlimited")];
        assert!(std::process::Command::new("prlimit").args(args).status().unwrap().success());
    };
    // No multiple of anything, so that it falls into the middle of a record.
    limit("300001");
    gateway.wait_for(ERRORS, |errors| errors >= 3.0);
    gateway.wait_for("spool_channel_retries_total", |retries| retries >= 1.0);
    limit("unlimited");
    load.wait_for_more(1000);
    assert!(gateway.is_running());
    ledger.enter(load.finish());
    ledger.close_on_files(&spool);
}

/// Nothing may be written any more, and then it may again.
#[test]
fn a_file_system_that_is_read_only_for_a_while() {
    let ledger = Ledger::new(11, "EROFS from everything for a while");
    let calls = "pwrite64,fdatasync,fsync,openat,rename,unlink,ftruncate:error=EROFS";
    while_tampering(ledger, calls, |gateway| {
        gateway.wait_for_readiness(503, "Read-only file system");
        gateway.wait_for(ERRORS, |errors| errors >= 3.0);
    });
}

/// The file system itself gives up: ext4 goes read-only for good. The process stays, says so, and what was
/// acknowledged is there after the machine was seen to.
#[test]
fn a_file_system_that_goes_read_only_for_good() {
    let Some(disk) = Disk::ext4(64) else { return };
    let mut ledger = Ledger::new(11, "ext4 error, remounted read-only");
    let (outbox, folder) = (disk.path().join("outbox"), tempfile::tempdir().unwrap());
    let spool = folder.path().join("spool");
    block(&spool);
    let serve = || Serve::ridge(&outbox).settings(SMALL).durable().to_files(&spool);
    let mut gateway = serve().start();
    let load = Load::start(gateway.port(), CLIENTS, "load");
    load.wait_for(100);
    disk.fail();
    load.wait_for_refusals(1);
    gateway.wait_for_readiness(503, "the disk fails");
    assert!(gateway.is_running());
    unblock(&spool);
    gateway.kill();
    ledger.enter(load.finish());
    disk.restore();
    let _gateway = serve().start();
    ledger.close_on_files(&spool);
}

/// Predictions do not wait for a slow disk; what does not fit in front of it is counted.
#[test]
fn a_slow_disk_slows_no_prediction_and_every_record_is_taken_or_counted() {
    let mut ledger = Ledger::new(14, "each sync takes 200 ms");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let queue = 64;
    let settings = format!("{SMALL}queue_records_max = {queue}");
    let gateway = Serve::ridge(&outbox).settings(&settings).to_files(&spool).start();
    let slow = "fdatasync:delay_enter=200000";
    let Some(slow) = Tamper::thread(&gateway, WRITER, slow) else { return };
    let load = Load::start(gateway.port(), CLIENTS, "load");
    let begun = std::time::Instant::now();
    load.wait_for(3000);
    let took = begun.elapsed();
    let answered = load.end();
    let syncs = gateway.metric("spool_commit_seconds_count");
    // Had each prediction waited for a sync, these would have taken minutes.
    assert!(took.as_secs() < 60, "{} predictions took {took:?}", answered.len());
    let refused = gateway.metric("spool_records_refused_total{reason=\"queue_full\"");
    assert!(refused > 0.0, "{syncs} syncs took everything");
    drop(slow);
    gateway.wait_for("spool_queued_records", |records| records == 0.0);
    gateway.wait_for("spool_channel_waiting_records", |records| records == 0.0);
    let recorded = tests::spooled(&spool);
    let found: std::collections::HashSet<String> =
        recorded.iter().flat_map(tests::Envelope::associations).collect();
    assert_eq!(found.len() + refused as usize, answered.len(), "a record that nobody counted");
    ledger.refuse(refused as usize);
    ledger.acknowledge(answered.into_iter().filter(|id| found.contains(id)));
    ledger.close_on_files(&spool);
}
