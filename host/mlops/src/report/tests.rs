//! Reports of what went through ingest, held against what anybody can count by hand.

mod accuracy;
mod drift;
mod health;
mod service;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::ingest::{DeploymentPlan, Ingest, PackagePlan, Settings};
use crate::numbers::accuracy::Target;
use crate::store::{Hour, Store};
use crate::testing::Database;

const CHAMPION: &str = "sha256:c";
const CHALLENGER: &str = "sha256:d";

/// A deployment whose records went through ingest.
struct World {
    _database: Database,
    ingest: Ingest,
    store: Store,
    plan: Arc<DeploymentPlan>,
    rollups: Vec<Hour>,
}

fn levels(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn age() -> Bins {
    Bins::Numeric { min: 0.0, max: 100.0 }
}

fn sex() -> Bins {
    Bins::Levels { listed: levels(&["f", "m"]), known: levels(&["x"]) }
}

fn predicted() -> Bins {
    Bins::Numeric { min: 0.0, max: 10.0 }
}

/// Training of the champion: ages and predictions alike in all ten steps, as many of `f` as of `m`.
fn baseline() -> Baseline {
    let column = |name: &str, bins: Bins, tally: &[u64], importance| Column {
        name: name.to_owned(),
        bins,
        tally: Tally(tally.to_vec()),
        importance,
    };
    let steps = [0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 0, 0];
    Baseline {
        plan: 1,
        features: vec![
            column("age", age(), &steps, 0.5),
            column("sex", sex(), &[50, 50, 0, 0, 0], 0.4),
        ],
        predictions: Some(column("y", predicted(), &steps, 1.0)),
        metrics: [("cv_rmse", 2.0), ("cv_mae", 0.0)].map(|(n, v)| (n.to_owned(), v)).into(),
    }
}

impl World {
    async fn new() -> Self {
        let features = vec![("age".to_owned(), age()), ("sex".to_owned(), sex())];
        let champion =
            PackagePlan::new(1, "m", Some(CHAMPION.to_owned()), features, Some(predicted()));
        // As many columns, with other bins.
        let other = Bins::Levels { listed: levels(&["f", "m", "x", "y"]), known: Vec::new() };
        let features = vec![("sex".to_owned(), other), ("age".to_owned(), age())];
        let bins = Bins::Levels { listed: levels(&["a"]), known: Vec::new() };
        let challenger =
            PackagePlan::new(2, "n", Some(CHALLENGER.to_owned()), features, Some(bins));
        let plan = DeploymentPlan::new("d", Target::Regression, vec![champion, challenger]);
        let database = Database::sqlite();
        let store = Store::open(database.address()).await.unwrap();
        let ingest = Ingest::start(store.clone(), Settings::default()).await.unwrap();
        Self { _database: database, ingest, store, plan: Arc::new(plan), rollups: Vec::new() }
    }

    async fn requests(&mut self, entries: Value) {
        let body = Bytes::from(json!({"data": entries}).to_string());
        let answer = self.ingest.prediction_requests(&self.plan, body).await.unwrap();
        assert_eq!(answer.refused, []);
        self.read().await;
    }

    async fn inputs(&mut self, entries: Value) {
        let body = Bytes::from(json!({"data": entries}).to_string());
        let answer = self.ingest.prediction_inputs(&self.plan, body).await.unwrap();
        assert_eq!(answer.refused, []);
        self.read().await;
    }

    async fn actuals(&mut self, actuals: &[(&str, f64)]) {
        let entry = |(id, value): &(&str, f64)| json!({"associationId": id, "actualValue": value});
        let data: Vec<Value> = actuals.iter().map(entry).collect();
        let body = Bytes::from(json!({"data": data}).to_string());
        let answer = self.ingest.actuals(&self.plan, body).await.unwrap();
        assert_eq!(answer.refused, []);
        self.read().await;
    }

    async fn read(&mut self) {
        self.rollups = self.store.rollups("d", 0, i64::MAX / 2).await.unwrap();
    }

    fn parts(&self) -> Vec<Part<'_>> {
        self.rollups
            .iter()
            .map(|(group, hour_us, rollup)| Part { group, hour_us: *hour_us, rollup })
            .collect()
    }
}

/// Midnight of the first day, in microseconds.
fn midnight() -> i64 {
    "2026-11-24T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// A time so many minutes after it, as records have it.
fn at(minute: i64) -> String {
    jiff::Timestamp::from_microsecond(midnight() + minute * 60_000_000).unwrap().to_string()
}

/// From one hour after midnight up to another.
fn hours(from: i64, to: i64) -> Window {
    Window { start: Moment(midnight() + from * HOUR_US), end: Moment(midnight() + to * HOUR_US) }
}

fn near(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() <= 1e-9 * b.abs().max(1e-9))
}

#[test]
fn a_window_has_the_hours_that_it_begins_in_and_not_its_end() {
    let hour = |hour: i64| midnight() + hour * HOUR_US;
    let window = Window { start: Moment(hour(1) + 1), end: Moment(hour(3)) };
    let has: Vec<bool> = (0..4).map(|it| window.has(hour(it))).collect();
    assert_eq!(has, [false, true, true, false]);
    let window = Window { start: Moment(hour(1)), end: Moment(hour(2) + 1) };
    assert!(window.has(hour(2)));
}

#[test]
fn a_moment_that_no_calendar_has_is_its_end() {
    let text = |us| serde_json::to_value(Moment(us)).unwrap();
    assert_eq!(text(0), json!("1970-01-01T00:00:00Z"));
    assert_eq!(text(1), json!("1970-01-01T00:00:00.000001Z"));
    assert!(text(i64::MAX).as_str().unwrap().starts_with("9999-12-30"));
    assert!(text(i64::MIN).as_str().unwrap().starts_with("-009999-01-02"));
}
