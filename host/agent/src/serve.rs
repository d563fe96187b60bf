//! What the agent answers over HTTP in server mode: `GET /stats`, `/config` and `/logs`, `POST /flush`.
//!
//! Without a token, as the library's agent: by default only on the loopback address. None of it holds a secret.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use crate::{AgentError, Shared, spawn};

/// Most connections at the same time; others wait.
const CONNECTIONS: usize = 32;
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Listens, and answers on a thread of its own.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<SocketAddr, AgentError> {
    let (address, port) = (&shared.config.server_address, shared.config.server_port);
    let failed = |source| AgentError::Start { what: format!("listen on {address}:{port}"), source };
    let listener = TcpListener::bind((address.as_str(), port)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let shared = Arc::clone(shared);
    let run = move || match runtime.block_on(answer(listener, shared)) {
        Ok(()) => {}
        Err(error) => tracing::error!(%error, "Statistics are no longer served"),
    };
    drop(spawn("serve", run)?);
    Ok(bound)
}

async fn answer(listener: TcpListener, shared: Arc<Shared>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return Ok(()) };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "Connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| std::future::ready(respond(&request, &shared)));
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).keep_alive(false);
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "Connection ended");
            }
            drop(permit);
        });
    }
}

fn respond(
    request: &Request<Incoming>,
    shared: &Shared,
) -> Result<Response<Full<Bytes>>, Infallible> {
    const JSON: &str = "application/json";
    const TEXT: &str = "text/plain; charset=utf-8";
    let path = request.uri().path().trim_end_matches('/');
    let (status, kind, body) = match (request.method(), path) {
        (&Method::GET, "/stats") => (StatusCode::OK, JSON, shared.stats().to_string()),
        (&Method::GET, "/config") => (StatusCode::OK, JSON, shared.config.show().to_string()),
        (&Method::GET, "/logs") => (StatusCode::OK, TEXT, shared.diary.text()),
        (&Method::POST, "/flush") => {
            shared.desk.flush();
            (StatusCode::OK, JSON, r#"{"message":"ok"}"#.to_owned())
        }
        (_, "/stats" | "/config" | "/logs" | "/flush") => (
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "GET /stats, /config and /logs, POST /flush\n".to_owned(),
        ),
        _other => (
            StatusCode::NOT_FOUND,
            TEXT,
            "There are GET /stats, /config and /logs, and POST /flush\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}
