//! Listening, letting in, answering and stopping.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};
use tokio_io_timeout::TimeoutStream;
use tracing::{debug, error, warn};

use crate::{
    act::{self, act},
    answer::{self, Answer},
    body::linger,
    guard::{Caller, Failures, Peer, check_host, check_origin, identify},
    listen::{Kind, Listener},
    operate::Operate,
    page::Page,
    problem::Problem,
    routes,
    settings::AdminSettings,
    tokens::Scope,
};

/// Pause after a failed accept: the system is short of file handles or memory.
const BACK_OFF: Duration = Duration::from_millis(200);
/// What hyper buffers of one connection's input.
const READ_BUFFER_BYTES: usize = 64 << 10;
const ROOT: u32 = 0;

/// Changes what is logged, or says what is wrong with the filter.
pub type SetLog = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What the room can do to the process it is in.
pub struct Hooks {
    /// Changes what is logged, or says what is wrong with the filter.
    pub set_log: SetLog,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooks")
    }
}

/// What all requests share.
pub(crate) struct Room {
    pub(crate) settings: AdminSettings,
    pub(crate) hooks: Hooks,
    pub(crate) page: Page,
    /// A permit for each package that is being received or loaded.
    pub(crate) uploads: Arc<Semaphore>,
    fleet: Arc<dyn Operate>,
    failures: Failures,
    /// Each call of the fleet has a receiver, so that the end can wait for all of them.
    working: watch::Sender<()>,
}

impl Room {
    /// Calls the fleet on a thread that may wait. The call goes on when the caller is gone.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Operate) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let (fleet, working) = (Arc::clone(&self.fleet), self.working.subscribe());
        let called = tokio::task::spawn_blocking(move || {
            let _working = working;
            call(&*fleet)
        });
        called.await.map_err(|error| {
            error!(%error, "An admin call broke off");
            Problem::internal()
        })
    }
}

/// Serves until `shutdown` completes, then finishes what is open, for [`AdminSettings::grace`] at most.
pub async fn serve(
    listener: Listener,
    settings: AdminSettings,
    fleet: Arc<dyn Operate>,
    hooks: Hooks,
    shutdown: impl Future<Output = ()>,
) {
    let room = Arc::new(Room {
        uploads: Arc::new(Semaphore::new(settings.uploads)),
        settings,
        hooks,
        page: Page::new(),
        fleet,
        failures: Failures::default(),
        working: watch::Sender::new(()),
    });
    let permits = Arc::new(Semaphore::new(room.settings.connections));
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        while tasks.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer, permit)) => {
                let (room, watcher) = (Arc::clone(&room), graceful.watcher());
                tasks.spawn(connection(room, stream, peer, permit, watcher));
            }
            Err(error) => {
                warn!(%error, "Admin connection was not accepted");
                tokio::select! {
                    () = &mut shutdown => break,
                    () = tokio::time::sleep(BACK_OFF) => {}
                }
            }
        }
    }
    drop(listener);
    let finish = async {
        graceful.shutdown().await;
        while tasks.join_next().await.is_some() {}
        room.working.closed().await;
    };
    if tokio::time::timeout(room.settings.grace, finish).await.is_err() {
        warn!(connections = tasks.len(), "Admin requests were cut off");
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Accepts when there is a permit, so that what cannot be served waits in the kernel's queue.
async fn accept(
    listener: &Listener,
    permits: &Arc<Semaphore>,
) -> io::Result<(Box<dyn Stream>, Peer, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    match &listener.kind {
        Kind::Tcp(listener, _) => {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream), Peer::Loopback, permit))
        }
        Kind::Unix(listener, _) => loop {
            let (stream, _) = listener.accept().await?;
            let uid = stream.peer_cred()?.uid();
            if uid == ROOT || uid == rustix::process::geteuid().as_raw() {
                return Ok((Box::new(stream), Peer::Uid(uid), permit));
            }
            warn!(uid, "Another user has opened the admin socket; who may is its mode's to say");
        },
    }
}

async fn connection(
    room: Arc<Room>,
    stream: Box<dyn Stream>,
    peer: Peer,
    _permit: OwnedSemaphorePermit,
    graceful: hyper_util::server::graceful::Watcher,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(room.settings.write_stall_time));
    let io = TokioIo::new(Box::pin(stream));
    let service = service_fn(|request| {
        let room = Arc::clone(&room);
        async move { Ok::<_, Infallible>(respond(&room, peer, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(room.settings.header_time)
        .max_header_size(room.settings.header_bytes)
        .max_buf_size(READ_BUFFER_BYTES.max(2 * room.settings.header_bytes));
    if let Err(error) = graceful.watch(http.serve_connection(io, service)).await {
        debug!(%error, "Admin connection broke");
    }
}

/// Answers one request.
async fn respond(room: &Arc<Room>, peer: Peer, request: Request<Incoming>) -> Answer {
    let id = uuid::Uuid::new_v4().to_string();
    let (parts, mut body) = request.into_parts();
    let mut answer = match admit(room, peer, &parts) {
        Ok((caller, route, values)) => {
            let request = act::Request {
                caller,
                action: route.action,
                values,
                parts: &parts,
                body: &mut body,
            };
            act(room, request).await.unwrap_or_else(|problem| answer::problem(&problem, &id))
        }
        Err(problem) => answer::problem(&problem, &id),
    };
    if !hyper::body::Body::is_end_stream(&body) {
        tokio::spawn(linger(body));
    }
    debug!(method = %parts.method, path = parts.uri.path(), status = answer.status().as_u16(), request_id = id, "Admin");
    answer::finish(&mut answer, &id);
    answer
}

/// Finds out who asks for what, and whether they may. Nothing of the body is read for anybody who may not.
fn admit(
    room: &Room,
    peer: Peer,
    parts: &hyper::http::request::Parts,
) -> Result<(Caller, &'static routes::Route, Vec<String>), Problem> {
    check_host(&parts.headers)?;
    check_origin(&parts.method, &parts.headers)?;
    let found = routes::find(&parts.method, parts.uri.path());
    if let Ok((route, _)) = &found
        && route.scope.is_none()
    {
        let nobody = Caller { name: String::new(), scope: Scope::Read };
        return found.map(|(route, values)| (nobody, route, values));
    }
    let Some(caller) = identify(&room.settings.tokens, peer, &parts.headers) else {
        room.failures.count(peer, &parts.method);
        return Err(Problem::unauthenticated());
    };
    let (route, values) = found?;
    match route.scope {
        Some(needs) if needs > caller.scope => {
            Err(Problem::scope(&caller.name, caller.scope, needs))
        }
        _ => Ok((caller, route, values)),
    }
}
