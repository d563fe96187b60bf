//! `make bench`: what a prediction costs, as ratios taken side by side in one run.
//!
//! Over HTTP, the same load generator asks the same question of: the gateway with records to the outbox, the same
//! with the records also drained to files, a bare hyper server that parses the same form and answers a constant
//! (`host/gateway/examples/bare.rs`), and the Flask service that a user would otherwise write
//! (`tests/bench/flask_app.py`). One contender runs at a time; rounds are interleaved, so that a machine that slows
//! down slows all of them; a ratio is the median of the rounds' own ratios. Inside the process, the sandbox is compared with the same tables run
//! natively.
//!
//! The figures replace the part between the markers of `docs/PERFORMANCE.md`.

mod contenders;
mod inside;
mod machine;
mod report;
mod wrk;

use contenders::Contender;

/// Rounds; odd, so that the median is a measured one.
const ROUNDS: usize = 5;

fn main() {
    let mut samples: Vec<Vec<wrk::Sample>> = vec![Vec::new(); Contender::ALL.len()];
    for round in 1..=ROUNDS {
        for (contender, samples) in Contender::ALL.iter().zip(&mut samples) {
            let sample = contender.measure();
            println!("round {round}/{ROUNDS}: {}: {:.0} requests/s", contender.name(), sample.rate);
            samples.push(sample);
        }
    }
    let inside: Vec<_> = inside::MODELS.iter().map(inside::measure).collect();
    let text = report::text(&samples, &inside);
    println!("\n{text}");
    report::write(&text);
}
