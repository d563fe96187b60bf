//! The settings of the server, each with its default and its limit.

use std::path::PathBuf;
use std::time::Duration;

use crate::ingest;
use crate::store::Retention;

/// Where it listens by default: on this machine alone.
pub const LISTEN: &str = "127.0.0.1:8080";
/// The folder of its data by default.
pub const DATA: &str = "mlops";
/// The database in the data folder.
const DATABASE: &str = "mlops.db";

/// The settings of the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens: address and port.
    pub listen: String,
    /// The folder of its tokens, and of its database unless another is named.
    pub data: PathBuf,
    /// `sqlite:<file>` or `postgres://user@host/name`; a file in `data` when it is none.
    pub database: Option<String>,
    /// Bytes of a body, packages and training data excepted.
    pub body_bytes_max: usize,
    /// Bytes of a model package, and of training data.
    pub package_bytes_max: usize,
    /// Bytes of a request's header.
    pub header_bytes_max: usize,
    /// For the header of a request to come; also how long a connection may be idle.
    pub header_time: Duration,
    /// For a request from its header to its answer.
    pub request_time: Duration,
    /// For a client to take the next part of an answer.
    pub write_stall_time: Duration,
    /// Connections at the same time; more wait.
    pub connections: usize,
    /// What is kept how long.
    pub retention: Retention,
    /// How often what is too old is deleted.
    pub retention_interval: Duration,
    /// How records are taken.
    pub ingest: ingest::Settings,
    /// A deployment that records name and nobody made is made when they come.
    pub auto_register: bool,
    /// For open requests to end when the server is told to.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: LISTEN.to_owned(),
            data: DATA.into(),
            database: None,
            body_bytes_max: 64 << 20,
            package_bytes_max: 512 << 20,
            header_bytes_max: 32 << 10,
            header_time: Duration::from_secs(30),
            request_time: Duration::from_secs(300),
            write_stall_time: Duration::from_secs(30),
            connections: 256,
            retention: Retention::default(),
            retention_interval: Duration::from_secs(3600),
            ingest: ingest::Settings::default(),
            auto_register: false,
            grace: Duration::from_secs(20),
        }
    }
}

impl Settings {
    /// The database that is meant.
    pub fn address(&self) -> String {
        let file = || format!("sqlite:{}", self.database_file().display());
        self.database.clone().unwrap_or_else(file)
    }

    /// The file of the database when none is named.
    pub fn database_file(&self) -> PathBuf {
        self.data.join(DATABASE)
    }
}
