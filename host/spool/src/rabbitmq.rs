//! RabbitMQ as both sides of the spool reach it: the address, the connection, the queue.
//!
//! # Operation
//!
//! A [`Link`] is one connection with one channel on it, and a runtime of its own with one worker: that worker sends
//! heartbeats and moves bytes while the thread that owns the link is busy elsewhere. The owner's thread waits for
//! nothing without a limit, so a broker that is frozen costs it the limit and no more.
//!
//! Both sides declare the queue as the public library does: durable, not exclusive, not deleted by itself, without
//! arguments. A queue that exists otherwise is refused by the broker; then somebody must decide.
//!
//! # Failure
//!
//! A link is never mended. It is dropped and opened anew, and its runtime goes with it: that ends the client's own
//! thread too, even one that waits for the answer of a broker that will never give one.

mod address;
mod tls;
mod trouble;

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::tcp::RustlsConnector;
use lapin::types::{FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;

pub(crate) use self::address::{ADDRESS, QUEUE, address, is_queue};
pub use self::tls::TlsVersion;
pub(crate) use self::tls::{Files, PAIR, SECURED};
pub(crate) use self::trouble::{Kind, Trouble};

/// Seconds after which a silent peer is asked for a sign by default.
pub(crate) const HEARTBEAT_S: u16 = 30;
/// How long a connection, or an answer on it, may take by default. It also bounds how late a stop is noticed.
pub(crate) const CONNECTION_TIMEOUT_MS: u64 = 5000;
/// Wait before the next try by default.
pub(crate) const RETRY_MS: u64 = 1000;
/// Wait before a fault is looked at again that only an operator can mend, by default.
pub(crate) const RETRY_OPERATOR_MS: u64 = 60_000;
/// What the connection is called on the broker's side.
const CONNECTION_NAME: &str = "outpost";
/// How long a broker may take to say goodbye.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(500);

/// A broker and how to reach it. It holds the password, so it is never printed.
#[derive(Clone)]
pub(crate) struct Peer {
    /// From [`address`].
    pub(crate) uri: AMQPUri,
    /// Read anew for each connection, so that renewed certificates are taken up.
    pub(crate) tls: Files,
    /// Seconds after which a silent peer is asked for a sign; gone after twice that.
    pub(crate) heartbeat_s: u16,
    /// How long a connection, or one answer on it, may take.
    pub(crate) patience: Duration,
}

/// An open connection.
pub(crate) struct Link {
    connection: Connection,
    channel: Channel,
    patience: Duration,
    worker: Worker,
}

/// A runtime that nobody waits for when it ends.
struct Worker {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Peer {
    /// Connects and opens a channel.
    pub(crate) fn open(&self) -> Result<Link, Trouble> {
        let place = address::place(&self.uri);
        let secure = self.tls.secure(&self.uri);
        let tls = secure.then(|| self.tls.connector()).transpose()?;
        let mut uri = self.uri.clone();
        uri.query.heartbeat = Some(self.heartbeat_s);
        let worker = Worker::start()?;
        let opened = worker.handle.block_on(async { timeout(self.patience, open(uri, tls)).await });
        match opened {
            Ok(Ok((connection, channel))) => {
                Ok(Link { connection, channel, patience: self.patience, worker })
            }
            Ok(Err(error)) => Err(Trouble::of(&error).at(&place)),
            Err(_elapsed) => Err(Trouble::silent(self.patience).at(&place)),
        }
    }
}

async fn open(
    uri: AMQPUri,
    tls: Option<RustlsConnector>,
) -> Result<(Connection, Channel), lapin::Error> {
    let properties = ConnectionProperties::default().with_connection_name(CONNECTION_NAME.into());
    let runtime = lapin::runtime::default_runtime()?;
    let connection = Connection::connector(
        uri,
        runtime,
        async move |uri, runtime| {
            let place = (uri.authority.host.as_str(), uri.authority.port);
            let found: Vec<_> = tokio::net::lookup_host(place).await?.collect();
            let stream = AsyncTcpStream::connect(&runtime, found).await?;
            Ok(match &tls {
                Some(connector) => stream.into_rustls(connector, &uri.authority.host).await?,
                None => stream,
            })
        },
        properties,
    )
    .await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

impl Link {
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Whether nothing is known to be wrong.
    pub(crate) fn is_open(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Whether the broker said that it takes no messages for now, because memory or disk is short.
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Waits for the broker to answer.
    pub(crate) fn ask<T>(
        &self,
        question: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, Trouble> {
        match self.wait(self.patience, question) {
            Some(answer) => answer.map_err(|error| Trouble::of(&error)),
            None => Err(Trouble::silent(self.patience)),
        }
    }

    /// Waits for something, for `limit` at most. With no time left it is looked at once.
    pub(crate) fn wait<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        self.worker.handle.block_on(async { timeout(limit, work).await.ok() })
    }

    /// Makes the queue, or makes sure that it is there and is what we take it for.
    pub(crate) fn declare(&self, queue: &ShortString) -> Result<(), Trouble> {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let arguments = FieldTable::default();
        self.ask(self.channel.queue_declare(queue.clone(), options, arguments))
            .map(drop)
            .map_err(|trouble| trouble.of_declaration().at(&format!("queue {:?}", queue.as_str())))
    }

    /// Says goodbye, unless the broker does not listen.
    pub(crate) fn leave(self) {
        let goodbye = self.connection.close(lapin::protocol::constants::REPLY_SUCCESS, "OK".into());
        if let Some(Err(error)) = self.wait(LEAVE_TIMEOUT, goodbye) {
            tracing::debug!(%error, "Connection was gone already");
        }
    }
}

impl Worker {
    fn start() -> Result<Self, Trouble> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rabbitmq")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| Trouble::soon(format!("start a thread: {error}")))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
