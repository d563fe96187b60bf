//! Progress on standard error: a bar where a person watches, a line a step where nobody does.

use indicatif::{ProgressBar, ProgressStyle};
use models::train::Progress;
use std::time::Duration;

/// A bar redraws this often while a step takes long, so that it is seen to live.
const REDRAW: Duration = Duration::from_millis(120);
/// What is smaller is no package but a few words of JSON.
const PACKAGE_BYTES_MIN: u64 = 4096;

/// The progress of a training run.
pub(crate) struct Training {
    bar: ProgressBar,
    fold: String,
}

impl Training {
    /// A bar for `algorithms` algorithms, or a quiet one where standard error is no terminal.
    pub(crate) fn start(algorithms: usize) -> Self {
        let style = ProgressStyle::with_template("{bar:24} {elapsed} {msg}")
            .unwrap_or_else(|_bad_template| ProgressStyle::default_bar());
        let bar = ProgressBar::new(algorithms as u64 + 1).with_style(style);
        bar.enable_steady_tick(REDRAW);
        Self { bar, fold: String::new() }
    }

    /// Shows a step.
    pub(crate) fn show(&mut self, step: Progress) {
        match step {
            Progress::Started { algorithm, folds } => {
                self.fold = format!("{algorithm}, fold 1 of {folds}");
            }
            Progress::Fold { algorithm, fold, folds, .. } if fold < folds => {
                self.fold = format!("{algorithm}, fold {} of {folds}", fold + 1);
            }
            Progress::Fold { .. } => {}
            Progress::Finished { .. } => self.bar.inc(1),
            Progress::Fitting { algorithm } => self.fold = format!("{algorithm}, all rows"),
            Progress::Weighing => "how much each feature matters".clone_into(&mut self.fold),
            Progress::Checking => "tables against the learner".clone_into(&mut self.fold),
        }
        self.bar.set_message(self.fold.clone());
        if self.bar.is_hidden()
            && matches!(step, Progress::Started { .. } | Progress::Fitting { .. })
        {
            eprintln!("training {}", self.fold);
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of scoring a file.
pub(crate) struct Scoring(ProgressBar);

impl Scoring {
    /// A bar over the bytes of the file, or a spinner when the size is not known.
    pub(crate) fn start(bytes: Option<u64>) -> Self {
        let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = if bytes.is_some() {
            "{bar:24} {percent}% {msg}, {eta} left"
        } else {
            "{spinner} {elapsed} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(REDRAW);
        Self(bar)
    }

    /// Shows how far it is.
    pub(crate) fn show(&self, bytes: u64, rows: u64) {
        self.0.set_position(bytes);
        self.0.set_message(format!("{rows} rows"));
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// The progress of checking a log.
pub(crate) struct Checking(ProgressBar);

impl Checking {
    /// A bar that shows itself once there is something to wait for.
    pub(crate) fn start() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent}% checked, {eta} left") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Shows how far it is.
    pub(crate) fn show(&self, bytes: u64, of: u64) {
        self.0.set_length(of);
        self.0.set_position(bytes);
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// The progress of a package on its way into a gateway.
#[derive(Clone)]
pub(crate) struct Sending {
    bar: ProgressBar,
    bytes: u64,
}

impl Sending {
    /// A bar for the bytes of a package, which shows itself once there is something to wait for.
    pub(crate) fn start(bytes: u64) -> Self {
        let bar = ProgressBar::new(bytes);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent}% sent, {eta} left") {
            bar.set_style(style);
        }
        Self { bar, bytes }
    }

    /// Shows how much is left, and what the gateway does when nothing is.
    pub(crate) fn show(&self, left: u64) {
        self.bar.set_position(self.bytes - left);
        if left == 0 && self.bytes > PACKAGE_BYTES_MIN {
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
                self.bar.set_style(style);
            }
            self.bar.set_message("the gateway compiles it and checks its golden rows…");
            self.bar.enable_steady_tick(REDRAW);
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
