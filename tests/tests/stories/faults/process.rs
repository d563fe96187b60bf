//! 1, 3, 4, 5, 6, 7: the process is killed, stopped, started twice, squeezed.

use super::{NOWHERE, SMALL};
use std::path::Path;
use tests::{Gateway, Ledger, Load, MemoryCap, README_ROW, Serve, wait_until};

const DEFAULT_ROUNDS: usize = 12;
const CLIENTS: usize = 4;

/// `ROUNDS=1000` (or `make soak`) makes more of it.
#[test]
fn killed_under_load_no_answered_request_is_lost() {
    let mut ledger = Ledger::new(1, "kill -9 under load");
    let rounds = std::env::var("ROUNDS").map_or(DEFAULT_ROUNDS, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let serve = || Serve::ridge(&outbox).to_files(&spool).durable();
    for round in 0..rounds {
        let gateway = serve().start();
        let load = Load::start(gateway.port(), CLIENTS, &format!("round-{round}"));
        // A kill at another point of the outbox's life each round: a few records, or many batches.
        load.wait_for(1 + round * 37 % 400);
        gateway.kill();
        ledger.acknowledge(load.end());
    }
    assert!(ledger.acknowledged() >= rounds, "the load asked for nothing");
    let _gateway = serve().start();
    ledger.close_on_files(&spool);
}

/// Opening makes a few changes and syncs; the kill falls in front of each of them in turn, with a new torn end to cut
/// off every time.
#[test]
fn killed_while_it_recovers_it_recovers_the_next_time() {
    if !tests::parts::program("strace") || !tests::parts::root("tracing a process") {
        return;
    }
    let mut ledger = Ledger::new(3, "kill -9 at each step of recovery");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let gateway = Serve::ridge(&outbox).settings(SMALL).durable().start();
    let load = Load::start(gateway.port(), CLIENTS, "before");
    load.wait_for(800);
    gateway.kill();
    ledger.acknowledge(load.end());
    let mut killed = 0;
    for step in ["ftruncate", "fdatasync", "fsync", "pwrite64", "rename"] {
        for time in 1.. {
            tear(&outbox);
            let (trace, inject) =
                (format!("trace={step}"), format!("inject={step}:signal=KILL:when={time}"));
            let strace =
                ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            // It dies, or it has opened the outbox and listens: then recovery has no more such steps.
            if Serve::ridge(&outbox).settings(SMALL).under(&strace).try_spawn().is_ok() {
                break;
            }
            killed += 1;
            assert!(time < 20, "recovery never ends");
        }
    }
    assert!(killed >= 3, "only {killed} kills fell into recovery");
    let _gateway = Serve::ridge(&outbox).settings(SMALL).to_files(&spool).start();
    ledger.close_on_files(&spool);
}

const TEAR: &[u8] = &[0xab; 700];

/// Half a record behind the end of the newest segment, as a kill leaves it.
fn tear(outbox: &Path) {
    let newest = super::damage::segments(outbox).pop().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    bytes.extend_from_slice(TEAR);
    std::fs::write(newest, bytes).unwrap();
}

#[test]
fn told_to_stop_with_a_backlog_it_leaves_in_time_and_keeps_the_backlog() {
    let mut ledger = Ledger::new(4, "SIGTERM with 10,000 unsent");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let grace = "[http]\ngrace_time = 1000\n";
    let serve = Serve::ridge(&outbox).settings(grace).to_kafka(NOWHERE, "mlops");
    let gateway = serve.start();
    let load = Load::start(gateway.port(), CLIENTS, "backlog");
    load.wait_for(10_000);
    gateway.terminate();
    let told = std::time::Instant::now();
    assert_eq!(gateway.ended(), Some(0));
    // The grace, the client's own farewell, and a busy machine.
    assert!(told.elapsed().as_secs() < 15, "it took {:?}", told.elapsed());
    ledger.acknowledge(load.end());
    let _gateway = Serve::ridge(&outbox).to_files(&spool).start();
    ledger.close_on_files(&spool);
}

/// Frozen for longer than anything waits, the process still owns its outbox.
#[test]
fn frozen_it_keeps_its_outbox_and_thawed_it_goes_on() {
    let mut ledger = Ledger::new(5, "SIGSTOP, a second instance, SIGCONT");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let mut gateway = Serve::ridge(&outbox).durable().to_files(&spool).start();
    let load = Load::start(gateway.port(), CLIENTS, "frozen");
    load.wait_for(100);
    gateway.freeze();
    let frozen = std::time::Instant::now();
    let refused = Serve::ridge(&outbox).to_files(&spool).refused();
    refused.failed(69, &[outbox.to_str().unwrap(), "already open"]);
    // The longest wait in front of an answer, `durable_time_max`, passes while nothing runs.
    wait_until("a freeze", || (frozen.elapsed().as_secs() >= 3).then_some(()));
    gateway.thaw();
    load.wait_for_more(200);
    assert!(gateway.is_running());
    ledger.enter(load.finish());
    ledger.close_on_files(&spool);
}

#[test]
fn a_second_instance_on_one_outbox_is_refused() {
    let mut ledger = Ledger::new(6, "a second instance on one outbox");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let gateway = Serve::ridge(&outbox).durable().to_files(&spool).start();
    let load = Load::start(gateway.port(), CLIENTS, "first");
    for _ in 0..3 {
        let refused = Serve::ridge(&outbox).to_files(&spool).refused();
        refused.failed(69, &[outbox.to_str().unwrap()]);
    }
    assert_eq!(gateway.predict(README_ROW).status, 200, "the first one suffered");
    ledger.acknowledge(load.end());
    ledger.close_on_files(&spool);
}

/// The backlog is larger than the memory, coming in and going out.
#[test]
fn a_backlog_larger_than_the_memory_is_no_trouble() {
    let Some(cap) = MemoryCap::new(MEMORY) else { return };
    let mut ledger = Ledger::new(7, "backlog larger than the memory allowed");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    // Compiling the model takes more memory than serving it, so a run without a bound does that.
    let settings = format!(
        "[engine]\ncache = {:?}\n[outbox]\nqueue_bytes_max = 2097152\nsegment_bytes = 4194304",
        folder.path().join("cache")
    );
    let plain = || Serve::ridge(&outbox).settings(&settings).durable();
    drop(plain().start());
    let serve = || plain().under(&cap.words());
    let gateway = serve().to_kafka(NOWHERE, "mlops").start();
    let load = Load::rows(gateway.port(), 2, "heavy", 500);
    gateway.wait_for("spool_stored_bytes", |bytes| bytes > 1.2 * MEMORY as f64);
    within(&gateway);
    let answers = load.finish();
    assert_eq!(answers.refused, 0, "{:?}", answers.refusal);
    ledger.enter(answers);
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    let gateway = serve().to_files(&spool).start();
    gateway
        .wait_for("spool_channel_waiting_records{channel=\"filesystem\"", |records| records == 0.0);
    within(&gateway);
    ledger.close_on_files(&spool);
}

/// What the gateway may have, page cache and all.
const MEMORY: u64 = 64 << 20;

fn within(gateway: &Gateway) {
    let peak = gateway.kibibytes("VmHWM") << 10;
    // The program's own pages count for whoever touched them first, and that was the run without a bound.
    assert!(peak < MEMORY + (32 << 20), "{peak} bytes resident at the peak");
}
