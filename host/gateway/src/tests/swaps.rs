//! Models that come and go while requests are answered.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use models::schema::{Feature, Kind, Missing, Unknown};
use parking_lot::Mutex;
use record::{Record, Role};

use super::harness::{JSON, Model, Plan, Server, features, until};
use crate::{
    fault::{Declined, Fault},
    fleet::{ChangeError, Place},
    settings::{DeploymentSettings, WatchSettings},
};

const NEW: &str = "sha256:01";
const OLD: &str = "sha256:00";

/// The model of [`Model::sums`], but 1000 more.
fn higher() -> Model {
    Model::new(|_, numbers| Ok(numbers.chunks(3).map(|row| row[0] + 1000.0).collect())).digest(NEW)
}

fn failing(fault: impl Fn() -> Fault + Send + Sync + 'static) -> Model {
    Model::new(move |_, _| Err(fault())).digest(NEW)
}

fn declined() -> Fault {
    let (code, message) = ("no".to_owned(), "no".to_owned());
    Fault::Declined(Declined { code, message, row: None, feature: None })
}

fn watch(requests: u64, faults: f64) -> Plan {
    let mut plan = Plan::default();
    plan.fleet.watch = WatchSettings { requests, faults, late: Duration::from_secs(10) };
    plan
}

impl Server {
    fn admit(&self, model: Model, place: Place) {
        self.fleet.admit("d1", None, model, DeploymentSettings::default(), place).unwrap();
    }

    /// The prediction for a = 1, and the digest of who gave it.
    async fn ask(&self) -> (f64, String) {
        let reply = self.get("/predict?a=1").await;
        (reply.predictions()[0], reply.header("x-model-digest").unwrap().to_owned())
    }

    fn serving(&self) -> String {
        self.fleet.deployment("d1").unwrap().champion.unwrap().digest
    }

    /// What records say about who scored: role, model id and prediction.
    fn records(&self) -> Vec<(Role, String, Option<f64>)> {
        let records = self.outbox.records.lock();
        let read = |bytes: &Vec<u8>| {
            let record = Record::decode(bytes).unwrap();
            let record::Payload::Prediction(prediction) = &record.payload else { panic!() };
            let first = prediction.rows.as_ref().map(|rows| rows.predictions[0]);
            (record.role, record.model_id.to_string(), first)
        };
        records.iter().map(read).collect()
    }
}

#[tokio::test]
async fn a_swap_and_a_rollback_are_seen_by_the_next_request() {
    let server = Server::plain().await;
    assert_eq!(server.ask().await, (1.0, OLD.to_owned()));
    server.admit(higher(), Place::Champion);
    assert_eq!(server.ask().await, (1001.0, NEW.to_owned()));
    let seen = server.fleet.deployment("d1").unwrap();
    assert_eq!(seen.previous.unwrap().digest, OLD);
    let change = server.fleet.rollback("d1", "somebody").unwrap();
    assert_eq!((change.from.as_deref(), change.to.as_deref()), (Some(NEW), Some(OLD)));
    assert_eq!(server.ask().await, (1.0, OLD.to_owned()));

    let seen = server.fleet.deployment("d1").unwrap();
    assert_eq!(seen.history.len(), 2);
    let gone = seen.history.iter().find(|version| version.digest == NEW).unwrap();
    assert_eq!(gone.withdrawn.as_deref(), Some("rolled back"));
    assert!(matches!(server.fleet.rollback("d1", "somebody"), Err(ChangeError::Nothing { .. })));
    let events = server.fleet.events(Some("d1"));
    assert_eq!((events[0].done, events[1].done), (false, true));
    assert_eq!((events[1].action, &*events[1].by), ("rollback", "somebody"));
    let models: Vec<_> = server.records().into_iter().map(|(_, model, _)| model).collect();
    assert_eq!(models, ["m1", "01", "m1"]);
}

#[tokio::test]
async fn a_request_is_answered_by_the_model_that_it_began_with() {
    let (begun, has_begun) = mpsc::sync_channel(1);
    let (go, may_go) = mpsc::sync_channel::<()>(1);
    let may_go = Mutex::new(may_go);
    let model = Model::new(move |rows, _| {
        begun.send(()).unwrap();
        may_go.lock().recv_timeout(Duration::from_secs(20)).unwrap();
        Ok(vec![7.0; rows as usize])
    });
    let server = Arc::new(Plan::with(model).start().await);
    let first = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.ask().await }
    });
    tokio::task::spawn_blocking(move || has_begun.recv()).await.unwrap().unwrap();
    server.admit(higher(), Place::Champion);
    assert_eq!(server.ask().await.1, NEW);
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap(), (7.0, OLD.to_owned()));
}

#[tokio::test]
async fn what_a_new_model_cannot_answer_its_predecessor_does_until_it_is_taken_back() {
    for fault in [declined as fn() -> Fault, || Fault::Overran, || Fault::Broke("trap".into())] {
        let server = watch(100, 0.02).start().await;
        server.admit(failing(fault), Place::Champion);
        // Two faults are 0.02 of 100, and not more.
        for _ in 0..2 {
            assert_eq!(server.ask().await, (1.0, OLD.to_owned()));
        }
        assert_eq!(server.serving(), NEW);
        assert_eq!(server.ask().await, (1.0, OLD.to_owned()));
        until(async || server.serving() == OLD).await;
        let seen = server.fleet.deployment("d1").unwrap();
        assert!(seen.watch.is_none() && seen.errors == 0, "{seen:?}");
        let event = &server.fleet.events(Some("d1"))[0];
        assert_eq!((event.action, &*event.by, event.done), ("automatic-rollback", "gateway", true));
        assert_eq!((event.from.as_deref(), event.to.as_deref()), (Some(NEW), Some(OLD)));
        // Nobody got an answer from it, so no record says so.
        assert!(server.records().iter().all(|(_, model, _)| model == "m1"));
    }
}

#[tokio::test]
async fn a_predecessor_with_other_features_reads_the_rows_itself() {
    let server = watch(100, 0.5).start().await;
    let mut fewer = features();
    fewer.remove(0);
    let model = Model::new(|_, _| Err(Fault::Broke("trap".into()))).features(fewer);
    server.admit(model.digest(NEW), Place::Champion);
    let reply = server.get("/predict?b=4").await;
    assert_eq!(reply.header("x-model-digest"), Some(OLD));
    assert_eq!(reply.predictions(), [8.0]);
    let records = server.outbox.records.lock();
    let record = Record::decode(&records[0]).unwrap();
    let record::Payload::Prediction(prediction) = record.payload else { panic!() };
    let names: Vec<_> =
        prediction.rows.unwrap().columns.iter().map(|column| column.name.to_string()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_row_that_both_decline_is_the_callers() {
    let mut plan = watch(10, 0.0);
    plan.model = Model::new(|_, _| Err(declined()));
    let server = plan.start().await;
    server.admit(failing(declined), Place::Champion);
    for _ in 0..12 {
        assert_eq!(server.get("/predict?a=1").await.status, 422);
    }
    until(async || server.fleet.deployment("d1").unwrap().watch.is_none()).await;
    assert_eq!(server.serving(), NEW);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_a_fault_though_it_is_answered() {
    let mut plan = watch(10, 0.0);
    plan.fleet.watch.late = Duration::ZERO;
    let server = plan.start().await;
    server.admit(higher(), Place::Champion);
    assert_eq!(server.ask().await, (1001.0, NEW.to_owned()));
    until(async || server.serving() == OLD).await;
}

#[tokio::test]
async fn a_model_that_stood_its_trial_answers_alone() {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let model = Model::new(move |_, _| match counted.fetch_add(1, Ordering::SeqCst) {
        0..3 => Ok(vec![5.0]),
        _ => Err(Fault::Broke("trap".into())),
    });
    let server = watch(3, 0.5).start().await;
    server.admit(model.digest(NEW), Place::Champion);
    for _ in 0..3 {
        assert_eq!(server.ask().await.0, 5.0);
    }
    until(async || server.fleet.deployment("d1").unwrap().watch.is_none()).await;
    assert_eq!(server.get("/predict?a=1").await.status, 500);
    assert_eq!(server.serving(), NEW);
}

#[tokio::test]
async fn a_canary_has_its_share_and_keeps_who_came_to_it() {
    let server = Server::plain().await;
    server.admit(higher(), Place::Canary(0.25));
    let mut of_canary = BTreeSet::new();
    let body = |id: u32| format!("{{\"a\":1,\"associationId\":\"visit-{id}\"}}");
    for id in 0..400 {
        let reply = server.post(JSON, body(id)).await;
        let digest = reply.header("x-model-digest").unwrap().to_owned();
        assert_eq!(reply.predictions()[0], if digest == NEW { 1001.0 } else { 1.0 });
        if digest == NEW {
            of_canary.insert(id);
        }
    }
    // 100 of 400, give or take four standard deviations.
    assert!((65..=135).contains(&of_canary.len()), "{}", of_canary.len());
    let canary_records = server.records().iter().filter(|(role, ..)| *role == Role::Canary).count();
    assert_eq!(canary_records, of_canary.len());

    // A larger share only adds.
    server.fleet.set_canary_share("d1", 0.5, "x").unwrap();
    for id in &of_canary {
        let reply = server.post(JSON, body(*id)).await;
        assert_eq!(reply.header("x-model-digest"), Some(NEW));
    }
    // What the canary answered the champion has scored too, for comparison, without a record.
    until(async || {
        let canary = server.fleet.deployment("d1").unwrap().canary.unwrap();
        canary.comparison.requests >= 2 * of_canary.len() as u64
    })
    .await;
    let canary = server.fleet.deployment("d1").unwrap().canary.unwrap();
    assert_eq!(canary.comparison.mean_difference, Some(1000.0));
    assert_eq!(server.records().len(), 400 + of_canary.len());

    server.fleet.promote("d1", None, false, "x").unwrap();
    assert_eq!(server.ask().await.1, NEW);
    assert!(server.fleet.deployment("d1").unwrap().canary.is_none());
}

#[tokio::test]
async fn a_canary_that_fails_is_answered_for_and_sent_away() {
    let server = watch(10, 0.1).start().await;
    server.admit(failing(|| Fault::Overran), Place::Canary(0.999));
    until(async || {
        assert_eq!(server.ask().await, (1.0, OLD.to_owned()));
        server.fleet.deployment("d1").unwrap().canary.is_none()
    })
    .await;
    let event = &server.fleet.events(Some("d1"))[0];
    assert_eq!((event.action, &*event.by), ("canary-abort", "gateway"));
}

#[tokio::test]
async fn a_canary_with_features_of_its_own_reads_the_rows_itself() {
    let mut own = features();
    own.remove(1);
    let (missing, unknown) = (Missing::Keep, Unknown::Other);
    own.push(Feature { name: "d".to_owned(), kind: Kind::Numeric, missing, unknown });
    // a, c, d
    let model = Model::new(|_, numbers| Ok(numbers.chunks(3).map(|row| row[0] * 10.0).collect()));
    let server = Server::plain().await;
    server.admit(model.features(own).digest(NEW), Place::Canary(0.999));
    until(async || {
        let (prediction, digest) = server.ask().await;
        assert_eq!(prediction, if digest == NEW { 10.0 } else { 1.0 });
        digest == NEW
    })
    .await;
    // What the champion refuses is refused, whoever would have been asked.
    assert_eq!(server.get("/predict?a=1&d=2").await.status, 400);
}

#[tokio::test]
async fn a_challenger_scores_the_same_rows_and_never_answers() {
    let server = Server::plain().await;
    server.admit(higher(), Place::Challenger("trees".to_owned()));
    let fault = || Fault::Broke("trap".into());
    let broken = failing(fault).digest("sha256:02");
    server.admit(broken, Place::Challenger("broken".to_owned()));
    let body = "[{\"a\":1,\"associationId\":\"x\"},{\"a\":2}]";
    for _ in 0..5 {
        let reply = server.post(JSON, body).await;
        assert_eq!(reply.predictions(), [1.0, 2.0]);
        assert_eq!(reply.header("x-model-digest"), Some(OLD));
    }
    until(async || server.records().len() == 15).await;
    let seen = server.fleet.deployment("d1").unwrap();
    let [trees, broken] = &seen.challengers[..] else { panic!("{seen:?}") };
    assert_eq!((trees.comparison.requests, trees.comparison.rows), (5, 10));
    assert_eq!(trees.comparison.largest_difference, Some(1000.0));
    assert_eq!((broken.comparison.failed, broken.comparison.requests), (5, 0));
    assert_eq!(broken.package.broken, 5);
    let of = |wanted: &str| -> Vec<_> {
        server.records().into_iter().filter(|(_, model, _)| model == wanted).collect()
    };
    assert_eq!(of("01"), vec![(Role::Challenger, "01".to_owned(), Some(1001.0)); 5]);
    assert_eq!(of("02"), vec![(Role::Challenger, "02".to_owned(), None); 5]);
    let labels =
        "{deployment=\"d1\",role=\"challenger\",challenger=\"trees\",digest=\"sha256:01\"}";
    for (metric, value) in [("largest_difference", 1000.0), ("compared_rows_total", 10.0)] {
        let line = format!("gateway_{metric}{labels}");
        assert_eq!(server.metric(&line).await, Some(value), "{line}");
    }
    server.fleet.remove_challenger("d1", "broken", "x").unwrap();
    server.fleet.promote("d1", Some("trees"), false, "x").unwrap();
    assert_eq!(server.ask().await.1, NEW);
    assert!(server.fleet.deployment("d1").unwrap().challengers.is_empty());
}

#[tokio::test]
async fn what_a_challenger_has_no_time_for_is_shed_and_counted() {
    let (go, may_go) = mpsc::sync_channel::<()>(1);
    let may_go = Mutex::new(may_go);
    let slow = Model::new(move |rows, _| {
        may_go.lock().recv().ok();
        Ok(vec![0.0; rows as usize])
    });
    let mut plan = Plan::default();
    // Room for two small requests, and a third is in the challenger's hands.
    plan.fleet.shadow_bytes = 1700;
    let server = plan.start().await;
    server.admit(slow.digest(NEW), Place::Challenger("slow".to_owned()));
    for _ in 0..20 {
        assert_eq!(server.ask().await, (1.0, OLD.to_owned()));
    }
    let shed = server.fleet.deployment("d1").unwrap().challengers[0].shed;
    assert!((17..20).contains(&shed), "{shed}");
    drop(go);
    until(async || {
        let seen = server.fleet.deployment("d1").unwrap();
        seen.challengers[0].comparison.requests == 20 - shed
    })
    .await;
}

#[tokio::test]
async fn a_change_that_callers_would_notice_is_said_first() {
    let server = Server::plain().await;
    let mut fewer = features();
    fewer.remove(0);
    let model = || Model::new(|_, _| Ok(vec![0.0])).features(fewer.clone()).digest(NEW);
    server.admit(model(), Place::Challenger("fewer".to_owned()));
    let refused = server.fleet.promote("d1", Some("fewer"), false, "x").unwrap_err();
    assert!(matches!(&refused, ChangeError::Schema(what) if what[0].contains("\"a\" is gone")));
    assert_eq!(server.serving(), OLD);
    let forced = server.fleet.promote("d1", Some("fewer"), true, "x").unwrap();
    assert!(forced.warnings[0].contains("\"a\" is gone"), "{forced:?}");
    assert_eq!(server.serving(), NEW);
}

#[tokio::test]
async fn deployments_stand_side_by_side_and_one_is_the_default() {
    let server = Server::plain().await;
    let settings = DeploymentSettings::default;
    server.fleet.admit("d2", None, higher(), settings(), Place::Champion).unwrap();
    assert_eq!(server.get("/deployments/d2/predict?a=1").await.predictions(), [1001.0]);
    // Two deployments, and nobody has said which is the default.
    let reply = server.get("/predict?a=1").await;
    assert_eq!((reply.status, reply.problem()), (404, "not-found".to_owned()));
    server.fleet.set_default("d2", "x").unwrap();
    assert_eq!(server.ask().await.1, NEW);

    server.fleet.drain(Some("d2"), "x").unwrap();
    let reply = server.get("/predict?a=1").await;
    assert_eq!((reply.status, reply.problem()), (503, "draining".to_owned()));
    assert_eq!(server.get("/deployments/d1/predict?a=1").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 200);
    server.fleet.drain(None, "x").unwrap();
    assert_eq!(server.get("/readyz").await.status, 503);
    assert_eq!(server.get("/deployments/d1/predict?a=1").await.status, 503);
    server.fleet.resume(None, "x").unwrap();
    server.fleet.resume(Some("d2"), "x").unwrap();
    assert_eq!(server.ask().await.1, NEW);

    server.fleet.remove("d2", "x").unwrap();
    assert_eq!(server.get("/deployments/d2/predict?a=1").await.status, 404);
    assert_eq!(server.ask().await.1, OLD);
    let metrics = server.get("/metrics").await.body;
    assert!(
        metrics.contains("gateway_deployment_requests_total{deployment=\"d1\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn names_shares_and_numbers_have_their_limits() {
    let mut plan = Plan::default();
    (plan.fleet.deployments, plan.fleet.challengers) = (2, 1);
    let server = plan.start().await;
    let admit = |id: &str, place| {
        server.fleet.admit(id, None, higher(), DeploymentSettings::default(), place)
    };
    let longest = "x".repeat(128);
    let longer = "x".repeat(129);
    for id in ["", ".x", "a/b", "a b", &longer] {
        assert!(matches!(admit(id, Place::Champion), Err(ChangeError::Invalid { .. })), "{id}");
    }
    admit(&longest, Place::Champion).unwrap();
    assert!(matches!(admit("third", Place::Champion), Err(ChangeError::Invalid { .. })));
    admit("d1", Place::Challenger("c1".to_owned())).unwrap();
    admit("d1", Place::Challenger("c1".to_owned())).unwrap();
    let second = admit("d1", Place::Challenger("c2".to_owned()));
    assert!(matches!(second, Err(ChangeError::Invalid { field: "challenger", .. })));
    for share in [0.0, 1.0, -0.1, f64::NAN] {
        let error = server.fleet.set_canary_share("d1", share, "x").unwrap_err();
        assert!(matches!(error, ChangeError::Invalid { field: "share", .. }), "{error}");
    }
    let error = server.fleet.set_canary_share("d1", 0.5, "x").unwrap_err();
    assert!(matches!(error, ChangeError::Nothing { .. }), "{error}");
    let error = server.fleet.promote("d9", None, false, "x").unwrap_err();
    assert!(matches!(error, ChangeError::NoDeployment(_)), "{error}");
}
