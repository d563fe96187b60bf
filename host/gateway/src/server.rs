//! Listening, serving and draining.
//!
//! A connection's permit is taken before the connection is accepted and is held by its task, so that what cannot be
//! served waits in the kernel's queue and costs nothing here. The order to stop is a future: then nothing is accepted any
//! more, open requests are finished, kept connections are closed, and what is left after the grace period is
//! cut off and counted.

use std::{convert::Infallible, future::poll_fn, io, sync::Arc, task::Poll, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::Instant,
};
use tracing::{debug, error, info, warn};

use crate::{
    connection::{Ended, Pulse, Stream, Watched},
    metrics::{Closed, Open},
    routes,
    state::State,
};

/// First and longest pause after a failed accept: the system is short of file handles or memory.
const FIRST_BACK_OFF: Duration = Duration::from_millis(5);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1);
/// What hyper buffers of one connection's input: room for the longest head, and large reads of bodies.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// How a gateway ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainReport {
    /// How long the drain took.
    pub took: Duration,
    /// Connections that were cut off at the end of the grace period.
    pub connections_cut: usize,
    /// Prediction requests that were in progress then.
    pub requests_cut: u64,
}

impl DrainReport {
    /// Whether every request was answered.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.connections_cut == 0 && self.requests_cut == 0
    }
}

/// Serves until `shutdown` completes, then drains.
pub(crate) async fn serve(
    state: Arc<State>,
    listeners: Vec<TcpListener>,
    shutdown: impl Future<Output = ()>,
) -> DrainReport {
    let permits = Arc::new(Semaphore::new(state.settings.connections));
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    let http = http(&state);
    let mut shutdown = std::pin::pin!(shutdown);
    let mut back_off = FIRST_BACK_OFF;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listeners, &permits) => accepted,
        };
        reap(&mut tasks);
        match accepted {
            Ok((stream, permit)) => {
                back_off = FIRST_BACK_OFF;
                tasks.spawn(connection(
                    Arc::clone(&state),
                    http.clone(),
                    stream,
                    permit,
                    graceful.watcher(),
                ));
            }
            Err(error) if is_clients(&error) => {
                debug!(%error, "Connection was gone before it was accepted")
            }
            Err(error) => {
                warn!(%error, pause = ?back_off, "Accept failed");
                tokio::select! {
                    () = &mut shutdown => break,
                    () = tokio::time::sleep(back_off) => {}
                }
                back_off = (2 * back_off).min(LONGEST_BACK_OFF);
            }
        }
    }
    drop(listeners);
    drain(&state, graceful, tasks).await
}

async fn drain(state: &State, graceful: GracefulShutdown, mut tasks: JoinSet<()>) -> DrainReport {
    let started = Instant::now();
    state.drain();
    info!(connections = graceful.count(), requests = state.metrics.inflight(), "Draining");
    let finish = async {
        graceful.shutdown().await;
        while let Some(ended) = tasks.join_next().await {
            report_panic(ended);
        }
        state.rested().await;
    };
    let complete = tokio::time::timeout(state.settings.grace, finish).await.is_ok();
    let report = DrainReport {
        took: started.elapsed(),
        connections_cut: if complete { 0 } else { tasks.len() },
        requests_cut: if complete { 0 } else { state.metrics.inflight() },
    };
    if report.is_complete() {
        info!(took = ?report.took, "Drained");
    } else {
        error!(
            connections = report.connections_cut,
            requests = report.requests_cut,
            "Drained incompletely"
        );
    }
    report
}

async fn accept(
    listeners: &[TcpListener],
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = poll_fn(|cx| {
        for listener in listeners {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await?;
    Ok((stream, permit))
}

async fn connection(
    state: Arc<State>,
    http: http1::Builder,
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
    graceful: hyper_util::server::graceful::Watcher,
) {
    // Answers are one small write each; waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY was refused");
    }
    let _open = Open::count(&state.metrics);
    let pulse = Arc::new(Pulse::new());
    let io = TokioIo::new(Stream::new(stream, Arc::clone(&pulse)));
    let service = service_fn(|request| {
        let busy = pulse.busy();
        let state = &state;
        async move {
            let answer = routes::answer(state, request).await;
            drop(busy);
            Ok::<_, Infallible>(answer)
        }
    });
    let served = graceful.watch(http.serve_connection(io, service));
    match Watched::new(served, Arc::clone(&pulse), &state.settings).await {
        Ended::Itself(Ok(())) => {}
        Ended::Itself(Err(error)) => {
            state.metrics.closed(Closed::Broken);
            debug!(%error, "Connection broke");
        }
        Ended::Late(why) => {
            state.metrics.closed(why);
            debug!(?why, "Connection closed");
        }
    }
}

fn http(state: &State) -> http1::Builder {
    let mut http = http1::Builder::new();
    // No time-out for heads: `Watched` keeps it, see there.
    http.header_read_timeout(None)
        .max_header_size(state.settings.header_bytes)
        .max_buf_size(READ_BUFFER_BYTES.max(2 * state.settings.header_bytes));
    http
}

/// Whether an accept failed because that one client went away.
fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn reap(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.try_join_next() {
        report_panic(ended);
    }
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(%error, "Connection task panicked");
    }
}
