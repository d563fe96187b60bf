//! What comes back when the model, the outbox or the machine is in trouble.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::harness::{CSV, Model, Plan, Server, until, within};
use crate::{
    fault::{Declined, Fault},
    fleet::PROBATION,
    settings::{GatewaySettings, INLINE_TIME, RecordClass},
};

fn fails(fault: impl Fn() -> Fault + Send + Sync + 'static) -> Plan {
    Plan::with(Model::new(move |_, _| Err(fault())))
}

#[tokio::test]
async fn whose_fault_it_was_decides_the_status() {
    let declined = || {
        Fault::Declined(Declined {
            code: "missing-value".to_owned(),
            message: "a is missing".to_owned(),
            row: Some(0),
            feature: Some("a".to_owned()),
        })
    };
    let reply = fails(declined).start().await.get("/predict?a=1").await;
    assert_eq!((reply.status, reply.problem()), (422, "declined".to_owned()));
    let json = reply.json();
    assert_eq!((json["field"].as_str(), json["row"].as_u64()), (Some("a"), Some(0)));
    assert_eq!(
        (json["code"].as_str(), json["detail"].as_str()),
        (Some("missing-value"), Some("a is missing"))
    );

    for (plan, status, problem) in [
        (fails(|| Fault::Broke("secret".into())), 500, "model-failed"),
        (fails(|| Fault::Host("secret".into())), 500, "internal"),
        (fails(|| Fault::Overran), 504, "late"),
        (fails(|| Fault::Busy), 503, "busy"),
    ] {
        let reply = plan.start().await.get("/predict?a=1").await;
        assert_eq!((reply.status, reply.problem()), (status, problem.to_owned()));
        assert!(!reply.body.contains("secret"), "{reply:?}");
    }
}

/// A model that waits to be let go, and tells when it has begun.
fn gated() -> (Model, mpsc::Receiver<()>, mpsc::SyncSender<()>) {
    let (begun, has_begun) = mpsc::sync_channel(8);
    let (go, may_go) = mpsc::sync_channel(8);
    let may_go = Mutex::new(may_go);
    let model = Model::new(move |rows, _| {
        begun.send(()).unwrap();
        may_go.lock().recv_timeout(Duration::from_secs(20)).unwrap();
        Ok(vec![1.0; rows as usize])
    });
    (model, has_begun, go)
}

/// Rows that are scored on a blocking thread. A model that holds up a small request holds up its thread, and with it
/// whatever that thread is to do next, the test's own tasks too.
fn large() -> String {
    format!("a\n{}", "1\n".repeat(9000))
}

/// What a request is told while the only instance scores another.
async fn told_while_taken(change: impl FnOnce(&mut GatewaySettings)) -> (u16, String) {
    let (model, begun, go) = gated();
    let mut plan = Plan::with(model.instances(1));
    change(&mut plan.settings);
    let server = Arc::new(plan.start().await);
    let first = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.post(CSV, large()).await.status }
    });
    tokio::task::spawn_blocking(move || begun.recv().map(|()| begun)).await.unwrap().unwrap();
    let second = server.get("/predict?a=1").await;
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap(), 200);
    (second.status, second.problem())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn when_every_instance_is_taken_the_next_waits_and_is_told_to_come_again() {
    let told = told_while_taken(|settings| settings.queue_time = Duration::from_millis(20)).await;
    assert_eq!(told, (503, "busy".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_request_whose_time_is_over_before_it_is_scored_is_late() {
    let told = told_while_taken(|settings| settings.request_time = Duration::from_millis(20)).await;
    assert_eq!(told, (504, "late".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vanished_client_neither_stops_the_model_nor_loses_the_record() {
    let (model, begun, go) = gated();
    let server = Plan::with(model).start().await;
    let mut client = server.connect().await;
    client.write(super::harness::post("/predict", CSV, large().as_bytes())).await;
    tokio::task::spawn_blocking(move || begun.recv().map(|()| begun)).await.unwrap().unwrap();
    drop(client);
    go.send(()).unwrap();
    until(|| async { !server.outbox.records.lock().is_empty() }).await;
}

#[tokio::test]
async fn a_model_comes_onto_the_threads_of_others_when_it_has_been_quick_and_leaves_them_when_not()
{
    let slow = Arc::new(AtomicBool::new(true));
    let threads = Arc::new(Mutex::new(Vec::new()));
    let model = Model::new({
        let (slow, threads) = (Arc::clone(&slow), Arc::clone(&threads));
        move |rows, _| {
            threads.lock().push(std::thread::current().id());
            let started = std::time::Instant::now();
            while slow.load(Ordering::SeqCst) && started.elapsed() <= INLINE_TIME {
                std::hint::spin_loop();
            }
            Ok(vec![0.0; rows as usize])
        }
    });
    let server = Plan::with(model).start().await;
    let ask = async |times: u32| {
        for _ in 0..times {
            assert_eq!(server.get("/predict?a=1").await.status, 200);
        }
    };
    ask(1).await;
    slow.store(false, Ordering::SeqCst);
    ask(PROBATION + 1).await;
    slow.store(true, Ordering::SeqCst);
    ask(2).await;
    let here = std::thread::current().id();
    let inline: Vec<bool> = threads.lock().iter().map(|thread| *thread == here).collect();
    let (away, last) = inline.split_at(1 + PROBATION as usize);
    assert!(away.iter().all(|inline| !inline), "{inline:?}");
    // Quick, slow, and away again.
    assert_eq!(last, [true, true, false]);
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_next_request_is_served() {
    let calls = AtomicU32::new(0);
    let model = Model::new(move |rows, _| {
        assert!(calls.fetch_add(1, Ordering::SeqCst) > 0, "the first call breaks");
        Ok(vec![0.0; rows as usize])
    });
    let server = Plan::with(model).start().await;
    // Large enough for a thread of its own.
    let body = format!("a\n{}", "1\n".repeat(9000));
    let reply = server.post(CSV, &body).await;
    assert_eq!((reply.status, reply.problem()), (500, "internal".to_owned()));
    assert_eq!(server.post(CSV, &body).await.status, 200);
}

#[tokio::test]
async fn large_bodies_together_have_a_limit() {
    let mut plan = Plan::default();
    plan.settings.body_bytes = 20_000;
    plan.settings.all_bodies_bytes = 20_000;
    let server = plan.start().await;
    let body = format!("a\n{}", "1\n".repeat(9_999));
    assert_eq!(body.len(), 20_000);
    // Room is given back: the second fits only when the first is gone.
    for _ in 0..2 {
        assert_eq!(server.post(CSV, &body).await.status, 200);
    }
    let mut half = server.connect().await;
    let request = super::harness::post("/predict", CSV, body.as_bytes());
    half.write(&request[..request.len() - 1]).await;
    // The server has read the half request when there is no room for another.
    until(|| async {
        let reply = server.post(CSV, &body).await;
        assert!(matches!(reply.status, 200 | 503), "{reply:?}");
        reply.status == 503
    })
    .await;
    half.write(&request[request.len() - 1..]).await;
    assert_eq!(half.reply().await.status, 200);
}

#[tokio::test]
async fn an_outbox_that_takes_nothing_changes_no_answer_and_is_told() {
    let server = Server::plain().await;
    server.outbox.full.store(true, Ordering::SeqCst);
    assert_eq!(server.get("/predict?a=1").await.status, 200);
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["warnings"][0], "outbox: the disk is full");
}

#[tokio::test]
async fn a_durable_answer_waits_for_its_record() {
    let mut plan = Plan::default();
    plan.deployment.record_class = RecordClass::Durable;
    plan.settings.durable_time = Duration::from_millis(20);
    let server = plan.start().await;
    assert_eq!(server.get("/predict?a=1").await.status, 200);
    server.outbox.stuck.store(true, Ordering::SeqCst);
    let reply = within(server.get("/predict?a=1")).await;
    assert_eq!((reply.status, reply.problem()), (503, "not-durable".to_owned()));
    // What is no prediction does not wait.
    assert_eq!(server.get("/predict?a=x").await.status, 400);
    server.outbox.full.store(true, Ordering::SeqCst);
    assert_eq!(server.get("/predict?a=1").await.status, 503);
    assert_eq!(server.get("/readyz").await.status, 503);
}
