//! What happens when all is well.

use super::server::{Server, id};
use super::*;
use crate::config::Flags;

#[test]
fn records_are_reported_in_calls_of_their_kind_and_acknowledged_once_taken() {
    let (place, server) = (Place::new(), Server::yes());
    let actuals = json!({"actualsList": [{"associationId": "a", "actualValue": 1}, {"associationId": "b", "actualValue": 2}]});
    place.write(&[
        stats("s1", "d"),
        stats("s2", "d"),
        rows("p1", "d", &[1.0, 2.0]),
        message(
            "p2",
            "d",
            "PREDICTIONS_DATA",
            &json!({"predictions": [1], "skipDriftTracking": true}),
        ),
        message("a1", "d", "ACTUALS_DATA", &actuals),
        message(
            "e1",
            "d",
            "EVENT",
            &json!({"eventType": "t", "message": "m", "deploymentId": "d"}),
        ),
        message(
            "m1",
            "d",
            "CUSTOM_METRIC",
            &json!({"customMetricId": "c", "modelId": null, "buckets": []}),
        ),
        message("g1", "d", "PING_MSG", &json!({"message": "hello"})),
        stats("s3", "other"),
    ]);
    let agent = place.agent(&server);
    until("all is acknowledged", || place.is_acknowledged());
    let stats = agent.stats();
    let summary = stop(agent);
    assert_eq!((summary.reported, summary.dead_letters, summary.left), (8, 0, 0));
    let calls = server.calls();
    let call = |what: &str| {
        let found: Vec<_> = calls.iter().filter(|(call, _)| call.path.contains(what)).collect();
        found.iter().map(|(call, _)| call.clone()).collect::<Vec<_>>()
    };
    let requests = call("deployments/d/predictionRequests");
    let ids: Vec<String> =
        requests.iter().flat_map(|call| call.entries()).map(|entry| id(&entry)).collect();
    assert_eq!(ids, ["s1", "s2"]);
    let inputs = call("predictionInputs");
    assert_eq!(inputs.len(), 2, "rows that count for other things go apart: {inputs:?}");
    assert!(inputs.iter().any(|call| call.body["skipDriftTracking"] == true));
    let actuals = call("actuals");
    assert_eq!(actuals[0].entries().iter().map(id).collect::<Vec<_>>(), ["a1", "a1"]);
    assert_eq!(call("remoteEvents/")[0].body["eventType"], "t");
    assert_eq!(call("deployments/d/customMetrics/c/fromJSON/").len(), 1);
    assert!(calls.iter().all(|(call, _)| call.token == "Bearer canary-token"));
    assert_eq!(stats["statsCounterPerDeployment"]["d"]["deployment-stats"], 2);
    assert_eq!(stats["statsCounterPerChannel"]["files"]["ping"], 1);
    assert!(!stats.to_string().contains("canary"));
}

#[test]
fn calls_keep_their_limits() {
    let (place, server) = (Place::new(), Server::yes());
    let row = |number: usize| rows(&format!("p{number:03}"), "d", &[1.0, 2.0, 3.0]);
    place.write(&(0..7).map(row).collect::<Vec<_>>());
    place.write(&(0..7).map(|number| stats(&format!("s{number}"), "d")).collect::<Vec<_>>());
    place.write(&[rows("long", "e", &[0.0; 5])]);
    let config = Config {
        max_groups: 3,
        rows_per_call: 7,
        samples_group_size: 3,
        max_aggregated_records: 4,
        ..place.config(&server)
    };
    let agent = Agent::start(config).unwrap();
    until("all is acknowledged", || place.is_acknowledged());
    stop(agent);
    for (call, _) in server.calls() {
        let entries = call.entries();
        let rows: usize =
            entries.iter().filter_map(|entry| Some(entry["predictions"].as_array()?.len())).sum();
        let groups = entries.iter().filter(|entry| entry["predictions"].is_array()).count();
        assert!(rows <= 7 && groups <= 3 && entries.len() <= 4, "{call:?}");
    }
    let ids = server.ids();
    assert_eq!(ids.len(), 7 + 7 + 2, "{ids:?}");
    assert!(ids.contains(&"long".into()) && ids.contains(&"long/1".into()), "{ids:?}");
}

#[test]
fn repeats_that_a_channel_gives_out_are_dropped_and_acknowledged() {
    let (place, server) = (Place::new(), Server::yes());
    let same = stats("s1", "d");
    place.write(&[same.clone(), same.clone(), stats("s2", "d")]);
    let agent = place.agent(&server);
    until("the first are acknowledged", || place.is_acknowledged());
    place.write(&[same]);
    until("the repeat is acknowledged", || place.is_acknowledged());
    let repeats = agent.stats()["statsCounterPerChannel"]["files"]["repeats"].clone();
    stop(agent);
    assert_eq!(server.ids(), ["s1", "s2"]);
    assert_eq!(repeats, 2);
}

#[test]
fn a_dry_run_reports_and_acknowledges_nothing() {
    let (place, server) = (Place::new(), Server::yes());
    place.write(&[stats("s1", "d"), "no json".into()]);
    let config = Config {
        dry_run: true,
        mlops_url: String::new(),
        api_token: None,
        ..place.config(&server)
    };
    let agent = Agent::start(config).unwrap();
    until("both are read", || agent.stats()["statsCounterPerChannel"]["files"]["invalid"] == 1);
    stop(agent);
    assert!(server.calls().is_empty());
    assert_eq!((place.offset(), place.state().exists()), (0, false));
}

#[test]
fn statistics_are_served_without_secrets_and_a_flush_sends_what_waits() {
    let (place, server) = (Place::new(), Server::yes());
    let config = Config {
        server_mode: true,
        server_port: 0,
        pending_records_timeout_ms: 3_600_000,
        prediction_environment_id: Some("env".into()),
        ..place.config(&server)
    };
    let agent = Agent::start(config).unwrap();
    let base = format!("http://{}", agent.address().unwrap());
    let get = |path: &str| {
        ureq::get(format!("{base}{path}")).call().unwrap().body_mut().read_to_string().unwrap()
    };
    place.write(&[stats("s1", "d")]);
    until("it is read", || get("/stats").contains("\"deployment-stats\":1"));
    assert!(!server.ids().contains(&"s1".into()));
    ureq::post(format!("{base}/flush")).send_empty().unwrap();
    until("it is sent", || server.ids().contains(&"s1".into()));
    until("the channel is green", || {
        server.calls().iter().any(|(call, _)| call.body["eventType"] == "spoolerChannelGreen")
    });
    let said = [get("/config"), get("/stats"), get("/logs")].concat();
    assert!(said.contains("httpTimeout") && said.contains("Channel files is read"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    let missing = ureq::get(format!("{base}/other")).call().unwrap_err();
    assert!(missing.to_string().contains("404"), "{missing}");
    stop(agent);
}

#[test]
fn a_second_agent_does_not_take_the_state_of_the_first() {
    let (place, server) = (Place::new(), Server::yes());
    let agent = place.agent(&server);
    let second = Agent::start(place.config(&server)).unwrap_err();
    assert!(second.to_string().contains("another agent"), "{second}");
    stop(agent);
    let flags = Flags { state_dir: Some(place.state()), ..Flags::default() };
    assert_eq!(
        Config::load(&flags, &std::collections::BTreeMap::new()).unwrap().state_directory,
        place.state()
    );
}

#[test]
fn a_record_that_comes_through_two_channels_is_reported_once_and_acknowledged_to_both() {
    let (place, other, server) = (Place::new(), Place::new(), Server::yes());
    let lines: Vec<String> = (0..50).map(|number| stats(&format!("s{number:02}"), "d")).collect();
    place.write(&lines);
    other.write(&lines);
    let mut config = place.config(&server);
    let mut second = ChannelConfig::of_directory(&other.spool());
    second.name = "other".into();
    config.channels.push(second);
    let agent = Agent::start(config).unwrap();
    until("both are acknowledged", || place.is_acknowledged() && other.is_acknowledged());
    stop(agent);
    assert_eq!(server.ids().len(), 50);
}
