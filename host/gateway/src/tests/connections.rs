//! Connections: time-outs, keep-alive, limits and the drain.

use std::{sync::mpsc, time::Duration};

use parking_lot::Mutex;

use super::harness::{CSV, FORM, Model, Plan, Server, post, until, within};

const SHORT: Duration = Duration::from_millis(30);

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let server = Plan::settings(|settings| settings.header_time = SHORT).start().await;
    let mut silent = server.connect().await;
    assert_eq!(silent.rest().await, "");
    let mut half = server.connect().await;
    half.write("GET /predict?a=1 HTTP/1.1\r\n").await;
    assert_eq!(half.rest().await, "");
    // Also when it is not the connection's first.
    let mut kept = server.connect().await;
    kept.write("GET /predict?a=1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(kept.reply().await.status, 200);
    kept.write("GET /pre").await;
    assert_eq!(kept.rest().await, "");
    assert_eq!(
        server.metric(r#"gateway_connections_closed_total{reason="slow-head"}"#).await,
        Some(3.0)
    );
}

#[tokio::test]
async fn a_kept_connection_outlives_the_header_time_and_ends_with_the_idle_time() {
    let server = Plan::settings(|settings| {
        settings.header_time = SHORT;
        settings.idle_time = 10 * SHORT;
    })
    .start()
    .await;
    let mut client = server.connect().await;
    client.write("GET /predict?a=1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.reply().await;
    let quiet = std::time::Instant::now();
    assert_eq!(client.rest().await, "");
    assert!(quiet.elapsed() > 5 * SHORT, "{:?}", quiet.elapsed());
    assert_eq!(
        server.metric(r#"gateway_connections_closed_total{reason="idle"}"#).await,
        Some(1.0)
    );
}

#[tokio::test]
async fn a_slow_body_is_a_408() {
    let server = Plan::settings(|settings| settings.body_time = SHORT).start().await;
    let mut client = server.connect().await;
    let request = post("/predict", FORM, b"a=1");
    client.write(&request[..request.len() - 1]).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.problem()), (408, "too-slow".to_owned()));
    assert_eq!(server.outbox.records.lock().len(), 1);
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_cut_off() {
    let server = Plan::settings(|settings| settings.write_stall_time = SHORT).start().await;
    let mut client = server.connect().await;
    let body = format!("a\n{}", "1\n".repeat(10_000));
    let request = post("/predict", CSV, body.as_bytes());
    // Answers pile up until the sockets' buffers are full.
    let writing = tokio::spawn(async move {
        for _ in 0..50 {
            client.write(&request).await;
        }
        client
    });
    until(|| async {
        server.metric(r#"gateway_connections_closed_total{reason="stalled"}"#).await == Some(1.0)
    })
    .await;
    writing.abort();
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::plain().await;
    let mut client = server.connect().await;
    let one = |a: i32| format!("GET /predict?a={a} HTTP/1.1\r\nhost: x\r\n\r\n");
    client.write((1..=10).map(one).collect::<String>()).await;
    for a in 1..=10 {
        assert_eq!(client.reply().await.predictions(), [f64::from(a)]);
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_permit() {
    let server = Plan::settings(|settings| settings.connections = 1).start().await;
    let mut first = server.connect().await;
    first.write("GET /predict?a=1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    first.reply().await;
    let mut second = server.connect().await;
    second.write("GET /predict?a=2 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // The first is still served, the second is not.
    for _ in 0..20 {
        first.write("GET /predict?a=1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
        first.reply().await;
    }
    first.write("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let metrics = first.reply().await.body;
    assert!(
        metrics.contains("gateway_requests_total{route=\"predict\",status=\"200\"} 21\n"),
        "{metrics}"
    );
    drop(first);
    assert_eq!(second.reply().await.predictions(), [2.0]);
}

/// A server whose model waits to be let go.
async fn gated(grace: Duration) -> (Server, mpsc::Receiver<()>, mpsc::SyncSender<()>) {
    let (begun, has_begun) = mpsc::sync_channel(8);
    let (go, may_go) = mpsc::sync_channel(8);
    let may_go = Mutex::new(may_go);
    let model = Model::new(move |rows, _| {
        begun.send(()).unwrap();
        may_go.lock().recv_timeout(Duration::from_secs(20)).unwrap();
        Ok(vec![1.0; rows as usize])
    });
    let mut plan = Plan::with(model);
    plan.settings.grace = grace;
    (plan.start().await, has_begun, go)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drain_finishes_what_is_open_and_takes_nothing_new() {
    let (server, begun, go) = gated(Duration::from_secs(20)).await;
    let address = server.address;
    let mut idle = server.connect().await;
    idle.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    idle.reply().await;
    let mut open = server.connect().await;
    open.write(post("/predict", CSV, format!("a\n{}", "1\n".repeat(9000)).as_bytes())).await;
    tokio::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    let outbox = server.outbox.clone();
    let drained = server.stop();
    assert_eq!(idle.rest().await, "");
    until(|| async { tokio::net::TcpStream::connect(address).await.is_err() }).await;
    assert!(!drained.is_finished());
    go.send(()).unwrap();
    let reply = open.reply().await;
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    let report = within(drained).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(outbox.records.lock().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drain_waits_for_work_whose_client_is_gone() {
    let (server, begun, go) = gated(Duration::from_secs(20)).await;
    let mut gone = server.connect().await;
    gone.write(post("/predict", CSV, format!("a\n{}", "1\n".repeat(9000)).as_bytes())).await;
    tokio::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    drop(gone);
    until(|| async { server.metric("gateway_connections").await == Some(1.0) }).await;
    let outbox = server.outbox.clone();
    let drained = server.stop();
    go.send(()).unwrap();
    assert!(within(drained).await.unwrap().is_complete());
    assert_eq!(outbox.records.lock().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_that_takes_too_long_is_cut_off_and_says_so() {
    let (server, begun, go) = gated(SHORT).await;
    let mut open = server.connect().await;
    open.write(post("/predict", CSV, format!("a\n{}", "1\n".repeat(9000)).as_bytes())).await;
    tokio::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    let report = within(server.stop()).await.unwrap();
    assert_eq!((report.connections_cut, report.requests_cut), (1, 1));
    assert!(!report.is_complete());
    assert_eq!(open.rest().await, "");
    go.send(()).unwrap();
}
