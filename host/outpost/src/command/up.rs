//! wip
mod day;
