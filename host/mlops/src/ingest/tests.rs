//! Ingest on both databases: every record once, every row in its hour, every actual to its predictions.

mod joins;
mod kills;
mod model;
mod refusals;
mod repeats;
mod retention;
mod sums;
mod times;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::numbers::Bins;
use crate::numbers::accuracy::Target;
use crate::rollup::Rollup;
use crate::store::Hour;
use crate::testing::{Database, on_both};

/// A server's ingest, with a deployment of a regression.
struct World {
    database: Database,
    store: Store,
    ingest: Ingest,
    settings: Settings,
    plan: Arc<DeploymentPlan>,
}

const ANY_TIME: (i64, i64) = (0, i64::MAX / 2);

fn regression() -> DeploymentPlan {
    let levels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let features = vec![
        ("age".to_owned(), Bins::Numeric { min: 0.0, max: 100.0 }),
        ("sex".to_owned(), Bins::Levels { listed: levels(&["f", "m"]), known: levels(&["x"]) }),
    ];
    let predictions = Some(Bins::Numeric { min: 0.0, max: 10.0 });
    let package = PackagePlan::new(1, "m", None, features, predictions);
    DeploymentPlan::new("d", Target::Regression, vec![package])
}

impl World {
    async fn new(database: Database) -> Self {
        Self::with(database, small()).await
    }

    async fn with(database: Database, settings: Settings) -> Self {
        let store = Store::open(database.address()).await.unwrap();
        let ingest = Ingest::start(store.clone(), settings).await.unwrap();
        Self { database, store, ingest, settings, plan: Arc::new(regression()) }
    }

    async fn restart(&mut self) {
        self.ingest.close().await;
        self.store.pool().close().await;
        self.store = Store::open(self.database.address()).await.unwrap();
        self.ingest = Ingest::start(self.store.clone(), self.settings).await.unwrap();
    }

    fn change(&mut self, change: impl FnOnce(&mut DeploymentPlan)) {
        let mut plan = (*self.plan).clone();
        change(&mut plan);
        self.plan = Arc::new(plan);
    }

    async fn inputs(&self, entries: &[String]) -> Accepted {
        self.ingest.prediction_inputs(&self.plan, data(entries)).await.unwrap()
    }
    async fn requests(&self, entries: &[String]) -> Accepted {
        self.ingest.prediction_requests(&self.plan, data(entries)).await.unwrap()
    }
    async fn stats(&self, entries: &[String]) -> Accepted {
        self.ingest.prediction_stats(&self.plan, data(entries)).await.unwrap()
    }
    async fn actuals(&self, entries: &[String]) -> Accepted {
        self.ingest.actuals(&self.plan, data(entries)).await.unwrap()
    }

    async fn rollups(&self) -> Vec<Hour> {
        let kept = self.store.rollups("d", ANY_TIME.0, ANY_TIME.1).await.unwrap();
        // What is in memory is what is stored.
        let bytes = |hours: &[Hour]| -> Vec<Vec<u8>> {
            hours.iter().map(|(_, _, rollup)| rollup.bytes().unwrap()).collect()
        };
        self.store.cache().clear();
        let read = self.store.rollups("d", ANY_TIME.0, ANY_TIME.1).await.unwrap();
        assert_eq!(bytes(&kept), bytes(&read));
        // The next one is asked for what was written since.
        let again = self.store.rollups("d", ANY_TIME.0, ANY_TIME.1).await.unwrap();
        assert_eq!(bytes(&again), bytes(&read));
        read
    }

    /// All of it together.
    async fn total(&self) -> Rollup {
        let all = self.rollups().await;
        let mut all = all.into_iter().map(|(_, _, rollup)| rollup);
        let mut total = Rollup::clone(&all.next().expect("something was taken"));
        all.for_each(|one| total.merge(&one));
        total
    }

    /// Takes records until all that was there before is folded.
    async fn fold(&self) {
        let before = self.folds().await;
        let patience = std::time::Instant::now() + Duration::from_secs(60);
        let mut number = 0;
        while self.folds().await < before + 2 {
            assert!(std::time::Instant::now() < patience, "nothing is folded");
            let filler = format!("{{\"recordId\":\"filler-{before}-{number}\"}}");
            self.requests(&[filler]).await;
            number += 1;
        }
    }

    async fn folds(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM folds WHERE done = 1");
        count.fetch_one(self.store.pool()).await.unwrap()
    }
}

fn data(entries: &[String]) -> Bytes {
    Bytes::from(format!("{{\"data\":[{}]}}", entries.join(",")))
}

/// Small, so that a test folds often, and a fold takes several commits.
fn small() -> Settings {
    let (fold_items, shard_items, shards_a_commit) = (16, 4, 1);
    Settings {
        fold_items,
        shard_items,
        shards_a_commit,
        cached_rollups: 4,
        retry_time: Duration::from_millis(10),
        ..Settings::default()
    }
}

/// An hour after 2026-11-24 00:00, as the library writes it.
fn at(hour: i64) -> String {
    let start: jiff::Timestamp = "2026-11-24T00:30:00Z".parse().unwrap();
    (start + jiff::SignedDuration::from_hours(hour)).to_string()
}

/// A record with one row.
fn row(record: &str, association: &str, prediction: f64, hour: i64) -> String {
    format!(
        "{{\"recordId\":\"{record}\",\"timestamp\":\"{}\",\"modelId\":\"m\",\
         \"features\":[{{\"name\":\"age\",\"values\":[{prediction}]}},{{\"name\":\"sex\",\"values\":[\"f\"]}}],\
         \"predictions\":[{prediction}],\"associationIds\":[\"{association}\"]}}",
        at(hour)
    )
}

/// An actual; without a time where it is empty.
fn actual(record: &str, association: &str, value: f64, at: &str) -> String {
    let at = if at.is_empty() { String::new() } else { format!(",\"timestamp\":\"{at}\"") };
    format!(
        "{{\"recordId\":\"{record}\",\"associationId\":\"{association}\",\"actualValue\":{value}{at}}}"
    )
}

fn taken(answer: &Accepted) -> (usize, usize, usize) {
    (answer.accepted, answer.duplicates, answer.refused.len())
}
