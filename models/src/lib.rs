//! What a model is: the schema of its rows, the tables that hold what it learned, and how they score.
//!
//! Without features the crate is `no_std`, and that part is what runs on both sides of the sandbox: the stock
//! guest and the host score with the same code, so a golden row must come out bit for bit equal. With `std`
//! comes the [`manifest`], with `train` the trainer.
//!
//! For the same reason everything beyond `+ - * /` and `sqrt` comes from `libm`, never from the platform, and
//! every sum has one order that does not depend on how many rows are scored at once.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "std")]
pub mod manifest;
pub mod model;
pub mod regressor;
pub mod schema;
mod scorer;
#[cfg(feature = "train")]
pub mod train;

pub use model::{Column, Model, TableError, check_features};
pub use regressor::Regressor;
pub use schema::{Feature, Kind, Missing, Unknown};
pub use scorer::{Decline, Scorer, decline_code};
