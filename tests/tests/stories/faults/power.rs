//! 2: the power goes. And the same with a disk that lies, which must lose, or the test proves nothing.

use super::SMALL;
use tests::{Disk, Ledger, Load, Serve, Tamper};

const ROUNDS: usize = 6;
const CLIENTS: usize = 4;

#[test]
fn what_was_acknowledged_before_a_power_cut_is_there_after_it() {
    let Some(disk) = Disk::ext4(64) else { return };
    let mut ledger = Ledger::new(2, "power cut under load");
    // Outbox and spool files lie on the same disk: neither may forget what the other builds upon.
    let (outbox, spool) = (disk.path().join("outbox"), disk.path().join("spool"));
    let serve = || Serve::ridge(&outbox).settings(SMALL).to_files(&spool).durable();
    for round in 0..ROUNDS {
        let gateway = serve().start();
        let load = Load::start(gateway.port(), CLIENTS, &format!("round-{round}"));
        load.wait_for(1 + round * 97);
        // What is acknowledged while the cut is on its way does not count.
        ledger.acknowledge(load.so_far().acknowledged);
        disk.cut_power();
        gateway.kill();
        drop(load.finish());
        disk.restore();
    }
    let _gateway = serve().start();
    ledger.close_on_files(&spool);
}

#[test]
fn a_disk_that_lies_loses_what_was_acknowledged() {
    // The file system's own habit to write every few seconds must not come in between.
    let Some(disk) = Disk::ext4_with(64, ",commit=600") else { return };
    let mut ledger = Ledger::new(2, "power cut, control: fsync does nothing");
    ledger.must_lose();
    let (outbox, spool) = (disk.path().join("outbox"), disk.path().join("spool"));
    let serve = || Serve::ridge(&outbox).settings(SMALL).to_files(&spool).durable();
    let gateway = serve().start();
    let Some(lie) = Tamper::process(&gateway, "fdatasync,fsync:retval=0") else { return };
    let load = Load::start(gateway.port(), CLIENTS, "lied-to");
    load.wait_for(200);
    ledger.acknowledge(load.so_far().acknowledged);
    disk.cut_power();
    gateway.kill();
    drop((load.finish(), lie));
    disk.restore();
    let gateway = serve().start();
    gateway
        .wait_for("spool_channel_waiting_records{channel=\"filesystem\"", |records| records == 0.0);
    ledger.close_on_files(&spool);
}
