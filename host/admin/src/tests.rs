//! The room over a real connection, with a fleet that writes down what it is told.

mod admission;
mod changes;
mod harness;
mod limits;
