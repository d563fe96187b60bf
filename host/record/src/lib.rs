//! The monitoring record of one request, in two forms: the compact form that lies in the outbox
//! ([`Record::encode`]), and the wire form that the public `datarobot-mlops` readers understand ([`wire`]).
//!
//! A record is split into wire messages only when a channel sends it, because each channel has its own limits.
//! The rows of a request, its outcome and its ids stay together until then.

mod codec;
mod digest;
mod model;
pub mod wire;

pub use codec::DecodeError;
pub use digest::{ModelDigest, NoDigest};
pub use model::{
    Actual, ActualValue, ActualsRecord, Column, Outcome, Payload, PredictionRecord, Record, Role,
    Rows, Values,
};
