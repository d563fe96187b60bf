//! Packages whose answers are known, so that a number tells who gave it.

use crate::binary::{Outpost, text};
use crate::fields;
use std::path::PathBuf;

/// A package, and what it says to a row.
#[derive(Debug)]
pub struct Known {
    /// The package's file.
    pub file: PathBuf,
    /// Its digest.
    pub digest: String,
    /// Its prediction.
    pub says: f64,
}

impl Known {
    /// Asks a package without a gateway.
    ///
    /// # Panics
    ///
    /// When it does not score the row.
    pub fn by(file: PathBuf, row: &str) -> Self {
        let rows = tempfile::NamedTempFile::new().expect("a temporary file");
        let (names, values): (Vec<_>, Vec<_>) = fields(row).into_iter().unzip();
        let csv = format!("{}\n{}\n", names.join(","), values.join(","));
        std::fs::write(rows.path(), csv).expect("a temporary file takes text");
        let scored = Outpost::run(&["score", text(&file), text(rows.path())]).succeeded().out;
        let says = scored.lines().nth(1).and_then(|line| line.rsplit(',').next()?.parse().ok());
        let told = Outpost::run(&["inspect", text(&file)]).succeeded().out;
        let digest = told.split_whitespace().find(|word| word.starts_with("sha256:"));
        Self {
            digest: digest.expect("a package says its digest").to_owned(),
            says: says.expect("a prediction is a number"),
            file,
        }
    }
}
