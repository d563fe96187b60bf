//! Any order of records, repeats, actuals and restarts comes to what a list of all of them comes to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::numbers::accuracy::{Actual, Outcome, Sums};

/// Of the rows that met their actual.
pub(super) fn mean_absolute_error(rollup: &Rollup) -> Option<f64> {
    metric(&rollup.accuracy, "MAE")
}

fn metric(sums: &Sums, name: &str) -> Option<f64> {
    sums.report().into_iter().find(|metric| metric.name == name)?.value
}

/// A record: its id, its hour, and rows of association id and prediction.
type Record = (u8, u8, Vec<(u8, u8)>);

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Records(Vec<Record>),
    /// Actuals: record, association id, value, time.
    Actuals(Vec<(u8, u8, u8, u8)>),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let record = (0..60_u8, 0..4_u8, vec((0..40_u8, 0..100_u8), 1..5));
    let actual = (0..20_u8, 0..40_u8, 0..100_u8, 0..6_u8);
    let step = prop_oneof![
        6 => vec(record, 1..6).prop_map(Step::Records),
        4 => vec(actual, 1..8).prop_map(Step::Actuals),
        1 => Just(Step::Restart),
    ];
    vec(step, 1..30)
}

/// What happened, in plain lists.
#[derive(Default)]
struct Naive {
    records: BTreeSet<u8>,
    /// Hour, association id, prediction.
    rows: Vec<(u8, u8, f64)>,
    outcomes: BTreeSet<(u8, u8)>,
    /// By association id: time, value.
    actuals: HashMap<u8, (u8, f64)>,
}

impl Naive {
    fn take(&mut self, step: &Step) -> usize {
        let mut duplicates = 0;
        match step {
            Step::Records(records) => {
                for (id, hour, rows) in records {
                    if !self.records.insert(*id) {
                        duplicates += 1;
                        continue;
                    }
                    self.rows.extend(
                        rows.iter().map(|(key, value)| (*hour, *key, f64::from(*value) / 10.0)),
                    );
                }
            }
            Step::Actuals(actuals) => {
                for (id, key, value, time) in actuals {
                    if !self.outcomes.insert((*id, *key)) {
                        duplicates += 1;
                        continue;
                    }
                    let known = self.actuals.entry(*key).or_insert((0, f64::NAN));
                    if *time >= known.0 {
                        *known = (*time, f64::from(*value) / 10.0);
                    }
                }
            }
            Step::Restart => {}
        }
        duplicates
    }

    /// Rows, their sum and their errors, by hour.
    fn hours(&self) -> BTreeMap<u8, (u64, f64, Sums)> {
        let mut hours = BTreeMap::new();
        for (hour, key, value) in &self.rows {
            let empty = || (0, 0.0, Sums::new(&Target::Regression));
            let (rows, sum, sums) = hours.entry(*hour).or_insert_with(empty);
            *rows += 1;
            *sum += value;
            if let Some((_, actual)) = self.actuals.get(key) {
                sums.add(&Outcome { prediction: &[*value], actual: Actual::Number(*actual) });
            }
        }
        hours
    }
}

async fn happens(world: &mut World, step: &Step) -> usize {
    match step {
        Step::Records(records) => {
            let entry = |(id, hour, rows): &Record| {
                let keys: Vec<String> = rows.iter().map(|(key, _)| format!("\"{key}\"")).collect();
                let values: Vec<String> =
                    rows.iter().map(|(_, value)| (f64::from(*value) / 10.0).to_string()).collect();
                let (keys, values) = (keys.join(","), values.join(","));
                format!(
                    "{{\"recordId\":\"{id}\",\"timestamp\":\"{}\",\"modelId\":\"m\",\"features\":[{{\"name\":\"age\",\"values\":[{values}]}}],\
                     \"predictions\":[{values}],\"associationIds\":[{keys}]}}",
                    at(i64::from(*hour))
                )
            };
            world.inputs(&records.iter().map(entry).collect::<Vec<_>>()).await.duplicates
        }
        Step::Actuals(actuals) => {
            let entry = |(id, key, value, time): &(u8, u8, u8, u8)| {
                let time = format!("2026-11-24T0{time}:00:00Z");
                actual(&id.to_string(), &key.to_string(), f64::from(*value) / 10.0, &time)
            };
            world.actuals(&actuals.iter().map(entry).collect::<Vec<_>>()).await.duplicates
        }
        Step::Restart => {
            world.restart().await;
            0
        }
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

fn compare(database: fn() -> Option<Database>, cases: u32) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&steps(), |steps| {
        let Some(database) = database() else { return Ok(()) };
        runtime.block_on(async {
            let mut world = World::new(database).await;
            let mut naive = Naive::default();
            for step in &steps {
                let duplicates = happens(&mut world, step).await;
                prop_assert_eq!(duplicates, naive.take(step));
            }
            let mut found = BTreeMap::new();
            let start: jiff::Timestamp = at(0).parse().unwrap();
            for (_, hour, rollup) in world.rollups().await {
                let hour = (hour - start.as_microsecond()).div_euclid(crate::rollup::HOUR_US) + 1;
                found.insert(hour as u8, rollup);
            }
            let wanted = naive.hours();
            prop_assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
            for (hour, (rows, sum, sums)) in wanted {
                let rollup = &found[&hour];
                prop_assert_eq!(rollup.rows, rows);
                prop_assert_eq!(rollup.features[0].0.iter().sum::<u64>(), rows);
                prop_assert!(near(rollup.prediction_sum.value(), sum));
                prop_assert_eq!(rollup.accuracy.rows(), sums.rows());
                for name in ["MAE", "RMSE", "R Squared", "Poisson Deviance"] {
                    let (ours, theirs) = (metric(&rollup.accuracy, name), metric(&sums, name));
                    prop_assert!(
                        ours.zip(theirs).map_or(ours == theirs, |(a, b)| near(a, b)),
                        "{} of hour {}: {:?} and not {:?}",
                        name,
                        hour,
                        ours,
                        theirs
                    );
                }
            }
            world.ingest.close().await;
            world.store.pool().close().await;
            Ok(())
        })
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn sqlite_comes_to_what_the_list_does() {
    compare(|| Some(Database::sqlite()), 64);
}

#[test]
fn postgres_comes_to_what_the_list_does() {
    compare(Database::postgres, 12);
}
