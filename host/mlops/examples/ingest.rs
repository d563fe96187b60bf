//! How fast records are taken: rows a second through [`mlops::ingest`], by the size of an entry and of a call, from an
//! empty store on; and how long it takes to read what a report needs.
//!
//! `cargo run --release -p mlops --example ingest -- [rows] [address]`, 1,000,000 rows into a file by default.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mlops::ingest::{DeploymentPlan, Ingest, PackagePlan, Settings};
use mlops::numbers::accuracy::Target;
use mlops::numbers::{Bins, Tally};
use mlops::report::{
    AccuracyReport, Baseline, BucketSize, Column, DriftReport, DriftSettings, HealthReport,
    HealthSettings, Moment, Part, Window,
};
use mlops::store::Store;

const FEATURES: usize = 10;
/// Rows in the statistics of a month's hours, before reading them is timed.
const HOURS: u64 = 720;
/// A call has rows of one hour or two, as calls have.
const ROWS_AN_HOUR: u64 = 15_000;
const CALL: usize = 10_000;

struct Rows {
    next: u64,
    start_us: i64,
}

impl Rows {
    /// A call of so many rows, in entries of so many.
    fn call(&mut self, rows: usize, entry: usize) -> Result<Bytes, std::fmt::Error> {
        let mut body = String::with_capacity(rows * 140);
        body.push_str("{\"data\":[");
        let mut left = rows;
        while left > 0 {
            let rows = left.min(entry);
            left -= rows;
            let hour = self.next / ROWS_AN_HOUR % HOURS;
            let at = jiff::Timestamp::from_microsecond(self.start_us + hour as i64 * 3_600_000_000)
                .unwrap_or_default();
            let comma = if body.ends_with('[') { "" } else { "," };
            write!(
                body,
                "{comma}{{\"timestamp\":\"{at}\",\"modelId\":\"m\",\"recordId\":\"r{}\",\"features\":[",
                self.next
            )?;
            for feature in 0..FEATURES {
                let comma = if feature == 0 { "" } else { "," };
                write!(body, "{comma}{{\"name\":\"f{feature}\",\"values\":[")?;
                for row in 0..rows as u64 {
                    let comma = if row == 0 { "" } else { "," };
                    let value = (self.next + row)
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15 + feature as u64)
                        >> 44;
                    write!(body, "{comma}{}", value as f64 / 1000.0)?;
                }
                body.push_str("]}");
            }
            body.push_str("],\"predictions\":[");
            for row in 0..rows as u64 {
                let comma = if row == 0 { "" } else { "," };
                write!(body, "{comma}{}", (self.next + row) % 300)?;
            }
            body.push_str("],\"associationIds\":[");
            for row in 0..rows as u64 {
                let comma = if row == 0 { "" } else { "," };
                write!(body, "{comma}\"row-{}\"", self.next + row)?;
            }
            body.push_str("]}");
            self.next += rows as u64;
        }
        body.push_str("]}");
        Ok(Bytes::from(body))
    }

    /// A call of requests of all hours so far.
    fn requests(&self, stored: u64) -> String {
        let request = |at: u64| {
            let hour = at * stored / CALL as u64 / ROWS_AN_HOUR % HOURS;
            let us = self.start_us + hour as i64 * 3_600_000_000 + (at % 60 * 60_000_000) as i64;
            let time = jiff::Timestamp::from_microsecond(us).unwrap_or_default();
            let ms = (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as f64 / 100.0;
            format!(
                "{{\"timestamp\":\"{time}\",\"modelId\":\"m\",\"recordId\":\"q{stored}-{at}\",\
                 \"numPredictions\":1,\"executionTime\":{ms}}}"
            )
        };
        let requests: Vec<String> = (0..CALL as u64).map(request).collect();
        format!("{{\"data\":[{}]}}", requests.join(","))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let most: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = std::env::temp_dir().join(format!("ingest-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let address = std::env::args().nth(2);
    let address =
        address.unwrap_or_else(|| format!("sqlite:{}", folder.join("mlops.db").display()));
    let store = Store::open(&address).await?;
    let features = (0..FEATURES)
        .map(|at| (format!("f{at}"), Bins::Numeric { min: 0.0, max: 1000.0 }))
        .collect();
    let bins = Some(Bins::Numeric { min: 0.0, max: 300.0 });
    let column = |name: &str, max: f64| {
        let bins = Bins::Numeric { min: 0.0, max };
        let tally = Tally(vec![10; bins.places()]);
        Column { name: name.to_owned(), bins, tally, importance: 1.0 }
    };
    let baseline = Baseline {
        plan: 1,
        features: (0..FEATURES).map(|at| column(&format!("f{at}"), 1000.0)).collect(),
        predictions: Some(column("y", 300.0)),
        metrics: BTreeMap::new(),
    };
    let package = PackagePlan::new(1, "m", None, features, bins);
    let plan = Arc::new(DeploymentPlan::new("d", Target::Regression, vec![package]));
    let ingest = Ingest::start(store.clone(), Settings::default()).await?;
    let now = jiff::Timestamp::now().as_microsecond();
    let mut rows = Rows { next: 0, start_us: now - HOURS as i64 * 3_600_000_000 };
    let mut stored = 0_u64;
    let mut goal = 10_000;
    while goal <= most {
        while stored < goal {
            let bodies: Vec<Bytes> =
                (0..10).map(|_| rows.call(CALL, 97)).collect::<Result<_, _>>()?;
            stored += take(&ingest, &plan, bodies).await?;
        }
        for entry in [97, 1] {
            let calls = (if entry == 1 { 10 } else { 50 }).min(stored as usize / 2_000);
            let bodies: Vec<Bytes> =
                (0..calls).map(|_| rows.call(CALL, entry)).collect::<Result<_, _>>()?;
            let started = Instant::now();
            let taken = take(&ingest, &plan, bodies).await?;
            let seconds = started.elapsed().as_secs_f64();
            println!(
                "{stored:>9} rows stored: {:>9.0} rows/s in entries of {entry}",
                taken as f64 / seconds
            );
            stored += taken;
        }
        let requests = Bytes::from(rows.requests(stored));
        let started = Instant::now();
        ingest.prediction_requests(&plan, requests).await?;
        println!(
            "{stored:>9} rows stored: {:>9.0} requests/s",
            CALL as f64 / started.elapsed().as_secs_f64()
        );
        let ids: Vec<u64> = (0..CALL as u64).map(|at| at * 7919 % stored).collect();
        let actuals: Vec<String> = ids
            .iter()
            .map(|id| format!("{{\"associationId\":\"row-{id}\",\"actualValue\":{id}}}"))
            .collect();
        let body = Bytes::from(format!("{{\"data\":[{}]}}", actuals.join(",")));
        let started = Instant::now();
        let answer = ingest.actuals(&plan, body).await?;
        println!(
            "{stored:>9} rows stored: {:>9.0} actuals/s from anywhere",
            answer.accepted as f64 / started.elapsed().as_secs_f64()
        );
        // What nobody looked at before, and then what is in memory.
        let store = Store::open(&address).await?;
        for _ in 0..2 {
            let started = Instant::now();
            let read = store.rollups("d", rows.start_us, now).await?;
            println!(
                "{stored:>9} rows stored: {:>9.1} ms for {} rollups",
                started.elapsed().as_secs_f64() * 1e3,
                read.len()
            );
        }
        let read = store.rollups("d", rows.start_us, now).await?;
        let parts: Vec<Part<'_>> = read
            .iter()
            .map(|(group, hour_us, rollup)| Part { group, hour_us: *hour_us, rollup })
            .collect();
        let window = Window { start: Moment(rows.start_us), end: Moment(now) };
        let (size, target) = (BucketSize::Hour, Target::Regression);
        let started = Instant::now();
        let health = HealthReport::of(&parts, window, size, &HealthSettings::default());
        let drift =
            DriftReport::of(&parts, window, None, size, Some(&baseline), &DriftSettings::default());
        let accuracy = AccuracyReport::of(&parts, |_| true, window, size, &target, Some(&baseline));
        println!(
            "{stored:>9} rows stored: {:>9.1} ms for health, drift and accuracy of {} requests, {} rows, {} outcomes",
            started.elapsed().as_secs_f64() * 1e3,
            health.totals.requests,
            drift.rows,
            accuracy.rows
        );
        goal *= 10;
    }
    ingest.close().await;
    store.pool().close().await;
    let bytes: u64 = std::fs::read_dir(&folder)?
        .filter_map(|file| file.ok()?.metadata().ok())
        .map(|file| file.len())
        .sum();
    println!("{stored:>9} rows stored: {:>9.1} bytes a row", bytes as f64 / stored as f64);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Gives calls to ingest, a few at the same time; how many rows were taken.
async fn take(
    ingest: &Ingest,
    plan: &Arc<DeploymentPlan>,
    bodies: Vec<Bytes>,
) -> Result<u64, Box<dyn std::error::Error>> {
    let calls = bodies.len() as u64;
    let mut running = tokio::task::JoinSet::new();
    for body in bodies {
        if running.len() >= 2 {
            running.join_next().await.transpose()?.transpose()?;
        }
        let (ingest, plan) = (ingest.clone(), Arc::clone(plan));
        running.spawn(async move { ingest.prediction_inputs(&plan, body).await });
    }
    while let Some(answer) = running.join_next().await {
        let answer = answer??;
        if !answer.refused.is_empty() || answer.duplicates > 0 {
            return Err(format!("not all was taken: {answer:?}").into());
        }
    }
    Ok(calls * CALL as u64)
}
