use std::collections::BTreeMap;

use models::manifest::Distribution;

use super::accuracy::accuracy;
use super::drift::{Column, DriftSettings, LEAST_ROWS, Plan, between, drift};
use super::health::{HealthSettings, LEAST_REQUESTS, health};
use super::*;
use crate::numbers::accuracy::{Actual, Outcome, Target};
use crate::numbers::{Bins, Distance};

const DAY_US: i64 = 24 * HOUR_US;
const ALWAYS: Window = Window { start: Moment(0), end: Moment(i64::MAX) };

struct Owned {
    hour: i64,
    role: Option<&'static str>,
    gateway: &'static str,
    plan: u32,
    health: Health,
    usage: Usage,
    features: Vec<Tally>,
    accuracy: Sums,
}

impl Owned {
    fn new(hour: i64) -> Self {
        Self {
            hour,
            role: None,
            gateway: "g1",
            plan: 1,
            health: Health::default(),
            usage: Usage::default(),
            features: Vec::new(),
            accuracy: Sums::new(&Target::Regression),
        }
    }

    fn requests(mut self, requests: u64, user_errors: u64, system_errors: u64) -> Self {
        self.health.requests = requests;
        self.health.user_errors = user_errors;
        self.health.system_errors = system_errors;
        self.health.load.add(0, requests);
        (0..requests).for_each(|ms| self.health.times.add(ms as f64));
        self.usage.rows = 3 * requests;
        self
    }

    fn tally(mut self, counts: &[u64]) -> Self {
        self.features = vec![Tally(counts.to_vec())];
        self
    }

    fn pair(mut self, prediction: f64, actual: f64) -> Self {
        let outcome = Outcome { prediction: &[prediction], actual: Actual::Number(actual) };
        self.accuracy.add(&outcome);
        self
    }

    fn role(self, role: &'static str) -> Self {
        Self { role: Some(role), ..self }
    }

    fn part(&self) -> Part<'_> {
        Part {
            start_us: self.hour * HOUR_US,
            group: Group {
                model_id: "m",
                model_digest: None,
                role: self.role,
                gateway: Some(self.gateway),
            },
            plan: Some(self.plan),
            health: &self.health,
            usage: &self.usage,
            features: &self.features,
            predicted: self.features.first(),
            accuracy: &self.accuracy,
        }
    }
}

fn parts(owned: &[Owned]) -> Vec<Part<'_>> {
    owned.iter().map(Owned::part).collect()
}

/// Levels a and b, 500 rows of training each.
fn plan() -> Plan {
    let levels = vec![("a".into(), 500), ("b".into(), 500)];
    let distribution = Distribution::Categorical { missing: 0, levels, other: 0 };
    let (bins, baseline) = Bins::of(&distribution, None);
    let column =
        |name: &str| Column { name: name.into(), bins: bins.clone(), baseline: baseline.clone() };
    Plan { number: 1, features: vec![column("f")], predictions: Some(column("y")) }
}

#[test]
fn health_adds_up_and_leaves_challengers_apart() {
    let mut second = Owned::new(5).requests(30, 0, 0);
    second.gateway = "g2";
    let owned = [
        Owned::new(5).requests(70, 1, 2),
        second,
        Owned::new(30).requests(10, 0, 0).role("canary"),
        Owned::new(30).requests(40, 0, 40).role("challenger"),
    ];
    let parts = parts(&owned);
    let report = health(&parts, ALWAYS, DAY_US, &HealthSettings::default());
    let total = &report.total;
    assert_eq!((total.total_requests, total.user_errors, total.system_errors), (110, 1, 2));
    assert_eq!((total.system_error_rate, total.usage.rows), (Some(2.0 / 110.0), 330));
    // Both gateways in the same minute.
    assert_eq!((total.median_load, total.peak_load), (Some(55.0), Some(100)));
    assert_eq!(report.status, Status::Yellow);
    let starts: Vec<_> =
        report.buckets.iter().map(|b| (b.start.0 / DAY_US, b.figures.total_requests)).collect();
    assert_eq!(starts, [(0, 100), (1, 10)]);
    assert_eq!(report.roles["challenger"].system_error_rate, Some(1.0));
    assert_eq!(report.roles["champion"].total_requests, 100);
    assert_eq!(report.groups.len(), 4);

    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["groups"][0]["role"], "champion");
    assert_eq!(json["buckets"][1]["start"], "1970-01-02T00:00:00Z");
    assert_eq!(json["total"]["executionTime"]["requests"], 110);

    let late = Window { start: Moment(6 * HOUR_US), end: Moment(30 * HOUR_US) };
    let report = health(&parts, late, DAY_US, &HealthSettings::default());
    assert_eq!((report.status, report.total.total_requests), (Status::NotEnoughData, 0));
    assert_eq!((report.total.user_error_rate, report.total.peak_load), (None, None));
}

#[test]
fn the_light_of_health_changes_at_its_edges() {
    let light = |requests, user, system| {
        let owned = [Owned::new(0).requests(requests, user, system)];
        health(&parts(&owned), ALWAYS, DAY_US, &HealthSettings::default()).status
    };
    assert_eq!(light(1000, 9, 9), Status::Green);
    assert_eq!(light(1000, 10, 0), Status::Yellow);
    assert_eq!(light(1000, 0, 49), Status::Yellow);
    assert_eq!(light(1000, 0, 50), Status::Red);
    assert_eq!(light(LEAST_REQUESTS - 1, 5, 0), Status::NotEnoughData);
    assert_eq!(light(LEAST_REQUESTS, 5, 0), Status::Red);
}

#[test]
fn drift_is_judged_by_importance_and_only_with_enough_rows() {
    let plan = plan();
    let light = |a: u64, b: u64, importance: f64| {
        let owned = [Owned::new(0).tally(&[a, b, 0, 0, 0])];
        let settings = DriftSettings {
            feature_importance: BTreeMap::from([("f".into(), importance)]),
            ..DriftSettings::default()
        };
        let report = drift(Some(&plan), &parts(&owned), ALWAYS, DAY_US, &settings);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["features"][0]["bins"][0]["level"], "a");
        (report.features[0].status, report.target.unwrap().status, report.status)
    };
    let all = |status| (status, status, status);
    assert_eq!(light(LEAST_ROWS / 2, LEAST_ROWS / 2, 1.0), all(Status::Green));
    assert_eq!(light(LEAST_ROWS, 0, 1.0), all(Status::Red));
    assert_eq!(light(LEAST_ROWS - 1, 0, 1.0), all(Status::NotEnoughData));
    assert_eq!(light(900, 100, 0.5), all(Status::Red));
    assert_eq!(light(900, 100, 0.49), (Status::Yellow, Status::Red, Status::Red));
}

#[test]
fn drift_says_what_it_was_measured_with() {
    let plan = plan();
    let mut other = Owned::new(1).tally(&[9, 9, 9]);
    other.plan = 2;
    let owned = [
        other,
        Owned::new(2).tally(&[100, 100, 0, 0, 0]),
        Owned::new(50).tally(&[0, 200, 0, 0, 0]),
        Owned::new(50).tally(&[900, 0, 0, 0, 0]).role("challenger"),
    ];
    let parts = parts(&owned);
    let settings =
        DriftSettings { metric: Distance::HistogramIntersection, ..DriftSettings::default() };
    let report = drift(Some(&plan), &parts, ALWAYS, DAY_US, &settings);
    assert_eq!((report.since, report.parts_of_other_plans), (Some(Moment(2 * HOUR_US)), 1));
    assert_eq!((report.features[0].rows, report.features[0].drift_score), (400, Some(0.25)));
    let scores: Vec<_> =
        report.buckets.iter().map(|b| (b.status, b.features[0].drift_score)).collect();
    assert_eq!(scores, [(Status::Green, Some(0.0)), (Status::Red, Some(0.5))]);

    let first = Window { start: Moment(0), end: Moment(DAY_US) };
    let later = Window { start: Moment(DAY_US), end: Moment(9 * DAY_US) };
    let apart = between(Some(&plan), &parts, later, first, &settings);
    assert_eq!((apart.features[0].drift_score, apart.features[0].baseline_rows), (Some(0.5), 200));
    let empty = Window { start: Moment(9 * DAY_US), end: Moment(10 * DAY_US) };
    assert_eq!(between(Some(&plan), &parts, later, empty, &settings).status, Status::NotEnoughData);
    assert_eq!(drift(None, &parts, ALWAYS, DAY_US, &settings).status, Status::NoBaseline);
}

#[test]
fn accuracy_stands_beside_what_was_promised() {
    let owned = [
        Owned::new(0).pair(1.0, 2.0).pair(5.0, 2.0),
        Owned::new(30).pair(3.0, 3.0),
        Owned::new(30).pair(100.0, 0.0).role("challenger"),
    ];
    let parts = parts(&owned);
    let promised = BTreeMap::from([("cv_mae".to_owned(), 0.5), ("cv_rmse".to_owned(), 0.0)]);
    let report = accuracy(&Target::Regression, &promised, &parts, ALWAYS, DAY_US);
    let metric = |metrics: &[accuracy::MetricReport<'_>], name| {
        let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
        (metric.value, metric.baseline_value, metric.percent_change)
    };
    assert_eq!(report.rows, 3);
    let (value, baseline, change) = metric(&report.metrics, "MAE");
    assert_eq!((value, baseline), (Some(4.0 / 3.0), Some(0.5)));
    assert!((change.unwrap() - 500.0 / 3.0).abs() < 1e-9);
    // Nothing is a percentage of zero.
    assert_eq!(metric(&report.metrics, "RMSE").2, None);
    assert_eq!(metric(&report.roles["challenger"], "MAE").0, Some(100.0));
    assert_eq!(metric(&report.buckets[1].metrics, "MAE").0, Some(0.0));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["buckets"][1]["metrics"][5]["reason"], "constantActuals");
}
