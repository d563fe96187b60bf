//! How much the agent costs: carrying a message alone, and from spool files to a server that only says yes.
//!
//!     cargo run --release -p agent --example measure -- [MESSAGES]

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]

use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agent::Agent;
use agent::config::{ChannelConfig, Config};
use record::wire::rest::{CarryLimits, carry};
use serde_json::json;
use spool::channel::Secret;

const FEATURES: [&str; 10] = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];

fn message(number: usize, data_type: &str, data: &serde_json::Value) -> String {
    let id = format!("{number:08x}-0000-4000-8000-000000000000");
    let header = json!({"id": id, "deploymentId": "65f0aa0000000000000000d1", "dataType": data_type,
        "dataFormat": "json", "dataLen": null, "version": 2, "language": "rust", "libVersion": "0.1.0", "reserved": ""});
    json!({"header": header, "data": data.to_string()}).to_string()
}

fn rows(number: usize, rows: usize) -> String {
    let column = |at: usize| {
        (0..rows).map(|row| ((row * 7 + at * 13 + number) % 1000) as f64 * 0.25).collect::<Vec<_>>()
    };
    let features: serde_json::Map<_, _> = FEATURES
        .iter()
        .enumerate()
        .map(|(at, name)| ((*name).to_owned(), json!(column(at))))
        .collect();
    let ids: Vec<String> = (0..rows).map(|row| format!("visit-{number}-{row}")).collect();
    message(
        number,
        "PREDICTIONS_DATA",
        &json!({"timestamp": "2026-11-24 23:29:16.242+0000", "modelId": "m",
        "features": features, "predictions": column(11), "associationIds": ids}),
    )
}

fn stats(number: usize) -> String {
    message(
        number,
        "DEPLOYMENT_STATS",
        &json!({"timestamp": "2026-11-24 23:29:16.242+0000", "modelId": "m",
        "numPredictions": 1, "executionTime": 1.25, "userError": false, "systemError": false}),
    )
}

fn main() {
    let count: usize = std::env::args().nth(1).map_or(50_000, |text| text.parse().unwrap());
    for (name, text) in [("stats", stats(1)), ("1 row", rows(1, 1)), ("97 rows", rows(1, 97))] {
        let limits = CarryLimits::default();
        let began = Instant::now();
        let times = if name == "97 rows" { 5_000 } else { 100_000 };
        for _ in 0..times {
            std::hint::black_box(carry(std::hint::black_box(text.as_bytes()), &limits).unwrap());
        }
        println!(
            "carry {name}: {:.2} us, {} bytes",
            began.elapsed().as_secs_f64() * 1e6 / times as f64,
            text.len()
        );
    }
    run("single rows, with their stats", count, 0.5, |number| {
        if number % 2 == 0 { rows(number, 1) } else { stats(number) }
    });
    run("97 rows", count / 20, 97.0, |number| rows(number, 97));
}

fn run(name: &str, count: usize, scale: f64, make: impl Fn(usize) -> String) {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let mut file = BufWriter::new(std::fs::File::create(spool.join("fs_spool.1")).unwrap());
    for number in 0..count {
        writeln!(file, "{}", make(number)).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let url = serve(&calls);
    let config = Config {
        mlops_url: url,
        api_token: Some(Secret::new("t")),
        channels: vec![ChannelConfig::of_directory(&spool)],
        state_directory: dir.path().join("state"),
        ..Config::default()
    };
    let before = cpu();
    let began = Instant::now();
    let agent = Agent::start(config).unwrap();
    while agent.stats()["reportedRecords"].as_u64().unwrap() < count as u64 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = began.elapsed().as_secs_f64();
    let spent = cpu() - before;
    agent.stop(Duration::from_secs(5), false);
    println!(
        "{name}: {:.0} messages/s, {:.0} rows/s, {:.2} us of processor a message with the server that says yes, {} calls",
        count as f64 / took,
        count as f64 / took * scale,
        spent * 1e6 / count as f64,
        calls.load(Ordering::Relaxed),
    );
}

/// Seconds of processor that this process has had.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn serve(calls: &Arc<AtomicU64>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::clone(calls);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let calls = Arc::clone(&calls);
            std::thread::spawn(move || yes(stream, &calls));
        }
    });
    url
}

fn yes(stream: TcpStream, calls: &AtomicU64) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    let mut body = Vec::new();
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body).ok()?;
        calls.fetch_add(1, Ordering::Relaxed);
        out.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"message\":\"ok\"}")
            .ok()?;
    }
}
