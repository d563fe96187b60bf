//! The spooler's part of the bench: the rounds, and the tables of the report.

use crate::appends::{self, BATCHES, REOPENED, Store};
use crate::drain;
use crate::weather::{RATE, Times, Weather};
use std::fmt::Write as _;
use std::time::Duration;
use tests::Kafka;

/// Rounds; odd, so that the median is a measured one.
const ROUNDS: usize = 3;
/// Rounds through all weathers.
const WEATHER_ROUNDS: usize = 10;
const GOAL_APPENDS: f64 = 100_000.0;
const GOAL_DRAIN: f64 = 0.8;
const GOAL_REOPENING: Duration = Duration::from_millis(200);
const GOAL_WEATHER: f64 = 1.1;

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Records a second, by store, batch and round.
    appends: Vec<Vec<Vec<f64>>>,
    reopening: Duration,
    drains: Vec<drain::Sample>,
    /// By weather, all rounds together.
    weather: Vec<Times>,
}

/// Measures the spooler, on a broker of its own.
pub(crate) fn measure() -> Figures {
    let mut appends = vec![vec![Vec::new(); BATCHES.len()]; Store::ALL.len()];
    for round in 1..=ROUNDS {
        for (place, batch) in BATCHES.into_iter().enumerate() {
            for (store, rates) in Store::ALL.into_iter().zip(&mut appends) {
                let rate = store.rate(batch);
                println!(
                    "round {round}/{ROUNDS}: batches of {batch}: {}: {rate:.0} records/s",
                    store.name()
                );
                rates[place].push(rate);
            }
        }
    }
    let reopening = appends::reopening();
    println!("{REOPENED} records opened again in {reopening:.1?}");

    let mut kafka = Kafka::reserved().expect("Apache Kafka is set up (`make bench` does it)");
    kafka.start();
    let drains = (1..=ROUNDS)
        .map(|round| {
            let sample = drain::measure(&kafka, round);
            println!("round {round}/{ROUNDS}: drain: {sample:.0?}");
            sample
        })
        .collect();
    kafka.create_topic("weather");
    let mut weather = vec![Times::default(); Weather::ALL.len()];
    for round in 1..=WEATHER_ROUNDS {
        for (kind, times) in Weather::ALL.into_iter().zip(&mut weather) {
            let run = kind.measure(&mut kafka, "weather");
            let p99 = run.percentile(99);
            println!("round {round}/{WEATHER_ROUNDS}: {}: p99 {p99:.0?}", kind.name());
            *times = std::mem::take(times).and(run);
        }
    }
    Figures { appends, reopening, drains, weather }
}

impl Figures {
    /// Adds the tables to the report.
    pub(crate) fn report(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n### Records made durable\n\nRecords of 1 KiB a second, each batch on the disk before the next begins; one \
             thread, medians of {ROUNDS} interleaved rounds.\n"
        )?;
        let batches = BATCHES.map(|batch| format!("batches of {batch}"));
        writeln!(text, "| | {} |\n|---|---:|---:|---:|", batches.join(" | "))?;
        for (store, rates) in Store::ALL.into_iter().zip(&self.appends) {
            let cells = rates.iter().map(|rates| format!("{:.0}", median(rates.clone())));
            writeln!(text, "| {} | {} |", store.name(), cells.collect::<Vec<_>>().join(" | "))?;
        }
        let ratio = |other: usize| {
            (0..BATCHES.len())
                .map(|batch| {
                    let rounds = self.appends[0][batch].iter().zip(&self.appends[other][batch]);
                    format!("{:.2}", median(rounds.map(|(one, other)| one / other).collect()))
                })
                .collect::<Vec<_>>()
                .join(" | ")
        };
        writeln!(text, "| outbox / fjall | {} |", ratio(1))?;
        writeln!(text, "| outbox / bare file | {} |", ratio(2))?;
        writeln!(
            text,
            "\nGoal: at least {GOAL_APPENDS:.0} a second in batches of 1024. An outbox of {REOPENED} records, killed and \
             cold, is open again in {:.1?} (goal: less than {GOAL_REOPENING:?}).",
            self.reopening
        )?;

        writeln!(
            text,
            "\n### Draining to Kafka\n\n{} records of one row, two messages each, to a real broker on this machine.\n",
            drain::RECORDS
        )?;
        let of = |pick: fn(&drain::Sample) -> f64| median(self.drains.iter().map(pick).collect());
        writeln!(text, "| | messages/s |\n|---|---:|")?;
        writeln!(
            text,
            "| channel: disk, decode, render, send, cursor | {:.0} |",
            of(|it| it.channel)
        )?;
        writeln!(text, "| plain loop: the same messages from memory | {:.0} |", of(|it| it.plain))?;
        writeln!(
            text,
            "| ratio, median of the rounds (goal: at least {GOAL_DRAIN}) | {:.2} |",
            of(|it| it.channel / it.plain)
        )?;

        writeln!(
            text,
            "\n### Answers, whatever the weather\n\nOne client, {RATE} predictions a second on one connection, records to \
             Kafka; the time counts from the moment at which a question was due; {WEATHER_ROUNDS} rounds together.\n"
        )?;
        writeln!(text, "| | p50 | p99 | p99 / broker up |\n|---|---:|---:|---:|")?;
        let up = self.weather[0].percentile(99);
        for (kind, times) in Weather::ALL.into_iter().zip(&self.weather) {
            let (p50, p99) = (times.percentile(50), times.percentile(99));
            let ratio = p99.as_secs_f64() / up.as_secs_f64();
            writeln!(text, "| {} | {p50:.0?} | {p99:.0?} | {ratio:.2} |", kind.name())?;
        }
        writeln!(text, "\nGoal: with the broker down at most {GOAL_WEATHER} of the p99 with it up.")
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
