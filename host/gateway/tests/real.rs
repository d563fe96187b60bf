//! The gateway with nothing in place of anything: a trained model in its sandbox, an outbox on disk, and sockets.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

use std::{net::SocketAddr, path::Path, sync::LazyLock, time::Duration};

use engine::{Engine, EngineSettings, LimitSettings, Package};
use gateway::fleet::{DeploymentPlan, FleetPlan};
use gateway::{DeploymentSettings, DrainReport, Gateway, GatewaySettings, RecordClass};
use models::train::{Algorithm, CsvOptions, Settings, Table, Trained};
use record::{Payload, Record, Values};
use spool::{Entry, Outbox, OutboxSettings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

const ROW: &str = "age=30&sex=1&bmi=23&bp=100&s1=157&s2=70&s3=40&s4=4&s5=3&s6=88";
const VALUES: [f64; 10] = [30.0, 1.0, 23.0, 100.0, 157.0, 70.0, 40.0, 4.0, 3.0, 88.0];
/// What scikit-learn's `Ridge(alpha=1.0)` says to this row.
const WANT: f64 = 46.277198918661;

struct Real {
    digest: String,
    address: SocketAddr,
    outbox: Outbox,
    stop: oneshot::Sender<()>,
    task: JoinHandle<DrainReport>,
}

static TRAINED: LazyLock<Trained> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/diabetes/diabetes.csv");
    let table = Table::read_csv(&std::fs::read(path).unwrap(), &CsvOptions::default()).unwrap();
    let settings = Settings {
        algorithm: Some("ridge".parse::<Algorithm>().unwrap()),
        ..Settings::new("Y", "diabetes")
    };
    models::train::train(&table, &settings, &mut |_| {}).unwrap()
});

async fn start(dir: &Path, record_class: RecordClass) -> Real {
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let outbox = Outbox::open(dir, OutboxSettings::default()).unwrap();
    let bytes = engine.build_package(&TRAINED.model, &TRAINED.manifest).unwrap();
    let package = Package::parse(bytes).unwrap();
    let digest = package.digest().to_string();
    let deployment = DeploymentPlan {
        id: "diabetes".to_owned(),
        name: None,
        package,
        signature: None,
        model_id: Some("ridge-1".to_owned()),
        settings: DeploymentSettings { record_class, ..DeploymentSettings::default() },
        limits: LimitSettings::default(),
    };
    let plan = FleetPlan { deployments: vec![deployment], ..FleetPlan::default() };
    let channels = Box::new(Vec::new);
    let gateway =
        Gateway::new(plan, engine, Some(outbox.clone()), channels, GatewaySettings::default())
            .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(gateway.serve(vec![listener], async {
        stopped.await.unwrap();
    }));
    Real { digest, address, outbox, stop, task }
}

impl Real {
    /// Status and body.
    async fn send(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn get(&self, target: &str) -> (u16, String) {
        self.send(&format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    }

    async fn body(&self, method: &str, content_type: &str, body: &str) -> (u16, String) {
        let length = body.len();
        self.send(&format!(
            "{method} /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
             content-length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    async fn end(self) -> Outbox {
        self.stop.send(()).unwrap();
        assert!(self.task.await.unwrap().is_complete());
        self.outbox.close(Duration::from_secs(10)).unwrap();
        self.outbox
    }
}

fn prediction((status, body): (u16, String)) -> f64 {
    assert_eq!(status, 200, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    body["predictions"][0]["prediction"].as_f64().unwrap()
}

#[tokio::test]
async fn every_door_gives_the_number_that_the_native_model_and_scikit_learn_give() {
    let dir = tempfile::tempdir().unwrap();
    let real = start(dir.path(), RecordClass::Observe).await;
    let form = "application/x-www-form-urlencoded";
    let names: Vec<_> = ROW.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
    let object: Vec<_> =
        names.iter().rev().map(|(name, value)| format!("\"{name}\": {value}.0")).collect();
    let object = format!("{{{}}}", object.join(", "));
    let header: Vec<_> = names.iter().map(|(name, _)| *name).collect();
    let line: Vec<_> = names.iter().map(|(_, value)| format!("{value}e0")).collect();
    let predictions = [
        prediction(real.body("GET", form, ROW).await),
        prediction(real.body("POST", form, ROW).await),
        prediction(real.get(&format!("/predict?{ROW}")).await),
        prediction(real.body("POST", "application/json", &object).await),
        prediction(real.body("POST", "application/json", &format!("[{object},{object}]")).await),
        prediction(
            real.body("POST", "text/csv", &format!("{}\n{}\n", header.join(","), line.join(",")))
                .await,
        ),
    ];
    let mut native = Vec::new();
    TRAINED.model.clone().scorer().unwrap().score(1, &VALUES, &mut native).unwrap();
    for found in predictions {
        assert_eq!(found.to_bits(), native[0].to_bits());
        assert!((found - WANT).abs() <= 1e-6 * WANT, "{found} is not {WANT}");
    }
    real.end().await;
}

#[tokio::test]
async fn what_was_answered_lies_in_the_outbox() {
    let dir = tempfile::tempdir().unwrap();
    let real = start(dir.path(), RecordClass::Durable).await;
    let answer = prediction(real.get(&format!("/predict?{ROW}&associationId=me")).await);
    // The answer waited for it.
    assert_eq!(real.outbox.status().durable_seq, 1);
    let (status, body) = real.get("/predict?age=30").await;
    assert_eq!(status, 422, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (body["code"].as_str(), body["field"].as_str()),
        (Some("missing-value"), Some("sex"))
    );
    let digest = real.digest.clone();
    let outbox = real.end().await;
    let batch = outbox.reader("test").unwrap().next(10, 1 << 20, Duration::ZERO).unwrap();
    let payloads: Vec<&[u8]> = batch
        .iter()
        .map(|entry| match entry {
            Entry::Record { payload, .. } => payload,
            Entry::Gap { .. } => panic!("{entry:?}"),
        })
        .collect();
    assert_eq!(payloads.len(), 2);
    let record = Record::decode(payloads[0]).unwrap();
    assert_eq!(record.model_digest, Some(digest.parse().unwrap()));
    assert_eq!((&*record.deployment_id, &*record.model_id), ("diabetes", "ridge-1"));
    let Payload::Prediction(scored) = record.payload else { panic!() };
    let rows = scored.rows.unwrap();
    assert_eq!(*rows.predictions, [answer]);
    assert_eq!(rows.association_ids, ["me"]);
    for (column, value) in rows.columns.iter().zip(VALUES) {
        let Values::Numbers(numbers) = &column.values else { panic!("{column:?}") };
        assert_eq!(numbers[..], [value], "{}", column.name);
    }
    let Payload::Prediction(declined) = Record::decode(payloads[1]).unwrap().payload else {
        panic!()
    };
    assert_eq!((declined.status, declined.rows), (422, None));
}

#[tokio::test]
async fn a_large_batch_is_scored_and_recorded_whole() {
    let dir = tempfile::tempdir().unwrap();
    let real = start(dir.path(), RecordClass::Durable).await;
    let line = "30,1,23,100,157,70,40,4,3,88\n";
    let csv = format!("age,sex,bmi,bp,s1,s2,s3,s4,s5,s6\n{}", line.repeat(10_000));
    let (status, body) = real.body("POST", "text/csv", &csv).await;
    assert_eq!(status, 200, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["predictions"].as_array().unwrap().len(), 10_000);
    let outbox = real.end().await;
    let batch = outbox.reader("test").unwrap().next(100, 64 << 20, Duration::ZERO).unwrap();
    let mut rows = 0;
    for entry in batch.iter() {
        let Entry::Record { payload, .. } = entry else { panic!("{entry:?}") };
        let Payload::Prediction(part) = Record::decode(payload).unwrap().payload else { panic!() };
        assert_eq!(part.predictions, 10_000);
        rows += part.rows.unwrap().predictions.len();
    }
    assert_eq!(rows, 10_000);
}

#[tokio::test]
async fn metrics_tell_of_engine_and_outbox() {
    let dir = tempfile::tempdir().unwrap();
    let real = start(dir.path(), RecordClass::Durable).await;
    prediction(real.get(&format!("/predict?{ROW}")).await);
    let (_, text) = real.get("/metrics").await;
    for line in [
        r#"engine_batches_total{outcome="scored"} 1"#,
        "engine_instances_reclaimed_total 0",
        "engine_packages_shared_total 0",
        "spool_outbox_healthy 1",
        "spool_durable_seq 1",
        r#"spool_records_refused_total{reason="disk_full"} 0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let (status, ready) = real.get("/readyz").await;
    assert_eq!(status, 200, "{ready}");
    real.end().await;
}
