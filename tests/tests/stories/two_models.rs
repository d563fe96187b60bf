//! Two models of the diabetes data that give different numbers for the same row, so that a number tells who gave it.

use std::path::PathBuf;
use std::sync::OnceLock;
use tests::{Outpost, README_ROW, fields};

/// A package, and what it says to the README's row.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) file: PathBuf,
    pub(super) digest: String,
    pub(super) says: f64,
}

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) ridge: Known,
    pub(super) linear: Known,
}

/// The two, made once for each test process.
pub(super) fn pair() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(|| {
        let linear = tests::root().join("target/tmp/linear.wasm");
        let ridge = known(Outpost::ridge().to_owned());
        Outpost::train(&linear, "linear", &[]);
        let linear = known(linear);
        assert_ne!(ridge.says, linear.says);
        Pair { ridge, linear }
    })
}

/// Asks a package directly.
pub(super) fn known(file: PathBuf) -> Known {
    known_by(file, README_ROW)
}

/// The same, by what it says to another row.
pub(super) fn known_by(file: PathBuf, row: &str) -> Known {
    let rows = tempfile::NamedTempFile::new().unwrap();
    let (names, values): (Vec<_>, Vec<_>) = fields(row).into_iter().unzip();
    std::fs::write(rows.path(), format!("{}\n{}\n", names.join(","), values.join(","))).unwrap();
    let package = file.to_str().unwrap();
    let scored = Outpost::run(&["score", package, rows.path().to_str().unwrap()]).succeeded().out;
    let says = scored.lines().nth(1).unwrap().rsplit(',').next().unwrap().parse().unwrap();
    let told = Outpost::run(&["inspect", package]).succeeded().out;
    let digest = told.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap();
    Known { digest: digest.to_owned(), file, says }
}
