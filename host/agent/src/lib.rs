//! The monitoring agent: reads the channels, reports to the MLOps server.

pub mod config;
