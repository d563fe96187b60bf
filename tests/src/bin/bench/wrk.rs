//! The load generator, and what it says.

use std::process::Command;

/// Connections, each with one request under way.
pub(crate) const CONNECTIONS: &str = "32";
const WARM_UP: &str = "1s";
const TIME: &str = "5s";
const THREADS: &str = "1";

/// One run against one server.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Latency, as wrk spells it.
    pub(crate) p50: String,
    /// See `p50`.
    pub(crate) p99: String,
}

/// Asks the server on this port as fast as it answers.
///
/// # Panics
///
/// When wrk is missing or any answer is not a 200.
pub(crate) fn run(port: u16) -> Sample {
    load(port, WARM_UP);
    load(port, TIME)
}

/// The command of a measured run, for the report.
pub(crate) fn command(port: &str) -> Vec<String> {
    let url = format!("http://127.0.0.1:{port}/predict");
    let script = "tests/bench/form.lua";
    let words =
        ["wrk", "-t", THREADS, "-c", CONNECTIONS, "-d", TIME, "--latency", "-s", script, &url];
    words.map(str::to_owned).to_vec()
}

/// The sample with the median rate.
pub(crate) fn median(samples: &[Sample]) -> &Sample {
    let mut sorted: Vec<&Sample> = samples.iter().collect();
    sorted.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    sorted[sorted.len() / 2]
}

/// How many times the rate of `others` the rate of `samples` is: the median of what each round says.
pub(crate) fn ratio(samples: &[Sample], others: &[Sample]) -> f64 {
    let mut ratios: Vec<f64> =
        samples.iter().zip(others).map(|(one, other)| one.rate / other.rate).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn load(port: u16, time: &str) -> Sample {
    let mut words = command(&port.to_string());
    let place = words.iter().position(|word| word == TIME).expect("the command names its time");
    time.clone_into(&mut words[place]);
    let output = Command::new(&words[0]).args(&words[1..]).current_dir(tests::root()).output();
    let output = output.expect("wrk starts (`tests/setup/debian.sh bench` installs it)");
    let text = String::from_utf8_lossy(&output.stdout);
    for fault in ["Non-2xx", "Socket errors"] {
        assert!(!text.contains(fault), "the server failed: {text}");
    }
    let word = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("wrk said no {name}: {text}")).trim().to_owned()
    };
    Sample {
        rate: word("Requests/sec:").parse().expect("a rate is a number"),
        p50: word("50%"),
        p99: word("99%"),
    }
}
