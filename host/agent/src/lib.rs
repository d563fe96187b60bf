//! The monitoring agent: reads the channels, reports to the MLOps server.
//!
//! # Operation
//!
//! ```text
//! channel ─► reader: carry ─► lane of (deployment, type, flags) ─► poster: call ─► server
//!              ▲                └─► disk, when the server holds this lane up         │
//!              └──────────────── acknowledge ◄───── done: taken, or a dead letter ◄──┘
//! ```
//!
//! One thread reads each channel ([`config::ChannelConfig`]); as many posters as `httpConcurrentRequest` make calls. What is
//! acknowledged to a channel, the server has taken, or it lies on the disk: as a dead letter with its reason, or parked
//! for a lane that the server holds up.
//!
//! # Failure
//!
//! A call that fails is made again until the server takes it or refuses it for good, with growing waits that have a
//! random part and honour `Retry-After`; its lane waits alone. Nothing that waits holds up the shutdown: what is not
//! taken by then comes again from its channel in the next run. Records arrive at least once; a repeat has the id of the
//! first, and the agent drops those that it knows.

pub mod config;
mod desk;
mod diary;
mod lane;
mod letters;
mod message;
mod parked;
mod post;
mod read;
mod repeats;
mod serve;
mod stats;
mod summed;

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use record::wire::rest::CarryLimits;
use serde_json::Value;
use spool::channel::ChannelError;
use spool::rest::{RestClient, RestSettings};

pub use self::config::{Aggregation, Config, ConfigError, Flags};
use self::desk::Desk;
use self::diary::Diary;
use self::letters::Letters;
use self::post::Poster;
use self::read::{Reader, Signals};
use self::stats::Stats;

/// Most bytes of an answer that says what was refused.
const REPLY_BYTES: u64 = 4 << 20;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The file that only one agent has.
const LOCK: &str = "lock";
/// What the readers get to acknowledge at the end when the posters have used up the grace.
const ACKNOWLEDGE_MIN: Duration = Duration::from_secs(3);
/// How often a wait looks around.
const LOOK: Duration = Duration::from_millis(20);

/// The agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A setting is wrong.
    #[error("read the settings")]
    Config(#[from] ConfigError),
    /// The state directory cannot be used.
    #[error("use the state directory {}", path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another agent has the state directory.
    #[error("use the state directory {}: another agent has it", path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// The token or the certificates cannot be used.
    #[error("reach the server")]
    Client(#[from] ChannelError),
    /// A thread cannot be started, or an address not listened on.
    #[error("{what}")]
    Start {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The agent, running.
#[derive(Debug)]
pub struct Agent {
    shared: Arc<Shared>,
    readers: Vec<(JoinHandle<()>, Arc<Signals>)>,
    address: Option<SocketAddr>,
    _lock: Option<File>,
}

/// What its threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    config: Config,
    desk: Arc<Desk>,
    letters: Arc<Letters>,
    stats: Arc<Stats>,
    diary: Arc<Diary>,
}

/// What became of it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records that the server took.
    pub reported: u64,
    /// Records that became dead letters.
    pub dead_letters: u64,
    /// Records that were read and not taken; they come again.
    pub left: u64,
    /// Bytes of records that are parked on the disk.
    pub parked_bytes: u64,
    /// Everything was acknowledged in time.
    pub acknowledged: bool,
}

impl Agent {
    /// Starts all threads.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, or the state directory cannot be used. A channel or a server that cannot be reached is
    /// no error: it is waited for.
    pub fn start(config: Config) -> Result<Self, AgentError> {
        config.check()?;
        let lock = if config.dry_run { None } else { Some(take_state(&config)?) };
        let state = |source| AgentError::State { path: config.state_directory.clone(), source };
        let desk = if config.dry_run {
            Desk::empty(&config)
        } else {
            Desk::open(&config).map_err(state)?
        };
        let shared = Arc::new(Shared {
            desk: Arc::new(desk),
            letters: Arc::new(Letters::new(&config.state_directory, config.dead_letter_bytes)),
            stats: Arc::new(Stats::new()),
            diary: Arc::default(),
            config,
        });
        if !shared.config.dry_run {
            shared.start_posters()?;
        }
        let mut readers = Vec::new();
        for channel in &shared.config.channels {
            let signals = Arc::new(Signals::default());
            let reader = shared.reader(channel.clone(), Arc::clone(&signals));
            let thread = spawn(&format!("read-{}", channel.name), move || reader.run())?;
            readers.push((thread, signals));
        }
        let address = if shared.config.server_mode { Some(serve::start(&shared)?) } else { None };
        Ok(Self { shared, readers, address, _lock: lock })
    }

    /// Where statistics are served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The statistics.
    pub fn stats(&self) -> Value {
        self.shared.stats()
    }

    /// Makes calls of what waits now.
    pub fn flush(&self) {
        self.shared.desk.flush();
    }

    /// All channels have given nothing for a while.
    pub fn is_quiet(&self) -> bool {
        self.readers.iter().all(|(_, signals)| signals.quiet.load(Ordering::Acquire))
    }

    /// Writes the statistics to `statsPath`, if there is one.
    pub fn write_stats(&self) {
        let Some(path) = &self.shared.config.stats_path else { return };
        let fresh = path.with_extension("tmp");
        let text = format!("{}\n", self.stats());
        if let Err(error) =
            std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, path))
        {
            tracing::warn!(%error, path = %path.display(), "Statistics not written");
        }
    }

    /// Stops: reads no more, reports what it has, acknowledges. A lane that the server holds up gets its next try only
    /// when the agent is `patient`, as after a single run.
    pub fn stop(mut self, grace: Duration, patient: bool) -> Summary {
        let until = Instant::now() + grace;
        let readers = std::mem::take(&mut self.readers);
        readers.iter().for_each(|(_, signals)| signals.stop.store(true, Ordering::Release));
        self.shared.desk.hurry();
        // A reader may still be handing in what it has read.
        self.shared.desk.wait_idle(until, patient);
        self.shared.desk.close();
        readers.iter().for_each(|(_, signals)| signals.leave.store(true, Ordering::Release));
        let until = until.max(Instant::now() + ACKNOWLEDGE_MIN);
        while Instant::now() < until && readers.iter().any(|(thread, _)| !thread.is_finished()) {
            std::thread::sleep(LOOK);
        }
        let acknowledged = readers.iter().all(|(thread, _)| thread.is_finished());
        self.write_stats();
        let (reported, dead_letters) = self.shared.stats.totals();
        let (left, parked_bytes) = self.shared.desk.left();
        Summary { reported, dead_letters, left: left as u64, parked_bytes, acknowledged }
    }
}

impl Shared {
    fn start_posters(&self) -> Result<(), AgentError> {
        let config = &self.config;
        let client = RestClient::new(&RestSettings {
            endpoint: config.mlops_url.clone(),
            token: config.api_token.clone(),
            token_file: config.api_token_file.clone(),
            ca_location: config.ca_certificate.clone(),
            verify: config.verify_ssl,
            timeout: Duration::from_millis(config.http_timeout_ms),
            connect_timeout: CONNECT_TIMEOUT.min(Duration::from_millis(config.http_timeout_ms)),
            connections: config.http_concurrent_request,
            reply_bytes: REPLY_BYTES,
        })?;
        let client = Arc::new(client);
        for number in 0..config.http_concurrent_request {
            let poster = Poster {
                config: config.clone(),
                desk: Arc::clone(&self.desk),
                client: Arc::clone(&client),
                letters: Arc::clone(&self.letters),
                stats: Arc::clone(&self.stats),
                diary: Arc::clone(&self.diary),
            };
            // Nobody waits for a poster: it may be waiting for a server that never answers.
            drop(spawn(&format!("post-{number}"), move || poster.run())?);
        }
        Ok(())
    }

    fn reader(&self, channel: config::ChannelConfig, signals: Arc<Signals>) -> Reader {
        let config = &self.config;
        Reader {
            channel,
            limits: CarryLimits {
                rows_per_entry: config.samples_group_size,
                actuals_per_piece: config.actuals_per_call,
                features: config.max_features,
                deployment_id: config.deployment_id.clone(),
                model_id: config.model_id.clone(),
            },
            config: config.clone(),
            desk: Arc::clone(&self.desk),
            letters: Arc::clone(&self.letters),
            stats: Arc::clone(&self.stats),
            diary: Arc::clone(&self.diary),
            signals,
        }
    }

    fn stats(&self) -> Value {
        let mut stats = self.stats.show();
        let (left, parked) = self.desk.left();
        stats["numInFlightRequests"] = self.desk.calling().into();
        stats["waitingRecords"] = left.into();
        stats["parkedBytes"] = parked.into();
        stats["keptDeadLetters"] = self.letters.kept().into();
        stats["lanes"] = serde_json::to_value(self.desk.status()).unwrap_or_default();
        let (used, most) = memory();
        stats["usedMemoryBytes"] = used.into();
        stats["maxMemoryBytes"] = most.into();
        stats
    }
}

/// Makes the state directory and takes it.
fn take_state(config: &Config) -> Result<File, AgentError> {
    let path = &config.state_directory;
    let failed = |source| AgentError::State { path: path.clone(), source };
    std::fs::create_dir_all(path).map_err(failed)?;
    let file = File::create(path.join(LOCK)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(AgentError::Taken { path: path.clone() }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, AgentError> {
    // The system keeps fifteen bytes of it.
    let thread = std::thread::Builder::new().name(name.chars().take(15).collect());
    thread
        .spawn(run)
        .map_err(|source| AgentError::Start { what: format!("start the thread {name}"), source })
}

/// Bytes in memory now and at most so far, as the system tells.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    (field("VmRSS:").unwrap_or(0) * 1024, field("VmHWM:").unwrap_or(0) * 1024)
}

#[cfg(test)]
mod tests;
