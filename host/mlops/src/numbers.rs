//! The pure statistics of the server: no I/O, no clock, no text of an answer.
//!
//! Everything that lies in a rollup starts empty (`Default` or `new`), takes rows, and merges: merging is associative and
//! commutative, so that hours, gateways and packages can be put together in any order. Accuracy also takes rows
//! back, because a later actual replaces an earlier one.
//!
//! What cannot be computed is a value of its own with a reason, never NaN and never a panic.

pub mod accuracy;
mod bins;
mod distance;
mod health;
mod load;
mod logarithm;
mod sketch;
mod sum;
mod times;

pub use bins::{Bins, Tally};
pub use distance::{
    DEFAULT_DRIFT_THRESHOLD, DEFAULT_MINIMUM_ROWS, Distance, Drift, SHARE_FLOOR, Verdict,
};
pub use health::{Health, Usage};
pub use load::{Load, Loads, MINUTES};
pub use sketch::{ACCURACY, Sketch};
pub use sum::Sum;
pub use times::Times;
