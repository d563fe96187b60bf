//! What a challenger costs the champion's callers, what a hostile package beside a good one costs its callers, and what a
//! fresh instance for each request costs.

use super::GOAL_BESIDE;
use crate::weather::{Times, steady};
use crate::wrk;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::{Known, MARK, Outpost, Serve, hostile};

const ROUNDS: usize = 8;
const TIME: Duration = Duration::from_secs(4);

pub(crate) struct Figures {
    alone: Times,
    challenged: Times,
    healthy: Times,
    threatened: Times,
    compared: f64,
    shed: f64,
    warm: wrk::Sample,
    fresh: wrk::Sample,
}

pub(super) fn measure(champion: &Known, challenger: &Known) -> Figures {
    let (mut alone, mut challenged) = (Times::default(), Times::default());
    let (mut compared, mut shed) = (0.0, 0.0);
    let folder = tempfile::tempdir_in(tests::root().join("target/tmp")).expect("a folder");
    let socket = folder.path().join("admin.sock");
    let models = folder.path().join("models");
    std::fs::create_dir(&models).expect("a folder");
    std::fs::copy(&champion.file, models.join("diabetes.wasm")).expect("a copy");
    let settings = format!("[admin]\nlisten = \"unix:{}\"\n", socket.display());
    let gateway =
        Serve::folder(&models, folder.path()).settings(&settings).with(&["--log", "warn"]).start();
    let operate = |arguments: &[&str]| {
        let admin = format!("unix:{}", socket.display());
        Outpost::run(&[arguments, &["--admin", &admin]].concat()).succeeded();
    };
    let file = challenger.file.to_str().expect("paths are UTF-8");
    for round in 1..=ROUNDS {
        alone = alone.and(steady(&gateway, TIME));
        operate(&["challenger", "add", "diabetes", file, "--name", "trees"]);
        challenged = challenged.and(steady(&gateway, TIME));
        compared += gateway.metric("gateway_compared_rows_total");
        shed += gateway.metric("gateway_challenger_shed_total");
        operate(&["challenger", "remove", "diabetes", "trees"]);
        println!("challenger: round {round}/{ROUNDS}");
    }
    drop(gateway);
    let (healthy, threatened) = beside_a_hostile_one(champion);
    let rate = |mode: &str| {
        let home = tempfile::tempdir_in(tests::root().join("target/tmp")).expect("a folder");
        let serve = Serve::package(&champion.file, &home.path().join("outbox"));
        let serve = serve.settings(&format!("[engine]\nmode = \"{mode}\"\n"));
        wrk::run(serve.with(&["--log", "warn"]).start().port())
    };
    let (warm, fresh) = (rate("warm"), rate("fresh"));
    Figures { alone, challenged, healthy, threatened, compared, shed, warm, fresh }
}

/// The good model's answers without and with a client that asks a package for rows on which it never ends.
fn beside_a_hostile_one(good: &Known) -> (Times, Times) {
    let folder = tempfile::tempdir_in(tests::root().join("target/tmp")).expect("a folder");
    let found = hostile().into_iter().find(|one| one.name == "endless-loop");
    let bad = folder.path().join("bad.wasm");
    std::fs::write(&bad, found.expect("a hostile package").package).expect("a file");
    let toml = format!(
        "[[deployments]]\nid = \"good\"\nmodel = {:?}\n[[deployments]]\nid = \"bad\"\nmodel = {bad:?}\n",
        good.file
    );
    let serve = Serve::settled(&toml, &folder.path().join("outbox")).with(&["--log", "error"]);
    let gateway = serve.start();
    let (mut healthy, mut threatened) = (Times::default(), Times::default());
    for round in 1..=ROUNDS {
        healthy = healthy.and(steady(&gateway, TIME));
        let target = format!("/deployments/bad/predict?x={MARK}");
        let enough = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let answer = gateway.client().send("GET", &target, &[], "").expect("an answer");
                    assert_eq!(answer.status, 504, "{}", answer.body);
                }
            });
            threatened = std::mem::take(&mut threatened).and(steady(&gateway, TIME));
            enough.store(true, Ordering::Relaxed);
        });
        println!("hostile: round {round}/{ROUNDS}");
    }
    (healthy, threatened)
}

impl Figures {
    pub(super) fn report(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\nA random forest as challenger of a ridge; {} questions a second, {ROUNDS} interleaved rounds of {TIME:?}:\n",
            crate::weather::RATE
        )?;
        writeln!(text, "| | p50 | p99 |\n|---|---:|---:|")?;
        for (name, times) in [("alone", &self.alone), ("with a challenger", &self.challenged)] {
            let (p50, p99) = (times.percentile(50), times.percentile(99));
            writeln!(text, "| {name} | {p50:.0?} | {p99:.0?} |")?;
        }
        for (name, times) in [
            ("another deployment, quiet", &self.healthy),
            ("another deployment, which loops without end", &self.threatened),
        ] {
            let (p50, p99) = (times.percentile(50), times.percentile(99));
            writeln!(text, "| {name} | {p50:.0?} | {p99:.0?} |")?;
        }
        let p99 = |times: &Times| times.percentile(99).as_secs_f64();
        writeln!(
            text,
            "\nThe champion's p99 with a challenger / alone: {:.2} (goal: at most {GOAL_BESIDE}). The challenger scored {:.0} rows and shed {:.0}.",
            p99(&self.challenged) / p99(&self.alone),
            self.compared,
            self.shed
        )?;
        writeln!(
            text,
            "\np99 beside a deployment that loops without end / beside a quiet one: {:.2}. The loop takes one of the two processors.",
            p99(&self.threatened) / p99(&self.healthy)
        )?;
        writeln!(
            text,
            "\nA fresh instance for each request: {:.0} requests/s, {:.2} of the {:.0} with warm ones.",
            self.fresh.rate,
            self.fresh.rate / self.warm.rate,
            self.warm.rate
        )
    }
}
