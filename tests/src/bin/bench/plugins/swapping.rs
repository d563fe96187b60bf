//! Two models swapped every second under load, and bad packages pushed in between. Every answer is held against the model
//! whose digest came with it, and every record against its answer.

use super::GOAL_SWAP;
use crate::weather::Times;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::{End, hostile};
use tests::{Gateway, Known, Serve, Told, Witness, marked_row, spooled, wait_until};

const CLIENTS: usize = 64;
const ROUNDS: usize = 10;
/// Swaps in a round, one a second.
const SWAPS: usize = 6;
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Figures {
    still: Times,
    swapping: Times,
    answers: usize,
    swaps: usize,
    refused: usize,
    taken_back: usize,
}

pub(super) fn measure(models: [&Known; 2]) -> Figures {
    let mut figures = Figures {
        still: Times::default(),
        swapping: Times::default(),
        answers: 0,
        swaps: 0,
        refused: 0,
        taken_back: 0,
    };
    let folder = tempfile::tempdir_in(tests::root().join("target/tmp")).expect("a folder");
    let row = marked_row();
    let traps = bad(folder.path(), "unreachable");
    let imports = bad(folder.path(), "unknown-import");
    for round in 1..=ROUNDS {
        let place = folder.path().join(round.to_string());
        let packages = place.join("models");
        std::fs::create_dir_all(&packages).expect("a folder");
        let file = packages.join("diabetes.wasm");
        put(&models[0].file, &file);
        let spool = place.join("spool");
        let gateway =
            Serve::folder(&packages, &place).to_files(&spool).with(&["--log", "info"]).start();
        // Both are compiled, so that the swaps find machine code, as they do on a gateway that swaps every second.
        swap(&gateway, models[1], &file);
        swap(&gateway, models[0], &file);
        warm_up(&gateway, &row);

        let still = Witness::start(gateway.port(), "/predict", &row, CLIENTS, "still");
        std::thread::sleep(PAUSE * SWAPS as u32);
        let still = still.finish();
        let under = Witness::start(gateway.port(), "/predict", &row, CLIENTS, "swapping");
        for number in 1..=SWAPS {
            std::thread::sleep(PAUSE);
            swap(&gateway, models[number % 2], &file);
            figures.swaps += 1;
        }
        let (under, bad) = if round % 2 == 0 {
            (under.finish(), None)
        } else {
            let swapped = under.finish();
            let bad = Witness::start(gateway.port(), "/predict", &row, CLIENTS, "bad");
            put(&imports, &file);
            wait_until("a refusal", || gateway.log().contains("imports").then_some(()));
            figures.refused += 1;
            put(&traps, &file);
            wait_until("a rollback", || gateway.log().contains("automatic-rollback").then_some(()));
            figures.taken_back += 1;
            swap(&gateway, models[1], &file);
            (swapped, Some(bad.finish()))
        };
        check(&gateway, &spool, models, &[&still, &under], bad.as_ref());
        figures.answers += still.answers.len() + under.answers.len();
        figures.answers += bad.map_or(0, |bad| bad.answers.len());
        figures.still = figures.still.and(still.times.into());
        figures.swapping = figures.swapping.and(under.times.into());
        println!("swaps: round {round}/{ROUNDS}");
        drop(gateway);
        std::fs::remove_dir_all(&place).expect("a folder of ours");
    }
    figures
}

/// A hostile package by its name, as a file.
fn bad(folder: &Path, name: &str) -> PathBuf {
    let found = hostile().into_iter().find(|one| one.name == name);
    let found = found.unwrap_or_else(|| panic!("there is no hostile package {name}"));
    assert!(name == "unknown-import" || matches!(found.end, End::Breaks { .. }));
    let file = folder.join(format!("{name}.wasm"));
    std::fs::write(&file, found.package).expect("a file");
    file
}

fn check(gateway: &Gateway, spool: &Path, models: [&Known; 2], told: &[&Told], bad: Option<&Told>) {
    gateway.wait_for("spool_channel_waiting_records", |waiting| waiting == 0.0);
    let records = spooled(spool);
    let says = models.map(|model| (&*model.digest, model.says));
    for told in told.iter().copied().chain(bad) {
        told.agree(&says, &records);
    }
    let refused = gateway.metric("spool_records_refused_total");
    assert_eq!(refused, 0.0, "the outbox did not keep up");
}

fn warm_up(gateway: &Gateway, row: &str) {
    let warm = Witness::start(gateway.port(), "/predict", row, CLIENTS, "warm");
    warm.wait_for_more(1000);
    assert!(warm.finish().failures.is_empty());
}

fn swap(gateway: &Gateway, model: &Known, file: &Path) {
    put(&model.file, file);
    wait_until("a swap", || gateway.get("/readyz").body.contains(&model.digest).then_some(()));
}

fn put(from: &Path, to: &Path) {
    let half = to.with_extension("half");
    std::fs::copy(from, &half).expect("a copy");
    std::fs::rename(&half, to).expect("a rename");
}

impl Figures {
    pub(super) fn report(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "Two models swapped every second under {CLIENTS} connections, {ROUNDS} interleaved rounds of {SWAPS} s without and {SWAPS} s with swaps:\n"
        )?;
        writeln!(text, "| | p50 | p99 |\n|---|---:|---:|")?;
        for (name, times) in [("no swap", &self.still), ("a swap a second", &self.swapping)] {
            let (p50, p99) = (times.percentile(50), times.percentile(99));
            writeln!(text, "| {name} | {p50:.2?} | {p99:.2?} |")?;
        }
        let p99 = |times: &Times| times.percentile(99).as_secs_f64();
        writeln!(
            text,
            "\np99 with swaps / without: {:.2} (goal: at most {GOAL_SWAP}). {} swaps, {} packages with an unknown import refused, {} packages that trap taken back; {} answers, none failed, each the number of the model that its digest names, each record like its answer.",
            p99(&self.swapping) / p99(&self.still),
            self.swaps,
            self.refused,
            self.taken_back,
            self.answers
        )
    }
}
