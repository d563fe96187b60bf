//! Calls to an MLOps server, and what its answers mean. Shared by the direct channel and the monitoring agent.
//!
//! A call waits for nothing but the server and its own timeouts; when and whether it is made again is for the caller.
//! The token is in no error and in no answer that is told on.

use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use uuid::Uuid;

use crate::channel::{ChannelError, Secret};

/// Most bytes of an answer that are looked at, by default.
pub const REPLY_BYTES: u64 = 2048;
/// Most characters of an answer that are told on.
const TOLD_CHARS: usize = 200;
/// What stands for the token wherever an answer holds it.
const REDACTED: &str = "[redacted]";

/// Where the server is, how it knows us and how we know it.
#[derive(Clone, Debug)]
pub struct RestSettings {
    /// `https://host`, with a path if it has one. `/api/v2` is added when it is not there.
    pub endpoint: String,
    /// The token.
    pub token: Option<Secret>,
    /// File with the token.
    pub token_file: Option<PathBuf>,
    /// File with the certificates to trust; without it the system's.
    pub ca_location: Option<PathBuf>,
    /// Whether the server's certificate is checked.
    pub verify: bool,
    /// How long a call may take.
    pub timeout: Duration,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// Most connections that are kept for the next call.
    pub connections: usize,
    /// Most bytes of a good answer that are read.
    pub reply_bytes: u64,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has it.
    Taken {
        /// What it says, as far as it was read.
        reply: Vec<u8>,
    },
    /// The server asks to wait.
    Wait {
        /// How long.
        after: Option<Duration>,
        /// What it says.
        why: String,
    },
    /// Nobody knows whether the server has it.
    Unknown {
        /// What went wrong.
        why: String,
    },
    /// Only an operator can mend it.
    Operator {
        /// What it says.
        why: String,
    },
    /// There is too much in it.
    TooLarge {
        /// What it says.
        why: String,
    },
    /// The server will never take it.
    Refused {
        /// What it says.
        why: String,
    },
}

/// A server.
pub struct RestClient {
    agent: Agent,
    /// Without a slash at its end, and with `/api/v2`.
    endpoint: String,
    token: Mutex<Arc<Secret>>,
    token_file: Option<PathBuf>,
    reply_bytes: u64,
}

impl std::fmt::Debug for RestClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestClient").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The endpoint without `/api/v2` and without a slash at its end.
pub fn base(endpoint: &str) -> &str {
    let base = endpoint.trim().trim_end_matches('/');
    base.strip_suffix("/api/v2").unwrap_or(base).trim_end_matches('/')
}

/// What an endpoint must be.
pub const ENDPOINT: &str = "http:// or https:// and a host, without user or query";

/// Whether an endpoint is what it must be.
pub fn is_endpoint(endpoint: &str) -> bool {
    base(endpoint).parse().is_ok_and(|uri: Uri| {
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.host().is_some_and(|host| !host.is_empty());
        // A user in it would be a secret in a place where nobody looks for one.
        let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        scheme && host && !user && uri.query().is_none()
    })
}

/// Whether nobody on the way can read what is sent.
pub fn is_private(endpoint: &str) -> bool {
    let Ok(uri) = base(endpoint).parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    let here = host == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback());
    uri.scheme_str() == Some("https") || here
}

impl RestClient {
    /// Takes settings whose endpoint was checked ([`is_endpoint`]).
    ///
    /// # Errors
    ///
    /// When the token or the certificates cannot be read or used.
    pub fn new(settings: &RestSettings) -> Result<Self, ChannelError> {
        let token_file = settings.token_file.clone();
        let token = Secret::given(settings.token.as_ref(), token_file.as_deref());
        let token = token
            .map_err(|source| ChannelError::Secret { setting: "token_file", source })?
            .filter(is_sendable)
            .ok_or(ChannelError::Setting { setting: "token", must_be: "visible ASCII" })?;
        let roots = match &settings.ca_location {
            Some(file) => {
                certificates(file).map_err(|reason| ChannelError::Certificates { reason })?
            }
            None => RootCerts::PlatformVerifier,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(roots)
            .disable_verification(!settings.verify)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // A redirect would take token and records to somewhere that nobody named.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(settings.timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .max_idle_connections(settings.connections)
            .max_idle_connections_per_host(settings.connections)
            .user_agent(concat!("outpost/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let endpoint = format!("{}/api/v2", base(&settings.endpoint));
        if !is_private(&settings.endpoint) {
            tracing::warn!(endpoint, "Token and records go over a bare connection; take https");
        }
        if !settings.verify {
            tracing::warn!(endpoint, "The server's certificate is not checked: anybody can be it");
        }
        let reply_bytes = settings.reply_bytes;
        Ok(Self { agent, endpoint, token: Mutex::new(Arc::new(token)), token_file, reply_bytes })
    }

    /// Reads the token again, if it is in a file.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn renew_token(&self) -> Result<(), String> {
        let Some(file) = &self.token_file else { return Ok(()) };
        let token = Secret::read(file).map_err(|error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            format!("token_file: {error}{}", source.unwrap_or_default())
        })?;
        if !is_sendable(&token) {
            return Err(format!("token_file: {} must hold visible ASCII", file.display()));
        }
        *self.token.lock() = Arc::new(token);
        Ok(())
    }

    /// The URL of a path: its parts, escaped, and a slash behind each.
    pub fn url(&self, parts: &[&str]) -> String {
        let mut url = format!("{}/", self.endpoint);
        for part in parts {
            url.push_str(&escape(part));
            url.push('/');
        }
        url
    }

    /// Posts a JSON document. The key is the same when the same call is made again.
    pub fn post(&self, url: &str, key: Uuid, body: &[u8]) -> Outcome {
        let secret = Arc::clone(&self.token.lock());
        let token = secret.reveal();
        let sent = self
            .agent
            .post(url)
            .header("Authorization", format!("Bearer {token}"))
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", key.to_string())
            .send(body);
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => return failed(&error),
        };
        let status = response.status().as_u16();
        let retry_after = response.headers().get("Retry-After");
        let after =
            retry_after.and_then(|value| wait(value.to_str().ok()?, jiff::Timestamp::now()));
        let mut text = Vec::new();
        // The status is the answer; what else it says is read as far as it goes.
        let taken = response.status().is_success();
        let most = if taken { self.reply_bytes } else { REPLY_BYTES };
        if let Err(error) = response.body_mut().as_reader().take(most).read_to_end(&mut text) {
            tracing::debug!(%error, "Answer of the server ended early");
        }
        if taken {
            return Outcome::Taken { reply: text };
        }
        let said = tell(&String::from_utf8_lossy(&text).replace(token, REDACTED));
        let reason = response.status().canonical_reason().unwrap_or("unknown status");
        let why = format!("{status} {reason}{}{said}", if said.is_empty() { "" } else { ": " });
        sort(status, after, why)
    }
}

/// What a status means.
fn sort(status: u16, after: Option<Duration>, why: String) -> Outcome {
    match status {
        200..=299 => Outcome::Taken { reply: Vec::new() },
        429 | 503 => Outcome::Wait { after, why },
        408 | 409 | 425 | 500..=599 => Outcome::Unknown { why },
        413 => Outcome::TooLarge { why },
        400 | 422 => Outcome::Refused { why },
        300..=399 => Outcome::Operator { why: format!("{why} (the endpoint redirects)") },
        _other => Outcome::Operator { why },
    }
}

/// What no answer means.
fn failed(error: &ureq::Error) -> Outcome {
    let why = tell(&error.to_string());
    match error {
        // A certificate that we do not trust, or a clock that is wrong.
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => Outcome::Operator {
            why: format!("{why} (check ca_location, and this machine's clock)"),
        },
        ureq::Error::Io(io) if is_certificate(io) => Outcome::Operator {
            why: format!("{why} (check ca_location, and this machine's clock)"),
        },
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Outcome::Operator { why },
        _other => Outcome::Unknown { why },
    }
}

/// TLS tells its errors as errors of the connection.
fn is_certificate(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

/// `Retry-After`: seconds, or a date.
fn wait(value: &str, now: jiff::Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    // A date that is over asks for no wait.
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// A text of somebody else's, fit for a line of a log.
fn tell(text: &str) -> String {
    let plain = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    plain.take(TOLD_CHARS).collect::<String>().trim().to_owned()
}

/// A part of a path.
fn escape(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                path.push(char::from(byte))
            }
            _other => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

fn is_sendable(token: &Secret) -> bool {
    let token = token.reveal();
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn certificates(file: &Path) -> Result<RootCerts, String> {
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let pem = std::fs::read(file).map_err(|error| said(&error))?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| said(&error))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(said(&"it holds no certificate"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: jiff::Timestamp = "2026-11-25T09:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Wed, 25 Nov 2026 09:01:30 GMT", Some(90)),
            ("Wed, 25 Nov 2026 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(wait(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn each_status_has_its_meaning() {
        let meaning = |status| match sort(status, None, String::new()) {
            Outcome::Taken { .. } => "taken",
            Outcome::Wait { .. } => "wait",
            Outcome::Unknown { .. } => "unknown",
            Outcome::Operator { .. } => "operator",
            Outcome::TooLarge { .. } => "too large",
            Outcome::Refused { .. } => "refused",
        };
        for (expected, statuses) in [
            ("taken", &[200, 202, 204][..]),
            ("wait", &[429, 503]),
            ("unknown", &[408, 409, 425, 500, 502, 504, 599]),
            ("too large", &[413]),
            ("refused", &[400, 422]),
            ("operator", &[301, 308, 401, 403, 404, 405, 410, 415, 451]),
        ] {
            for &status in statuses {
                assert_eq!(meaning(status), expected, "{status}");
            }
        }
    }

    #[test]
    fn what_others_say_fits_a_line() {
        assert_eq!(tell(" a\r\nb\u{1b}[31m "), "a  b [31m");
        assert_eq!(tell(&"x".repeat(1000)).len(), TOLD_CHARS);
        assert_eq!(escape("a/b ü..%"), "a%2Fb%20%C3%BC%2E%2E%25");
    }
}
