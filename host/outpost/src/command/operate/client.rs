//! One call of the admin API: over the socket or the port, with the token, and an exit code for each kind of refusal.

use super::upload::Upload;
use crate::cli::Remote;
use crate::error::{CliError, EXIT_DATA, EXIT_INTERNAL, EXIT_UNAVAILABLE, EXIT_USAGE, chain};
use crate::progress::Sending;
use admin::Listen;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use spool::channel::Secret;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{Builder, Runtime};

/// To reach the gateway.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// For it to answer: a large package is compiled in between.
const ANSWER_TIME: Duration = Duration::from_secs(600);
/// Bytes of an answer.
const ANSWER_BYTES: usize = 64 << 20;

/// One call.
pub(super) struct Call {
    method: Method,
    target: String,
    /// What it is for, as in "failed to …".
    what: String,
    content_type: Option<&'static str>,
    signature: Option<String>,
    body: Bytes,
}

/// A way to the gateway.
pub(super) struct Client {
    address: Listen,
    authorization: Option<HeaderValue>,
    runtime: Runtime,
}

type Cause = Box<dyn Error + Send + Sync>;

impl Call {
    pub(super) fn get(target: String, what: String) -> Self {
        Self::of(Method::GET, target, what)
    }

    pub(super) fn post(target: String, what: String) -> Self {
        Self::of(Method::POST, target, what)
    }

    pub(super) fn put(target: String, what: String) -> Self {
        Self::of(Method::PUT, target, what)
    }

    pub(super) fn delete(target: String, what: String) -> Self {
        Self::of(Method::DELETE, target, what)
    }

    fn of(method: Method, target: String, what: String) -> Self {
        Self { method, target, what, content_type: None, signature: None, body: Bytes::new() }
    }

    pub(super) fn json(self, value: &Value) -> Self {
        Self { content_type: Some("application/json"), body: value.to_string().into(), ..self }
    }

    pub(super) fn package(self, bytes: Vec<u8>, signature: Option<String>) -> Self {
        Self { content_type: Some("application/wasm"), signature, body: bytes.into(), ..self }
    }
}

impl Client {
    /// Reads the token.
    pub(super) fn new(remote: &Remote) -> Result<Self, CliError> {
        let token = remote.token_file.as_deref().map(Secret::read).transpose();
        let token =
            token.map_err(|error| CliError::Usage(format!("--token-file: {}", chain(&error))))?;
        let header = |token: Secret| {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
            value.map_err(|_| {
                CliError::Usage(
                    "--token-file: the token has characters that no header carries".into(),
                )
            })
        };
        let authorization = token.map(header).transpose()?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|source| {
            CliError::Internal { what: "start a thread".into(), source: source.into() }
        })?;
        Ok(Self { address: remote.admin.clone(), authorization, runtime })
    }

    /// Makes a call and gives its answer.
    pub(super) fn call(&self, call: Call) -> Result<Value, CliError> {
        let what = call.what.clone();
        let (status, body) = self.runtime.block_on(self.exchange(call))?;
        let value: Result<Value, _> = serde_json::from_slice(&body);
        match value {
            Ok(value) if status.is_success() => Ok(value),
            Ok(problem) => {
                let why = problem["detail"]
                    .as_str()
                    .or(problem["title"].as_str())
                    .unwrap_or("no reason given");
                Err(CliError::Refused { what, why: crate::draw::plain(why), code: code(status) })
            }
            Err(_) => {
                let why = format!(
                    "{} answers {status} without a reason; is it a gateway's admin listener?",
                    self.address
                );
                Err(CliError::Refused { what, why, code: EXIT_INTERNAL })
            }
        }
    }

    async fn exchange(&self, call: Call) -> Result<(StatusCode, Bytes), CliError> {
        let what = format!(
            "reach a gateway at {} (its admin.listen; --admin or OUTPOST_ADMIN names another)",
            self.address
        );
        let out_of_reach = |source: Cause| CliError::Unavailable { what: what.clone(), source };
        let late = |_| Cause::from("no answer in time");
        let stream = tokio::time::timeout(CONNECT_TIME, connect(&self.address)).await.map_err(late);
        let stream =
            stream.and_then(|stream| stream.map_err(Cause::from)).map_err(&out_of_reach)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| out_of_reach(error.into()))?;
        // It ends with the exchange, which tells of its faults.
        let connection = tokio::spawn(connection);
        let what = call.what.clone();
        let failed = |source: Cause| CliError::Unavailable { what: what.clone(), source };
        let sending = Sending::start(call.body.len() as u64);
        let request = self.request(call, &sending).map_err(&failed)?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            Ok::<_, Cause>((status, read(answer.into_body()).await?))
        };
        let exchanged = tokio::time::timeout(ANSWER_TIME, exchange).await.map_err(late);
        sending.end();
        connection.abort();
        exchanged.and_then(|exchanged| exchanged).map_err(failed)
    }

    fn request(&self, call: Call, sending: &Sending) -> Result<Request<Upload>, Cause> {
        let host = match &self.address {
            Listen::Unix(_) => "localhost".to_owned(),
            Listen::Loopback(address) => address.to_string(),
        };
        let mut request =
            Request::builder().method(call.method).uri(call.target).header(HOST, host);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(content_type) = call.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some(signature) = call.signature {
            request = request.header("x-outpost-signature", signature);
        }
        Ok(request.body(Upload::new(call.body, sending.clone()))?)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(address: &Listen) -> io::Result<Box<dyn Stream>> {
    Ok(match address {
        Listen::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Listen::Loopback(address) => Box::new(TcpStream::connect(address).await?),
    })
}

#[expect(clippy::disallowed_methods, reason = "limited here, and in time by the caller")]
async fn read(body: Incoming) -> Result<Bytes, Cause> {
    Ok(Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes())
}

/// The exit code that fits a status: whose fault it is.
fn code(status: StatusCode) -> u8 {
    match status {
        // The package, or what it would do to callers.
        StatusCode::CONFLICT | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            EXIT_DATA
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE => EXIT_UNAVAILABLE,
        status if status.is_client_error() => EXIT_USAGE,
        _ => EXIT_INTERNAL,
    }
}
