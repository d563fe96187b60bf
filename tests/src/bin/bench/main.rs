//! `make bench`: what a prediction costs, as ratios taken side by side in one run.
//!
//! Over HTTP, the same load generator asks the same question of: the gateway with records to the outbox, the same
//! with the records also drained to files, a bare hyper server that parses the same form and answers a constant
//! (`host/gateway/examples/bare.rs`), and the Flask service that a user would otherwise write
//! (`tests/bench/flask_app.py`). One contender runs at a time; rounds are interleaved, so that a machine that slows
//! down slows all of them; a ratio is the median of the rounds' own ratios. Inside the process, the sandbox is compared with the same tables run
//! natively. Of the spooler: records made durable, beside a key-value store and the bare device; an outbox drained to a
//! real Kafka, beside a plain loop around the same client; and answers while the broker is up, down or frozen. Of monitoring: records from a real Kafka into stored statistics, and the server's store as
//! it fills.
//!
//! The figures replace the part between the markers of `docs/PERFORMANCE.md`.

mod appends;
mod contenders;
mod drain;
mod inside;
mod machine;
mod monitoring;
mod plugins;
mod report;
mod spooler;
mod weather;
mod wrk;

use contenders::Contender;

/// Rounds; odd, so that the median is a measured one.
const ROUNDS: usize = 5;

fn main() {
    let Some(part) = std::env::args().nth(1) else { return all() };
    // While one works on a part, the part is enough: it is printed, and the file stays.
    let mut text = String::new();
    let told = match &*part {
        "http" => report::over_http(&mut text, &over_http()),
        "plugins" => plugins::measure().report(&mut text),
        "spooler" => spooler::measure().report(&mut text),
        "monitoring" => monitoring::measure().report(&mut text),
        "through" => {
            let (singles, rows) = monitoring::through();
            monitoring::through_report(&mut text, &singles, &rows)
        }
        "start" | "swapping" | "beside" | "hundred" => plugins::one(&part, &mut text),
        part => panic!(
            "there is no part {part}; there are http, plugins (start, swapping, beside, hundred), spooler and monitoring (through)"
        ),
    };
    told.expect("a string takes everything");
    println!("{text}");
}

fn over_http() -> Vec<Vec<wrk::Sample>> {
    let mut samples: Vec<Vec<wrk::Sample>> = vec![Vec::new(); Contender::ALL.len()];
    for round in 1..=ROUNDS {
        for (contender, samples) in Contender::ALL.iter().zip(&mut samples) {
            let sample = contender.measure();
            println!("round {round}/{ROUNDS}: {}: {:.0} requests/s", contender.name(), sample.rate);
            samples.push(sample);
        }
    }
    samples
}

fn all() {
    let samples = over_http();
    let inside: Vec<_> = inside::MODELS.iter().map(inside::measure).collect();
    let plugins = plugins::measure();
    let spooler = spooler::measure();
    let monitoring = monitoring::measure();
    let mut text = report::text(&samples, &inside, &plugins, &spooler);
    monitoring.report(&mut text).expect("a string takes everything");
    println!("\n{text}");
    report::write(&text);
}
