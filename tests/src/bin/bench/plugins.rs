//! Models that come and go: what a swap costs those who ask, and what many models, a start and a challenger cost.

mod beside;
mod hundred;
mod start;
mod swapping;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tests::{Known, Outpost, README_ROW};

/// Goals of the figures below.
const GOAL_SWAP: f64 = 1.5;
const GOAL_START_MS: f64 = 50.0;
const GOAL_RESIDENT_MIB: f64 = 40.0;
const GOAL_BESIDE: f64 = 1.1;

/// Everything that was measured.
pub(crate) struct Figures {
    swapping: swapping::Figures,
    hundred: hundred::Figures,
    start: start::Figures,
    beside: beside::Figures,
}

pub(crate) fn measure() -> Figures {
    let folder = folder();
    let (ridge, trees) = beside_models(&folder);
    let lines = lines(&folder);
    Figures {
        start: start::measure(&ridge.file),
        swapping: swapping::measure([&lines[0], &lines[1]]),
        beside: beside::measure(&ridge, &trees),
        hundred: hundred::measure(&folder),
    }
}

fn folder() -> PathBuf {
    let folder = tests::root().join("target/tmp/bench-plugins");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The README's model, and a forest.
fn beside_models(folder: &Path) -> (Known, Known) {
    let trees = folder.join("trees.wasm");
    Outpost::train(&trees, "random-forest", &[]);
    let ridge = Known::by(Outpost::ridge().to_owned(), README_ROW);
    (ridge, Known::by(trees, README_ROW))
}

/// Two models of one number, which the hostile packages take as well.
fn lines(folder: &Path) -> [Known; 2] {
    [2, 3].map(|slope| Known::line(folder, slope))
}

/// A part of these, by its name.
pub(crate) fn one(part: &str, text: &mut String) -> std::fmt::Result {
    let folder = folder();
    match part {
        "start" => start::measure(Outpost::ridge()).report(text),
        "swapping" => {
            let [one, other] = lines(&folder);
            swapping::measure([&one, &other]).report(text)
        }
        "beside" => {
            let (champion, challenger) = beside_models(&folder);
            beside::measure(&champion, &challenger).report(text)
        }
        _ => hundred::measure(&folder).report(text),
    }
}

impl Figures {
    pub(crate) fn report(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\n### Plug-ins\n")?;
        self.swapping.report(text)?;
        self.beside.report(text)?;
        self.start.report(text)?;
        self.hundred.report(text)
    }
}
