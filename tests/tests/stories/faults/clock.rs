//! 22: the wall clock jumps. Records are dated by it, and nothing else goes by it.

use std::path::Path;
use tests::{Gateway, Ledger, Load, Serve, spooled};

const CLIENTS: usize = 2;
/// Where Debian has the library behind `faketime`.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A gateway whose clock shows what stands in a file, looked at anew each time.
fn start(outbox: &Path, spool: &Path, clock: &Path) -> Gateway {
    let serve = Serve::ridge(outbox).settings(super::SMALL).durable().to_files(spool);
    let serve = serve.env("LD_PRELOAD", LIBRARY).env("FAKETIME_NO_CACHE", "1");
    let serve = serve.env("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap());
    // The monotonic clock is the kernel's and does not jump.
    serve.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").start()
}

#[test]
fn the_clock_jumps_and_nothing_but_the_dates_changes() {
    if !tests::parts::program("faketime") {
        return;
    }
    let mut ledger = Ledger::new(22, "clock +1 day, -1 hour, 1970");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let clock = folder.path().join("clock");
    let set = |time: &str| std::fs::write(&clock, time).unwrap();
    set("+0");
    let mut gateway = start(&outbox, &spool, &clock);
    // While it runs, and over a restart.
    for (at, time) in
        ["+0", "+1d", "-1h", "@1970-01-02 00:00:00", "+1d", "+0"].into_iter().enumerate()
    {
        set(time);
        let load = Load::start(gateway.port(), CLIENTS, &format!("clock-{at}"));
        load.wait_for(60);
        ledger.acknowledge(load.end());
        gateway.wait_for("spool_channel_waiting_records", |records| records == 0.0);
        if at % 2 == 1 {
            gateway.kill();
            gateway = start(&outbox, &spool, &clock);
        }
    }
    assert!(gateway.is_running());
    let dated = |year: &str| {
        spooled(&spool).iter().any(|it| it.data["timestamp"].as_str().unwrap().starts_with(year))
    };
    assert!(dated("1970-") && dated("20"), "the clock did not jump");
    ledger.close_on_files(&spool);
}
