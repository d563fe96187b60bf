//! HTTP: the doors a row comes in by, and what happens to it.
//!
//! # Constraints
//!
//! * A request for predictions is answered with a prediction for every row, or with a reason (RFC 9457) and
//!   none. Nothing is guessed: what a door cannot read exactly is refused.
//! * The same row gives the same batch through every door, bit for bit.
//! * Everything that can grow has a limit with a name ([`GatewaySettings`]).
//! * Every request for predictions leaves a record, whatever came of it; the answer does not wait for it, unless
//!   the deployment asks for that ([`RecordClass`]).
//! * Actuals are answered when they are on the disk: nobody could make them again.
//!
//! # Routes
//!
//! | path | what |
//! |---|---|
//! | `/predict`, `/deployments/{id}/predict` | predictions, by `GET` or `POST` |
//! | `/actuals`, `/deployments/{id}/actuals` | outcomes that became known, by `POST` |
//! | `/healthz`, `/readyz` | the process lives; requests may come |
//! | `/metrics` | counters in the text form of Prometheus |
//! | `/` | what can be called |
//!
//! # Operation
//!
//! A connection is accepted when there is a permit for it. A request is received (`body`), decoded into one typed
//! batch (`door`, `batch`), scored (`scoring`), answered (`answer`) and recorded (`recorder`); `predict` tells the
//! order and what happens where. Small requests do all of it on the connection's own task.
//!
//! # Failure
//!
//! `fault` has what can go wrong, by whose fault; `problem` alone turns that into statuses and texts. A client that
//! vanishes stops nothing that has begun to be scored.

mod actuals;
mod answer;
mod batch;
mod body;
mod clock;
mod connection;
mod deployment;
mod door;
mod fault;
mod file;
pub mod fleet;
mod gateway;
mod metrics;
mod number;
mod pages;
mod predict;
pub mod privacy;
mod problem;
mod receive;
mod recorder;
mod request_id;
mod routes;
mod schema;
mod scoring;
mod server;
pub mod settings;
mod source;
mod state;

pub use file::{FileError, FileRows};
pub use gateway::{Gateway, GatewayError};
pub use metrics::ChannelProbe;
pub use schema::SchemaError;
pub use server::DrainReport;
pub use settings::{
    DeploymentSettings, FleetSettings, GatewaySettings, RecordClass, UnknownNames, WatchSettings,
};

#[cfg(test)]
mod tests;
