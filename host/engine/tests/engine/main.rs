//! The engine against packages that are good, broken, hostile or no packages at all.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

mod cache;
mod check;
mod compile;
mod contract;
mod crowd;
mod guest;
mod guests;
mod hostile;
mod package;
mod pool;
mod released;
mod signature;
mod stock;
mod wasi;
