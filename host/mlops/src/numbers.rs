//! The numbers that statistics are made of. Everything here is pure: no clock, no file, no lock.
//!
//! Each of these is what a group came to in an hour, and adds up: hours to a day, gateways to a deployment, in any order
//! and with the same result. None of them keeps rows.

pub mod accuracy;
pub mod bins;
pub mod counts;
pub mod distance;
pub mod double;
pub mod load;
pub mod sum;
pub mod times;

pub use bins::{Bins, Tally};
pub use counts::{Health, Usage};
pub use distance::Distance;
pub use load::Load;
pub use sum::Sum;
pub use times::Times;
