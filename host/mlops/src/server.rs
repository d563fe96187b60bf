//! Starting, listening, stopping.
//!
//! # Constraints
//!
//! - What was answered is stored: at the end, open requests finish first, then the writer, then the database.
//! - A client can hold no more than one connection's worth: headers, requests and answers have their times, and there
//!   are no more connections than the settings say; further ones wait in the kernel's queue.
//!
//! # Failure
//!
//! A failed accept is tried again. What is too old and cannot be deleted is tried again in the next round.

mod auth;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::http::header::{CONNECTION, LOCATION};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_io_timeout::TimeoutStream;

use self::auth::require;
use crate::api::{self, App, Limits, Needs};
use crate::ingest::{Ingest, StartError};
use crate::metrics::{self, Requests, Watched};
use crate::registry::Registry;
use crate::settings::Settings;
use crate::store::{Retention, Store, StoreError};
use crate::tokens::{Role, Tokens, TokensError};

/// Pause after a failed accept: the system is short of file handles or memory.
const BACK_OFF: Duration = Duration::from_millis(200);
/// What is buffered of a connection's input.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// The server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// There is no folder for its data.
    #[error("make the folder {}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored cannot be taken up.
    #[error(transparent)]
    Ingest(#[from] StartError),
    /// The address is taken, or is none.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// Why not.
        source: io::Error,
    },
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    tokens: Arc<Tokens>,
    store: Store,
    registry: Registry,
    ingest: Ingest,
    stop: watch::Sender<Option<Duration>>,
    serving: JoinHandle<usize>,
    retaining: JoinHandle<()>,
}

impl Server {
    /// Opens everything and answers from then on. Needs a runtime.
    ///
    /// # Errors
    ///
    /// When something that it needs cannot be had; nothing runs then.
    pub async fn start(settings: Settings) -> Result<Self, ServerError> {
        let folder = |source| ServerError::Folder { path: settings.data.clone(), source };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&settings.data).map_err(folder)?;
        let tokens = Arc::new(Tokens::open(&settings.data)?);
        let listen = |source| ServerError::Listen { address: settings.listen.clone(), source };
        // Taken before the database, so that a port in use leaves that alone.
        let listener = TcpListener::bind(&settings.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let store = Store::open(&settings.address()).await?;
        let ingest = Ingest::start(store.clone(), settings.ingest).await?;
        let registry = match Registry::open(store.clone()).await {
            Ok(registry) => registry,
            Err(error) => {
                ingest.close().await;
                return Err(error.into());
            }
        };
        let settings = Arc::new(settings);
        let app =
            App { registry: registry.clone(), ingest: ingest.clone(), limits: limits(&settings) };
        let guard = |needs, router: Router<_>| {
            router.route_layer(require(Arc::clone(&tokens), role(needs)))
        };
        let requests = Arc::new(Requests::default());
        let watched = Watched {
            requests: Arc::clone(&requests),
            ingest: ingest.clone(),
            registry: registry.clone(),
        };
        let metrics = Router::new().route("/metrics", get(metrics::serve)).with_state(watched);
        let router = api::router(app, guard).merge(metrics);
        let (stop, stopped) = watch::channel(None);
        let retain = retain(ingest.clone(), settings.retention, settings.retention_interval);
        Ok(Self {
            address,
            tokens,
            store,
            registry,
            ingest,
            stop,
            serving: tokio::spawn(serve(
                listener,
                Answering { router, requests, settings },
                stopped,
            )),
            retaining: tokio::spawn(retain),
        })
    }

    /// Where it listens; the port is the real one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its packages and deployments.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Who may come.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Takes no more connections, lets open requests end within `grace`, stores what was taken and closes the database.
    /// Gives how many connections were cut off.
    pub async fn stop(self, grace: Duration) -> usize {
        self.retaining.abort();
        self.stop.send_replace(Some(grace));
        let cut = self.serving.await.unwrap_or(0);
        self.ingest.close().await;
        self.store.pool().close().await;
        cut
    }
}

/// Deletes what is too old, at the start and in every interval.
async fn retain(ingest: Ingest, keep: Retention, interval: Duration) {
    loop {
        let now_us = jiff::Timestamp::now().as_microsecond();
        if let Err(error) = ingest.retain(now_us, keep).await {
            tracing::warn!(%error, "What is too old is not deleted yet");
        }
        tokio::time::sleep(interval).await;
    }
}

/// What answers a connection.
#[derive(Clone, Debug)]
struct Answering {
    router: Router,
    requests: Arc<Requests>,
    settings: Arc<Settings>,
}

async fn serve(
    listener: TcpListener,
    answering: Answering,
    mut stopped: watch::Receiver<Option<Duration>>,
) -> usize {
    let places = Arc::new(Semaphore::new(answering.settings.connections));
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    let grace = loop {
        let accepted = tokio::select! {
            biased;
            // The sender is only dropped with a server that nobody stopped.
            told = stopped.changed() => break told.ok().and(*stopped.borrow()).unwrap_or_default(),
            accepted = accept(&listener, &places) => accepted,
        };
        while tasks.try_join_next().is_some() {}
        match accepted {
            Ok((stream, place)) => {
                tasks.spawn(connection(answering.clone(), stream, place, graceful.watcher()));
            }
            Err(error) => {
                tracing::warn!(%error, "Connection was not accepted");
                tokio::select! {
                    _told = stopped.changed() => break (*stopped.borrow()).unwrap_or_default(),
                    () = tokio::time::sleep(BACK_OFF) => {}
                }
            }
        }
    };
    drop(listener);
    let finish = async {
        graceful.shutdown().await;
        while tasks.join_next().await.is_some() {}
    };
    if tokio::time::timeout(grace, finish).await.is_err() {
        return tasks.len();
    }
    0
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn connection(
    Answering { router, requests, settings }: Answering,
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    graceful: Watcher,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(settings.write_stall_time));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(settings.header_time)
        .max_header_size(settings.header_bytes_max)
        .max_buf_size(READ_BUFFER_BYTES.max(2 * settings.header_bytes_max));
    let service = TowerToHyperService::new(router);
    let time = settings.request_time;
    let service = service_fn(|request: Request<Incoming>| {
        let origin = api::origin(request.headers());
        let answer = service.call(request);
        let requests = Arc::clone(&requests);
        async move {
            let answer = match tokio::time::timeout(time, answer).await {
                Ok(answer) => absolute(answer?, origin.as_deref()),
                Err(_) => too_slow(time),
            };
            requests.answered(answer.status());
            Ok::<_, Infallible>(answer)
        }
    });
    let io = TokioIo::new(Box::pin(stream));
    if let Err(error) = graceful.watch(http.serve_connection(io, service)).await {
        tracing::debug!(%error, "Connection broke");
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        body_bytes: settings.body_bytes_max,
        package_bytes: settings.package_bytes_max,
        auto_register: settings.auto_register,
        ..Limits::default()
    }
}

fn role(needs: Needs) -> Role {
    match needs {
        Needs::Read => Role::Read,
        Needs::Report => Role::Report,
        Needs::Admin => Role::Admin,
    }
}

/// Clients of the service follow a location as it is, without their own address before it.
fn absolute(mut answer: Response, origin: Option<&str>) -> Response {
    let path = answer.headers().get(LOCATION).and_then(|path| path.to_str().ok());
    if let (Some(origin), Some(path)) = (origin, path.filter(|path| path.starts_with('/')))
        && let Ok(location) = HeaderValue::from_str(&format!("{origin}{path}"))
    {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

fn too_slow(time: Duration) -> Response {
    let message = format!("the request took longer than {} s; send less in one", time.as_secs());
    let body = Json(json!({ "message": message }));
    let mut answer = (StatusCode::REQUEST_TIMEOUT, body).into_response();
    // What is left of the request would be taken for another.
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

#[cfg(test)]
mod tests;
