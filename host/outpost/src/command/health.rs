//! `outpost health`: asks whether something lives, for containers that have no other program to ask with.

use crate::cli::Health;
use crate::error::CliError;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpStream;

/// For all of it. Whoever asks asks again soon.
const ANSWER_TIME: Duration = Duration::from_secs(5);

type Cause = Box<dyn Error + Send + Sync>;

pub(crate) fn run(args: &Health) -> Result<ExitCode, CliError> {
    let (host, port) = place(&args.url).ok_or_else(|| {
        CliError::Usage(format!(
            "{} is no address to ask: write http://HOST:PORT/PATH; https is not spoken here",
            args.url
        ))
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| CliError::Internal {
        what: "start a thread".into(),
        source: source.into(),
    })?;
    let asked = runtime.block_on(async {
        let asked = tokio::time::timeout(ANSWER_TIME, ask(&args.url, &host, port)).await;
        asked.unwrap_or_else(|_| Err("no answer in time".into()))
    });
    let asked = asked.and_then(|status| {
        if status.is_success() { Ok(()) } else { Err(format!("it answers {status}").into()) }
    });
    let what = || format!("find {} in good health", args.url);
    asked.map_err(|source| CliError::Unavailable { what: what(), source })?;
    Ok(ExitCode::SUCCESS)
}

/// The host, without the brackets of an IPv6 address, and the port.
fn place(url: &Uri) -> Option<(String, u16)> {
    if url.scheme_str() != Some("http") {
        return None;
    }
    let host = url.host().filter(|host| !host.is_empty())?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), url.port_u16().unwrap_or(80)))
}

async fn ask(url: &Uri, host: &str, port: u16) -> Result<StatusCode, Cause> {
    let stream = TcpStream::connect((host, port)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the program, and the answer tells of its faults.
    tokio::spawn(connection);
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    let authority = url.authority().map_or(host, |authority| authority.as_str());
    let request = Request::get(target).header(HOST, authority).body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        let of = |url: &str| place(&url.parse().unwrap());
        assert_eq!(of("http://gateway/healthz"), Some(("gateway".to_owned(), 80)));
        assert_eq!(of("http://[::1]:9091/"), Some(("::1".to_owned(), 9091)));
        for none in ["https://gateway/", "/healthz", "gateway:9091"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
