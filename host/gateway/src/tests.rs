//! Tests of the whole room over real sockets, with a model and an outbox that do as they are told.

mod actuals;
mod answers;
mod connections;
mod doors;
mod failures;
mod harness;
mod records;
mod refusals;
mod swaps;
