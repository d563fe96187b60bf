//! The room over a real connection, with a fleet that writes down what it is told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admission;
mod changes;
mod harness;
mod limits;
