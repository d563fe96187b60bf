//! What the gateway asks of a model, and what of an outbox: two small traits, so that the tests of failures (a model that
//! traps, is late or busy; an outbox that is full or slow) need no broken package and no broken disk.

use std::fmt;

use engine::{Batch, Broke, Decline, ScoreError};
use models::schema::Feature;

use crate::fault::{Declined, Fault};

/// A loaded model.
pub(crate) trait Score: fmt::Debug + Send + Sync {
    fn features(&self) -> &[Feature];
    fn target(&self) -> &str;
    /// The model's name and version.
    fn name(&self) -> &str;
    fn version(&self) -> &str;
    /// Whether it may be called on the thread of a request at all.
    fn is_quick(&self) -> bool;
    /// Gives back the memory of instances that nobody uses; the next call makes new ones.
    fn rest(&self);
    fn digest(&self) -> String;
    /// How many calls it takes at once.
    fn instances(&self) -> usize;
    /// One prediction a row. Blocks for as long as the model takes.
    fn score(&self, rows: u32, numbers: &[f64]) -> Result<Vec<f64>, Fault>;
}

/// A model package in the sandbox.
#[derive(Debug)]
pub(crate) struct Package(pub(crate) engine::Scorer);

impl Score for Package {
    fn features(&self) -> &[Feature] {
        &self.0.manifest().features
    }

    fn target(&self) -> &str {
        &self.0.manifest().target
    }

    fn name(&self) -> &str {
        &self.0.manifest().name
    }

    fn version(&self) -> &str {
        &self.0.manifest().version
    }

    fn is_quick(&self) -> bool {
        // What brings a runtime along may do anything at any time, such as collecting garbage.
        !self.0.imports_wasi()
    }

    fn rest(&self) {
        self.0.release_idle();
    }

    fn digest(&self) -> String {
        self.0.digest().to_string()
    }

    fn instances(&self) -> usize {
        self.0.instances()
    }

    fn score(&self, rows: u32, numbers: &[f64]) -> Result<Vec<f64>, Fault> {
        self.0.score(Batch { rows, numbers }).map_err(|error| match error {
            ScoreError::Declined(Decline { code, message, row, feature }) => {
                Fault::Declined(Declined { code, message, row, feature })
            }
            ScoreError::Broke(Broke::Deadline) => Fault::Overran,
            ScoreError::Broke(broke) => Fault::Broke(Box::new(broke)),
            ScoreError::Busy { .. } => Fault::Busy,
            ScoreError::Host(cause) => Fault::Host(cause),
        })
    }
}
