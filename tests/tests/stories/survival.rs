//! The promise of the outbox: killed at any moment, it loses no record of an answered request.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use tests::{Envelope, Load, Serve, spooled, wait_until};

const DEFAULT_ROUNDS: usize = 5;
const CLIENTS: usize = 4;

/// Waits until every association id is in the files; a record that came twice must be the same record.
pub(crate) fn all_recorded(spool: &Path, answered: &[String]) {
    let expected: HashSet<&str> = answered.iter().map(String::as_str).collect();
    let records = wait_until("every answered request in the records", || {
        let records = spooled(spool);
        let found: HashSet<String> = records.iter().flat_map(Envelope::associations).collect();
        expected.iter().all(|id| found.contains(*id)).then_some(records)
    });
    let mut ids = HashMap::new();
    for record in records {
        for association in record.associations() {
            let known = ids.entry(association).or_insert_with(|| record.id.clone());
            assert_eq!(*known, record.id, "one request was recorded under two ids");
        }
    }
}

/// `ROUNDS=1000` (or `make soak`) makes more of it.
#[test]
fn killed_under_load_no_answered_request_is_lost() {
    let rounds = std::env::var("ROUNDS").map_or(DEFAULT_ROUNDS, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let serve = || Serve::ridge(&outbox).to_files(&spool).durable();
    let mut answered = Vec::new();
    for round in 0..rounds {
        let gateway = serve().start();
        let load = Load::start(gateway.port(), CLIENTS, &format!("round-{round}"));
        // A kill at another point of the outbox's life each round: a few records, or many batches.
        load.wait_for(1 + round * 37 % 400);
        gateway.kill();
        answered.extend(load.end());
    }
    let _gateway = serve().start();
    all_recorded(&spool, &answered);
    assert!(answered.len() >= rounds, "the load asked for nothing");
}
