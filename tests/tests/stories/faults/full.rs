//! 8, 9, 10: there is no more room, on the disk or up to the cap. New records are refused and counted, nothing that was
//! taken is lost, and when there is room again everything goes on by itself.

use super::{SMALL, block, unblock};
use std::path::Path;
use tests::{Disk, Gateway, Ledger, Load, README_ROW, Serve, wait_until};

const CLIENTS: usize = 2;
const ROWS: usize = 100;
const REFUSED: &str = "spool_records_refused_total{reason=";
const LOST: &str = "spool_records_lost_total";

/// Fills the outbox while its channel has to wait, then lets the channel drain it.
fn fill_and_drain(mut ledger: Ledger, outbox: &Path, more: &str, reason: &str, says: &str) {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    block(&spool);
    let serve = Serve::ridge(outbox).settings(SMALL).settings(more).durable().to_files(&spool);
    let mut gateway = serve.start();
    let load = Load::rows(gateway.port(), CLIENTS, "filling", ROWS);
    load.wait_for_refusals(20);
    let refused = format!("{REFUSED}\"{reason}\"");
    assert!(gateway.metric(&refused) > 0.0, "{}", gateway.get("/metrics").body);
    gateway.wait_for_readiness(503, says);
    assert_eq!(gateway.get("/healthz").status, 200);
    goes_on(&gateway, &load, &spool);
    assert!(gateway.is_running());
    let answers = load.finish();
    assert!(answers.refusal.as_ref().unwrap().contains("not-durable"), "{:?}", answers.refusal);
    ledger.enter(answers);
    ledger.close_on_files(&spool);
}

/// The channel may go on; with what it has read, room comes back, and requests are taken again.
fn goes_on(gateway: &Gateway, load: &Load, spool: &Path) {
    unblock(spool);
    load.wait_for_more(5 * ROWS);
    gateway.wait_for_readiness(200, "true");
}

#[test]
fn a_full_disk_of_memory_refuses_and_goes_on() {
    let Some(disk) = Disk::tmpfs(6) else { return };
    let ledger = Ledger::new(8, "disk full, tmpfs");
    fill_and_drain(ledger, &disk.path().join("outbox"), "", "disk_full", "disk is full");
}

#[test]
fn a_full_disk_refuses_and_goes_on() {
    let Some(disk) = Disk::ext4(8) else { return };
    let ledger = Ledger::new(8, "disk full, ext4");
    fill_and_drain(ledger, &disk.path().join("outbox"), "", "disk_full", "disk is full");
}

#[test]
fn at_its_cap_the_outbox_refuses_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(9, "cap reached, the new is refused");
    let cap = "bytes_max = 2097152";
    fill_and_drain(ledger, &folder.path().join("outbox"), cap, "outbox_full", "up to its cap");
}

/// The newest matter most: nothing is refused, the oldest segments go, and what went is counted.
#[test]
fn at_its_cap_the_outbox_drops_the_oldest_if_told_to() {
    let mut ledger = Ledger::new(9, "cap reached, the oldest is dropped");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    block(&spool);
    let cap = "bytes_max = 2097152\nwhen_full = \"drop_oldest\"";
    let serve = Serve::ridge(&outbox).settings(SMALL).settings(cap).durable().to_files(&spool);
    let gateway = serve.start();
    let load = Load::start(gateway.port(), 2 * CLIENTS, "filling");
    gateway.wait_for(LOST, |lost| lost > 500.0);
    let stored = gateway.metric("spool_stored_bytes");
    assert!(stored <= 2_097_152.0, "{stored} bytes are stored");
    ledger.acknowledge(load.end());
    let lost = gateway.metric(LOST);
    unblock(&spool);
    gateway.wait_for("spool_channel_waiting_records", |records| records == 0.0);
    assert_eq!(gateway.metric(LOST), lost, "lost without need");
    ledger.expect_lost(lost as usize);
    ledger.close_on_files(&spool);
}

/// Predictions that do not wait for their record go on all the while; each record that is not taken is counted.
#[test]
fn somebody_else_fills_the_disk() {
    let Some(disk) = Disk::ext4(24) else { return };
    let mut ledger = Ledger::new(10, "another process fills the disk");
    let (outbox, folder) = (disk.path().join("outbox"), tempfile::tempdir().unwrap());
    let spool = folder.path().join("spool");
    let floor = 4 << 20;
    let settings = SMALL.replace("free_bytes_min = 0", &format!("free_bytes_min = {floor}"));
    let serve = Serve::ridge(&outbox).settings(&settings).to_files(&spool);
    let mut gateway = serve.start();
    let load = Load::start(gateway.port(), CLIENTS, "before");
    load.wait_for(200);
    ledger.acknowledge(load.end());
    gateway.wait_for("spool_channel_waiting_records", |records| records == 0.0);

    let filler = disk.fill(floor / 2);
    // What was set aside is used up first; the record behind it waits, and those behind that are refused.
    let refused = format!("{REFUSED}\"disk_full\"");
    wait_until("a record that is refused", || {
        for _ in 0..100 {
            assert_eq!(gateway.predict(README_ROW).status, 200);
        }
        (gateway.metric(&refused) > 0.0).then_some(())
    });
    gateway.wait_for_readiness(200, "disk is full");
    let before = gateway.metric(&refused);
    for _ in 0..50 {
        assert_eq!(gateway.predict(README_ROW).status, 200);
    }
    let counted = gateway.metric(&refused) - before;
    assert_eq!(counted, 50.0, "refused and not counted");
    ledger.refuse(counted as usize);
    assert!(disk.free() > floor / 4, "the floor was not kept: {} free", disk.free());

    std::fs::remove_file(filler).unwrap();
    gateway.wait_for("spool_outbox_healthy", |healthy| healthy == 1.0);
    let load = Load::start(gateway.port(), CLIENTS, "after");
    load.wait_for(200);
    ledger.acknowledge(load.end());
    assert!(gateway.is_running());
    ledger.close_on_files(&spool);
}
