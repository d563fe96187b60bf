//! The engine against packages that are good, broken, hostile or no packages at all.

mod cache;
mod contract;
mod guests;
mod hostile;
mod package;
mod pool;
mod stock;
