//! What must not happen, above all what is known of the library's own agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::server::{Reply, Server, id};
use super::*;

#[test]
fn a_429_is_waited_out_and_holds_up_no_other_type_no_other_deployment_and_not_the_shutdown() {
    let (place, server) = (Place::new(), Server::yes());
    server.answer(|call| {
        if call.is("slow", "predictionRequests") {
            Reply::wait(429, 3600)
        } else {
            Reply::status(202)
        }
    });
    place.write(&[stats("s1", "slow")]);
    place.write(
        &(0..50).map(|number| rows(&format!("p{number:02}"), "slow", &[1.0])).collect::<Vec<_>>(),
    );
    place.write(&(0..50).map(|number| stats(&format!("q{number:02}"), "fast")).collect::<Vec<_>>());
    let agent = place.agent(&server);
    until("the others are taken", || server.ids().len() == 100);
    until("the wait is told of", || {
        let lanes = agent.stats()["lanes"].to_string();
        lanes.contains("429") && lanes.contains("waiting")
    });
    let summary = stop(agent);
    assert_eq!((summary.reported, summary.left), (100, 1));
    let asked = server.calls().iter().filter(|(_, status)| *status == 429).count();
    assert_eq!(asked, 1, "Retry-After is honoured");
    assert_eq!(place.offset(), 0, "what comes before is not taken, so nothing is acknowledged");
    // The next run brings it, and does not know of the wait.
    server.answer(|_| Reply::status(202));
    let agent = place.agent(&server);
    until("all is acknowledged", || place.is_acknowledged());
    stop(agent);
    assert!(server.ids().contains(&"s1".into()));
}

#[test]
fn the_wait_that_is_asked_for_is_kept_and_capped() {
    let (place, server) = (Place::new(), Server::yes());
    let mut asked = 0;
    server.answer(move |_| {
        asked += 1;
        if asked == 1 {
            Reply::wait(503, 1)
        } else if asked == 2 {
            Reply::wait(429, 3600)
        } else {
            Reply::status(202)
        }
    });
    place.write(&[stats("s1", "d")]);
    let agent = Agent::start(Config { retry_after_max_ms: 1000, ..place.config(&server) }).unwrap();
    until("it is taken", || server.ids() == ["s1"]);
    stop(agent);
    let calls = server.calls();
    let keys: Vec<&String> = calls.iter().map(|(call, _)| &call.key).collect();
    assert!(keys.iter().all(|key| **key == *keys[0]), "the same call has the same key: {keys:?}");
    for pair in calls.windows(2) {
        let waited = pair[1].0.at - pair[0].0.at;
        assert!(waited >= Duration::from_millis(950), "{waited:?}");
    }
}

#[test]
fn success_is_claimed_only_for_what_was_taken() {
    for status in [500, 503, 401, 403, 404] {
        let (place, server) = (Place::new(), Server::start(move |_| Reply::status(status)));
        place.write(&[stats("s1", "d")]);
        let agent = place.agent(&server);
        until("it was tried often", || server.calls().len() >= 5);
        let stats = agent.stats();
        assert_eq!(stats["reportedRecords"], 0, "{status}");
        let lanes = stats["lanes"].to_string();
        assert!(lanes.contains(&status.to_string()), "{lanes}");
        assert_eq!(place.offset(), 0, "{status}");
        server.answer(|_| Reply::status(202));
        until("it is acknowledged", || place.is_acknowledged());
        stop(agent);
        assert_eq!((server.ids(), place.rejected().len()), (vec!["s1".to_owned()], 0), "{status}");
    }
}

#[test]
fn a_record_without_a_deployment_and_other_poison_stop_nothing_and_are_kept_with_the_reason() {
    let (place, server) = (Place::new(), Server::yes());
    let null = stats("s1", "d").replace("\"deploymentId\":\"d\"", "\"deploymentId\":null");
    let newer = stats("s2", "d").replace("DEPLOYMENT_STATS", "SOMETHING_NEW");
    place.write(&[
        null.clone(),
        newer,
        "no json".into(),
        String::new(),
        "{}".into(),
        stats("s3", "d"),
    ]);
    let agent = place.agent(&server);
    until("all is acknowledged", || place.is_acknowledged());
    let summary = stop(agent);
    assert_eq!(server.ids(), ["s3"]);
    let rejected = place.rejected();
    assert_eq!((rejected.len(), summary.dead_letters), (4, 4), "{rejected:?}");
    assert_eq!(rejected[0]["message"], null);
    let whys: Vec<String> = rejected.iter().map(|letter| letter["why"].to_string()).collect();
    assert!(whys[0].contains("deploymentId") && whys[1].contains("SOMETHING_NEW"), "{whys:?}");
}

#[test]
fn half_a_line_is_waited_for_and_not_lost() {
    let (place, server) = (Place::new(), Server::yes());
    let line = stats("s1", "d");
    let (one, other) = line.split_at(40);
    let path = place.spool().join("fs_spool.1");
    append(&path, &format!("{}\n{one}", stats("s0", "d")));
    let agent = place.agent(&server);
    until("the whole line is taken", || server.ids() == ["s0"]);
    append(&path, &format!("{other}\n"));
    until("the other too", || server.ids() == ["s0", "s1"]);
    stop(agent);
    assert!(place.rejected().is_empty());
}

#[test]
fn two_sums_of_one_deployment_stay_two() {
    let (place, server) = (Place::new(), Server::yes());
    let sum = |model: &str, count: u64| {
        let numbers = json!({"count": count, "missingCount": 0, "min": 1.0, "max": 2.0, "sum": 3.0, "sumOfSquares": 5.0});
        json!({"modelId": model, "numericAggregateMap": {"age": numbers}, "predictionAggregateMap": {"0": numbers}})
    };
    place.write(&[
        message("1", "d", "PREDICTION_STATS", &sum("m1", 442)),
        message("2", "d", "PREDICTION_STATS", &sum("m2", 50)),
        message("3", "d", "PREDICTION_STATS", &sum("m1", 50)),
    ]);
    let agent = place.agent(&server);
    until("all is acknowledged", || place.is_acknowledged());
    stop(agent);
    let taken = server.taken();
    let found: Vec<(String, u64)> = taken
        .iter()
        .map(|entry| (id(entry), entry["predictions"]["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, [("1".into(), 442), ("2".into(), 50), ("3".into(), 50)]);
}

#[test]
fn the_one_record_that_a_server_refuses_is_found_and_the_others_are_taken() {
    let (place, server) = (Place::new(), Server::yes());
    for status in [400, 422, 413] {
        server.answer(move |call| {
            let poison = call.entries().iter().any(|entry| entry.to_string().contains("poison"));
            Reply::status(if poison { status } else { 202 })
        });
        let place = Place::new();
        let name = |number: usize| {
            if number == 13 { format!("poison{status}") } else { format!("{status}-{number:02}") }
        };
        place.write(&(0..30).map(|number| stats(&name(number), "d")).collect::<Vec<_>>());
        let actual = |number: usize| json!({"associationId": name(number), "actualValue": 1});
        let list = json!({"actualsList": (0..30).map(actual).collect::<Vec<_>>()});
        place.write(&[message("a", "d", "ACTUALS_DATA", &list)]);
        let agent = place.agent(&server);
        until("all is acknowledged", || place.is_acknowledged());
        let summary = stop(agent);
        let rejected = place.rejected();
        assert_eq!((rejected.len(), summary.dead_letters), (2, 2), "{status}: {rejected:?}");
        for letter in rejected {
            assert!(letter["entry"].to_string().contains("poison"), "{letter}");
            assert!(letter["why"].as_str().unwrap().contains(&status.to_string()), "{letter}");
        }
        let of = |entry: &Value| entry.to_string().contains(&format!("\"{status}-"));
        assert_eq!(server.taken().iter().filter(|entry| of(entry)).count(), 58, "{status}");
    }
    drop(place);
}

#[test]
fn what_our_server_refuses_by_name_becomes_a_dead_letter_with_its_reason() {
    let place = Place::new();
    let server = Server::start(|call| {
        let at = call.entries().iter().position(|entry| entry.to_string().contains("bad"));
        match at {
            None => Reply::saying(r#"{"message":"ok","accepted":9,"duplicates":0,"refused":[]}"#),
            Some(at) => Reply::saying(&format!(
                r#"{{"message":"ok","accepted":1,"refused":[{{"index":{at},"field":"x","reason":"is bad"}},{{"index":99}}]}}"#
            )),
        }
    });
    let list = json!({"actualsList": [{"associationId": "good", "actualValue": 1}, {"associationId": "bad", "actualValue": 2}]});
    place.write(&[stats("s1", "d"), stats("bad", "d"), message("a", "d", "ACTUALS_DATA", &list)]);
    let agent = place.agent(&server);
    until("all is acknowledged", || place.is_acknowledged());
    stop(agent);
    let mut rejected = place.rejected();
    rejected.sort_by_key(|letter| letter["call"].to_string());
    assert_eq!(rejected.len(), 2, "{rejected:?}");
    assert_eq!(rejected[0]["entry"]["associationId"], "bad");
    assert_eq!(rejected[1]["entry"]["recordId"], "bad");
    assert!(rejected[1]["why"].as_str().unwrap().contains("x: is bad"));
}

#[test]
fn a_server_that_never_answers_one_deployment_holds_up_neither_others_nor_the_shutdown() {
    let (place, server) = (Place::new(), Server::yes());
    server.answer(
        |call| if call.path.contains("silent") { Reply::never() } else { Reply::status(202) },
    );
    place.write(
        &(0..20)
            .map(|number| stats(&format!("s{number}"), &format!("silent{number}")))
            .collect::<Vec<_>>(),
    );
    place.write(&(0..20).map(|number| stats(&format!("f{number}"), "fast")).collect::<Vec<_>>());
    let agent = Agent::start(Config { http_timeout_ms: 200, ..place.config(&server) }).unwrap();
    until("the fast are taken", || server.ids().len() == 20);
    let summary = agent.stop(Duration::from_millis(200), false);
    assert_eq!(summary.reported, 20);
    assert!(summary.acknowledged);
}

#[test]
fn a_lane_that_is_held_up_goes_to_the_disk_and_what_lies_behind_it_is_read() {
    let (place, server) = (Place::new(), Server::yes());
    let open = Arc::new(AtomicBool::new(false));
    let is_open = Arc::clone(&open);
    server.answer(move |call| {
        let missing = call.path.contains("missing") && !is_open.load(Ordering::SeqCst);
        Reply::status(if missing { 404 } else { 202 })
    });
    place.write(
        &(0..400).map(|number| stats(&format!("m{number:03}"), "missing")).collect::<Vec<_>>(),
    );
    place.write(&[stats("behind", "d")]);
    let config = || Config {
        lane_bytes: 20_000,
        buffer_bytes: 100_000,
        max_records_task: 10,
        ..place.config(&server)
    };
    let agent = Agent::start(config()).unwrap();
    until("what lies behind is taken", || server.ids() == ["behind"]);
    let stats = agent.stats();
    assert!(stats["parkedBytes"].as_u64().unwrap() > 0, "{stats}");
    assert!(stats["lanes"].to_string().contains("needs an operator"), "{stats}");
    stop(agent);
    // Some are acknowledged and on the disk, the others come from the channel; together all are there, once each by id.
    open.store(true, Ordering::SeqCst);
    let agent = Agent::start(config()).unwrap();
    until("all is taken", || {
        let mut ids = server.ids();
        ids.dedup();
        ids.len() == 401
    });
    until("all is acknowledged", || place.is_acknowledged());
    until("the disk is empty", || agent.stats()["parkedBytes"] == 0);
    stop(agent);
    let order: Vec<String> = server.taken().iter().map(id).collect();
    assert!(order.iter().any(|id| id == "m399"));
}

#[test]
fn memory_is_bounded_while_the_server_takes_nothing() {
    let (place, server) = (Place::new(), Server::start(|_| Reply::status(503)));
    place.write(&(0..5000).map(|number| stats(&format!("{number:04}"), "d")).collect::<Vec<_>>());
    let config = Config {
        lane_bytes: 50_000,
        buffer_bytes: 50_000,
        parked_bytes: 0,
        max_records_task: 10,
        ..place.config(&server)
    };
    let agent = Agent::start(config).unwrap();
    until("the server was asked often", || server.calls().len() > 20);
    let stats = agent.stats();
    let bytes: u64 = stats["lanes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|lane| lane["waitingBytes"].as_u64())
        .sum();
    assert!(bytes <= 60_000, "{stats}");
    let read = stats["statsCounterPerChannel"]["files"]["deployment-stats"].as_u64().unwrap();
    assert!(read < 1000, "{stats}");
    server.answer(|_| Reply::status(202));
    until("all is taken", || server.ids().len() == 5000);
    stop(agent);
}

#[test]
fn dead_letters_that_find_no_room_are_not_dropped() {
    let (place, server) = (Place::new(), Server::start(|_| Reply::status(422)));
    place.write(&[stats("s1", "d")]);
    let agent = Agent::start(Config { dead_letter_bytes: 10, ..place.config(&server) }).unwrap();
    until("it was tried often", || server.calls().len() >= 3);
    assert!(agent.stats()["lanes"].to_string().contains("deadLetterBytes"));
    assert_eq!(place.offset(), 0);
    stop(agent);
}

#[test]
fn a_token_is_read_again_when_the_server_does_not_know_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let file = place.0.path().join("token");
    let put = |text: &str| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    put("old");
    let server =
        Server::start(|call| Reply::status(if call.token == "Bearer new" { 202 } else { 401 }));
    place.write(&[stats("s1", "d")]);
    let config =
        Config { api_token: None, api_token_file: Some(file.clone()), ..place.config(&server) };
    let agent = Agent::start(config).unwrap();
    until("the old one is refused", || !server.calls().is_empty());
    put("new\n");
    until("it is taken", || server.ids() == ["s1"]);
    stop(agent);
}
