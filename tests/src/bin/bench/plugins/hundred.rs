//! A hundred deployments on one gateway, each with a package of its own.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::{Client, Outpost, README_ROW, Serve};

const DEPLOYMENTS: usize = 100;

pub(crate) struct Figures {
    cold: Duration,
    warm: Duration,
    resident_kib: u64,
    first: Vec<Duration>,
    second: Vec<Duration>,
}

pub(super) fn measure(folder: &Path) -> Figures {
    let models = folder.join("hundred");
    std::fs::create_dir_all(&models).expect("a folder");
    for number in 0..DEPLOYMENTS {
        let package = models.join(format!("model-{number:03}.wasm"));
        if !package.exists() {
            Outpost::train(&package, "ridge", &["--model-version", &number.to_string()]);
        }
    }
    let place = tempfile::tempdir_in(tests::root().join("target/tmp")).expect("a folder");
    let start = || {
        let started = Instant::now();
        let gateway = Serve::folder(&models, place.path()).with(&["--log", "warn"]).start();
        (gateway, started.elapsed())
    };
    let (gateway, cold) = start();
    drop(gateway);
    let (gateway, warm) = start();
    let mut client = gateway.client();
    let mut round = || -> Vec<Duration> {
        let mut times: Vec<_> = (0..DEPLOYMENTS).map(|number| ask(&mut client, number)).collect();
        times.sort();
        times
    };
    let (first, second) = (round(), round());
    Figures { cold, warm, resident_kib: gateway.kibibytes("VmRSS"), first, second }
}

fn ask(client: &mut Client, number: usize) -> Duration {
    let started = Instant::now();
    let target = format!("/deployments/model-{number:03}/predict");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = client.send("POST", &target, &form, README_ROW).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    started.elapsed()
}

impl Figures {
    pub(super) fn report(&self, text: &mut String) -> std::fmt::Result {
        let worst = DEPLOYMENTS - 1;
        writeln!(text, "\n{DEPLOYMENTS} deployments with a package each, from a folder:\n")?;
        writeln!(text, "| | measured |\n|---|---:|")?;
        writeln!(text, "| ready, all compiled | {:.1} s |", self.cold.as_secs_f64())?;
        writeln!(text, "| ready, machine code in the cache | {:.2} s |", self.warm.as_secs_f64())?;
        let mib = self.resident_kib as f64 / 1024.0;
        writeln!(text, "| resident after two requests to each | {mib:.0} MiB |")?;
        for (name, times) in [("first", &self.first), ("second", &self.second)] {
            writeln!(
                text,
                "| {name} request to each, median (slowest) | {:.0?} ({:.0?}) |",
                times[DEPLOYMENTS / 2],
                times[worst]
            )?;
        }
        Ok(())
    }
}
