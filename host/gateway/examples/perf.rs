//! TEMP
use std::{path::Path};
use engine::{Engine, EngineSettings, Limits, Package};
use gateway::{Deployment, DeploymentSettings, Gateway, GatewaySettings};
use models::train::{Algorithm, CsvOptions, Settings, Table};
use spool::{Outbox, OutboxSettings};
#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/diabetes/diabetes.csv");
    let table = Table::read_csv(&std::fs::read(path).unwrap(), &CsvOptions::default()).unwrap();
    let settings = Settings { algorithm: Some("ridge".parse::<Algorithm>().unwrap()), ..Settings::new("Y", "diabetes") };
    let t = models::train::train(&table, &settings, &mut |_| {}).unwrap();
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let bytes = engine.build_package(&t.model, &t.manifest).unwrap();
    let scorer = engine.load(&Package::parse(bytes).unwrap(), Limits::default()).unwrap();
    let outbox = args.get(2).map(|d| Outbox::open(d, OutboxSettings::default()).unwrap());
    let d = Deployment { id: "diabetes".into(), model_id: "m".into(), scorer, instances: 32, settings: DeploymentSettings::default() };
    let g = Gateway::new(d, engine, outbox, Box::new(Vec::new), GatewaySettings::default()).unwrap();
    let l = tokio::net::TcpListener::bind(&args[1]).await.unwrap();
    println!("up");
    g.serve(vec![l], async { tokio::signal::ctrl_c().await.unwrap() }).await;
}
