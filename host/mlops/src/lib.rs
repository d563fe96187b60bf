//! The MLOps server: a registry of model packages, deployments and prediction environments; ingest of what monitoring
//! agents report; service health, drift and accuracy.

pub mod api;
pub mod ingest;
mod metrics;
mod monitoring_job;
pub mod numbers;
pub mod registry;
pub mod report;
pub mod rollup;
pub mod server;
pub mod settings;
pub mod store;
#[cfg(test)]
mod testing;
pub mod tokens;
