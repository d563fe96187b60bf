//! The language in which the stories are told: the real binary, a real broker, and a client of raw bytes.
//!
//! - [`Outpost`] runs the command line to its end; [`Gateway`] runs `outpost serve` and ends with its handle.
//! - [`Kafka`] is one Apache Kafka node on free ports that can be stopped, frozen, killed and started again.
//! - [`RabbitMq`] is one RabbitMQ node, likewise, with TLS when a story wants it.
//! - [`Operated`] is a gateway with operators, whose commands are the real ones.
//! - [`Client`] speaks HTTP/1.1 over a plain socket, so that a story can send what no library would.
//! - [`Disk`] is a small file system that can be filled, fail, or lose its power; [`Tamper`] makes single system calls of
//!   a gateway fail; a [`Ledger`] says what a fault cost.
//! - [`Mlops`] is our MLOps server, [`Monitor`] our monitoring agent, each a [`Daemon`].
//! - [`Agent`] is the public monitoring agent, and [`Server`] what it posts to.
//! - [`hostile()`] are packages that mean harm.
//! - [`spooled`] and [`Kafka::records`] read monitoring records back; [`python`] lets the public library read them.
//!
//! Nothing here sleeps for a time and hopes: [`wait_until`] asks again until a deadline. A part that set-up could
//! not bring makes a story say so and return; with `CI=true` it makes it fail ([`parts`]).

mod agent;
mod binary;
mod certificates;
mod client;
mod daemon;
mod disk;
mod document;
mod gateway;
mod hostile;
mod kafka;
mod known;
mod leash;
mod ledger;
mod load;
mod memory;
mod monitor;
mod monitored;
mod network;
mod operated;
pub mod parts;
mod patience;
mod postgres;
pub mod python;
mod rabbitmq;
mod records;
mod server;
mod tamper;
mod witness;

pub use agent::{Agent, AgentChannel};
pub use binary::{Outpost, Run};
pub use certificates::{Authority, Identity};
pub use client::{Answer, Client};
pub use daemon::Daemon;
pub use disk::Disk;
pub use document::document;
pub use gateway::{Gateway, Serve};
pub use hostile::{End, Hostile, MARK, functions, hostile};
pub use kafka::{Doors, Kafka, Message, PASSWORD, USER};
pub use known::{Known, marked_row};
pub use ledger::{Counts, ELSEWHERE, Ledger, NUMBERS};
pub use load::{Answers, Load};
pub use memory::MemoryCap;
pub use monitor::Monitor;
pub use monitored::Mlops;
pub use network::Cable;
pub use operated::{Operated, SCOPES, token};
pub use patience::{PATIENCE, wait_until};
pub use postgres::Postgres;
pub use rabbitmq::{Queued, RabbitMq, Tls};
pub use records::{Envelope, spool_files, spooled};
pub use server::{Call, Server};
pub use tamper::{Tamper, WRITER};
pub use witness::{Told, Witness};

use std::path::{Path, PathBuf};

/// The form body of the README, whose prediction is documented there.
pub const README_ROW: &str = "age=30&sex=1&bmi=23&bp=100&s1=157&s2=70&s3=40&s4=4&s5=3&s6=88";

/// The names and values of a form body.
pub fn fields(form: &str) -> Vec<(&str, &str)> {
    form.split('&')
        .map(|field| field.split_once('=').expect("a form body of names and values"))
        .collect()
}

/// The top of the work tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the work tree")
        .to_owned()
}

/// The diabetes data that the README trains on.
pub fn diabetes() -> PathBuf {
    root().join("models/diabetes/diabetes.csv")
}
