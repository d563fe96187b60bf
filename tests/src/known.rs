//! Packages whose answers are known, so that a number tells who gave it.

use crate::binary::{Outpost, text};
use crate::fields;
use crate::hostile::MARK;
use std::path::{Path, PathBuf};

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
    /// A line of this slope, trained on an `x` and a `y`: what the hostile packages take and give as well. It is asked for
    /// the row on which they misbehave.
    ///
    /// # Panics
    ///
    /// When it is not trained.
    pub fn line(folder: &Path, slope: u32) -> Self {
        let data = folder.join(format!("line-{slope}.csv"));
        let rows = (0..200).map(|x| format!("{x},{}\n", slope * x + x % 7));
        let csv = rows.fold("x,y\n".to_owned(), |text, row| text + &row);
        std::fs::write(&data, csv).expect("a folder takes a file");
        let file = folder.join(format!("line-{slope}.wasm"));
        // A column that counts the rows has to be called a number.
        let words = ["train", text(&data), "--target", "y", "--numeric", "x", "--model", "linear"];
        Outpost::run(&[&words[..], &["-o", text(&file)]].concat()).succeeded();
        Self::by(file, &marked_row())
    }

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

/// The row on which the hostile packages misbehave.
pub fn marked_row() -> String {
    format!("x={MARK}")
}
