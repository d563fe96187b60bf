//! 31: the broker's name is not known, or nobody listens.

use super::{NOWHERE, hasty};
use std::time::{Duration, Instant};
use tests::{Ledger, Load, Serve};

/// Ticks of the processor that a process has used, a hundred a second.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().skip(11).take(2).map(|number| number.parse::<u64>().unwrap()).sum()
}

fn nobody_is_there(name: &'static str, brokers: &str) {
    let mut ledger = Ledger::new(31, name);
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let gateway = Serve::ridge(&outbox).durable().settings(&hasty(brokers, "mlops")).start();
    let load = Load::start(gateway.port(), 2, "nobody");
    load.wait_for(100);
    ledger.acknowledge(load.end());
    // Without requests all that is left to do is to wait for the broker.
    let (begun, used) = (Instant::now(), ticks(gateway.pid()));
    let before = gateway.metric("spool_channel_retries_total");
    gateway.wait_for("spool_channel_retries_total", |retries| retries >= before + 2.0);
    let busy = Duration::from_millis(10 * (ticks(gateway.pid()) - used));
    assert!(busy < begun.elapsed() / 4, "{busy:?} of work in {:?} of waiting", begun.elapsed());
    drop(gateway);
    let _gateway = Serve::ridge(&outbox).to_files(&spool).start();
    ledger.close_on_files(&spool);
}

#[test]
fn a_name_that_nobody_knows_is_waited_for_quietly() {
    nobody_is_there("broker's name unknown", "broker.invalid:9092");
}

#[test]
fn a_port_where_nobody_listens_is_waited_for_quietly() {
    nobody_is_there("nobody listens", NOWHERE);
}
