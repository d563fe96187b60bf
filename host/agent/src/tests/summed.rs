//! Rows that are summed up before they are sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::server::{Call, Reply, Server, id};
use super::*;
use crate::config::Aggregation;

/// A message with one row, which has an association id.
fn row(id: &str, value: f64) -> String {
    let data = json!({"timestamp": "2026-03-01T10:30:00Z", "modelId": "m", "features": {"x": [value]},
        "predictions": [value], "associationIds": [format!("k-{id}")]});
    message(id, "d", "PREDICTIONS_DATA", &data)
}

fn start(place: &Place, server: &Server, records_max: usize) -> Agent {
    let aggregation = Aggregation {
        enabled: true,
        window: Duration::from_millis(20),
        records_max,
        ..Aggregation::default()
    };
    Agent::start(Config { aggregation, ..place.config(server) }).unwrap()
}

fn ids(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|id| (*id).to_owned()).collect()
}

fn in_sums(call: &Call) -> BTreeSet<String> {
    let ids = call
        .entries()
        .into_iter()
        .flat_map(|entry| entry["recordIds"].as_array().cloned().unwrap_or_default());
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Calls that were taken: the sums, and the others.
fn taken(server: &Server) -> (Vec<Call>, Vec<Call>) {
    let taken = server.calls().into_iter().filter(|(_, status)| *status == 202);
    taken.map(|(call, _)| call).partition(|call| call.is("d", "predictionStats"))
}

#[test]
fn a_sum_and_then_the_predictions_are_taken_before_anything_is_acknowledged() {
    let (place, server) = (Place::new(), Server::yes());
    server.answer(|call| match call.is("d", "predictionInputs") {
        true => Reply::wait(503, 0),
        false => Reply::status(202),
    });
    place.write(&[row("a", 1.0), row("b", 1.0), row("c", 2.0)]);
    let agent = start(&place, &server, 3);
    until("the predictions were tried again", || server.calls().len() >= 4);
    assert_eq!(place.offset(), 0);
    server.answer(|_| Reply::status(202));
    until("all is acknowledged", || place.is_acknowledged());
    assert_eq!(stop(agent).reported, 3);
    let (sums, others) = taken(&server);
    assert_eq!((sums.len(), others.len()), (1, 1), "the sums are not told again");
    assert_eq!(in_sums(&sums[0]), ids(&["a", "b", "c"]));
    let numbers = &sums[0].entries()[0]["features"][0]["stats"]["numericStats"];
    assert_eq!(numbers["histogram"], json!({"centroids": [1.0, 2.0], "counts": [2, 1]}));
    assert_eq!(others[0].body["skipDriftTracking"], true);
    let told: BTreeSet<String> = others[0].entries().iter().map(id).collect();
    assert_eq!(told, ids(&["a#accuracy", "b#accuracy", "c#accuracy"]));
    assert!(others[0].entries().iter().all(|entry| entry.get("features").is_none()));
}

#[test]
fn after_a_503_the_same_sum_comes_with_the_same_key() {
    let (place, server) = (Place::new(), Server::yes());
    let mut calls = 0;
    server.answer(move |_| {
        calls += 1;
        if calls <= 2 { Reply::wait(503, 0) } else { Reply::status(202) }
    });
    place.write(&[row("a", 1.0), row("b", 2.0)]);
    let agent = start(&place, &server, 2);
    until("all is acknowledged", || place.is_acknowledged());
    stop(agent);
    let keys: Vec<String> = server.calls().into_iter().take(3).map(|(call, _)| call.key).collect();
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "{keys:?}");
}

#[test]
fn what_the_server_has_seen_is_left_out_of_the_next_sum() {
    let (place, server) = (Place::new(), Server::yes());
    server.answer(|call| match in_sums(call).contains("b") {
        true => Reply::saying(
            r#"{"message":"ok","refused":[{"index":0,"field":"recordIds","reason":"must all be new","seenRecordIds":["b"]}]}"#,
        ),
        false => Reply::status(202),
    });
    place.write(&[row("a", 1.0), row("b", 2.0), row("c", 3.0)]);
    let agent = start(&place, &server, 3);
    until("all is acknowledged", || place.is_acknowledged());
    assert_eq!(stop(agent).dead_letters, 0);
    let (sums, others) = taken(&server);
    let sums: Vec<BTreeSet<String>> = sums.iter().map(in_sums).collect();
    assert_eq!(sums, [ids(&["a", "b", "c"]), ids(&["a", "c"])]);
    // The outcomes of all three can be joined: the run before may have ended between the two.
    let told: BTreeSet<String> =
        others.iter().flat_map(Call::entries).map(|one| id(&one)).collect();
    assert_eq!(told, ids(&["a#accuracy", "b#accuracy", "c#accuracy"]));
}

#[test]
fn two_copies_of_a_record_are_acknowledged_and_never_in_one_sum() {
    let (place, server) = (Place::new(), Server::yes());
    // Not the same bytes, or they would be known before.
    let copy = row("a", 1.0).replacen('{', "{ ", 1);
    place.write(&[row("a", 1.0), copy, row("b", 2.0)]);
    let agent = start(&place, &server, 3);
    until("all is acknowledged", || place.is_acknowledged());
    stop(agent);
    let (sums, _) = taken(&server);
    let listed: Vec<Value> =
        sums.iter().flat_map(Call::entries).map(|entry| entry["recordIds"].clone()).collect();
    assert_eq!(listed, [json!(["a", "b"]), json!(["a"])]);
}

#[test]
fn what_is_refused_as_a_sum_goes_as_it_came() {
    for whole in [true, false] {
        let (place, server) = (Place::new(), Server::yes());
        server.answer(move |call| match call.is("d", "predictionStats") {
            true if whole => Reply::status(422),
            true => {
                Reply::saying(r#"{"refused":[{"index":0,"field":"predictions","reason":"no"}]}"#)
            }
            false => Reply::status(202),
        });
        place.write(&[row("a", 1.0), row("b", 2.0)]);
        let agent = start(&place, &server, 2);
        until("all is acknowledged", || place.is_acknowledged());
        let summary = stop(agent);
        assert_eq!((summary.reported, summary.dead_letters), (2, 0));
        let (_, others) = taken(&server);
        let entries: Vec<Value> = others.iter().flat_map(Call::entries).collect();
        assert_eq!(entries.iter().map(id).collect::<BTreeSet<_>>(), ids(&["a", "b"]));
        assert!(entries.iter().all(|entry| entry.get("features").is_some()));
        assert!(others.iter().all(|call| call.body.get("skipDriftTracking").is_none()));
    }
}

#[test]
fn a_sum_that_is_too_large_is_halved_and_a_single_record_goes_as_it_came() {
    let (place, server) = (Place::new(), Server::yes());
    let largest = Arc::new(AtomicUsize::new(0));
    let most = Arc::clone(&largest);
    server.answer(move |call| {
        let records = in_sums(call);
        if records.len() > 2 || records.contains("a") {
            return Reply::status(413);
        }
        most.fetch_max(records.len(), Ordering::Relaxed);
        Reply::status(202)
    });
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    place.write(&names.map(|name| row(name, 1.0)));
    let agent = start(&place, &server, 8);
    until("all is acknowledged", || place.is_acknowledged());
    assert_eq!(stop(agent).dead_letters, 0);
    assert_eq!(largest.load(Ordering::Relaxed), 2);
    let (sums, others) = taken(&server);
    let summed: Vec<String> = sums.iter().flat_map(in_sums).collect();
    assert_eq!(summed.len(), 7);
    assert_eq!(summed.into_iter().collect::<BTreeSet<_>>(), ids(&names[1..]));
    let entries: Vec<Value> = others.iter().flat_map(Call::entries).collect();
    let whole: Vec<String> =
        entries.iter().filter(|entry| entry.get("features").is_some()).map(id).collect();
    assert_eq!(whole, ["a"]);
}

#[test]
fn a_sum_has_as_many_records_as_it_may_and_rows_that_do_not_count_for_drift_are_in_none() {
    let (place, server) = (Place::new(), Server::yes());
    let skipped = message(
        "s",
        "d",
        "PREDICTIONS_DATA",
        &json!({"timestamp": "2026-03-01T10:30:00Z", "modelId": "m", "features": {"x": [1.0]},
            "predictions": [1.0], "skipDriftTracking": true}),
    );
    let mut lines: Vec<String> = (0..7).map(|at| row(&format!("r{at}"), f64::from(at))).collect();
    lines.push(skipped);
    place.write(&lines);
    let agent = start(&place, &server, 3);
    until("all is acknowledged", || place.is_acknowledged());
    stop(agent);
    let (sums, others) = taken(&server);
    let mut sizes: Vec<usize> = sums.iter().map(|call| in_sums(call).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 3, 3]);
    assert!(others.iter().flat_map(Call::entries).any(|entry| id(&entry) == "s"));
}
