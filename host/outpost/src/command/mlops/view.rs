//! `outpost mlops status`, `drift` and `accuracy`: what an MLOps server says, drawn for a terminal.

mod accuracy;
mod drift;
mod status;

use crate::cli::{Bucket, Part, Server, Stretch, View};
use crate::draw::plain;
use crate::error::{CliError, EXIT_DATA, EXIT_INTERNAL, EXIT_USAGE, chain};
use crate::files;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use spool::channel::Secret;
use spool::rest::{Outcome, RestClient, RestSettings};
use std::process::ExitCode;
use std::time::Duration;

/// For the server to answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// To reach it.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const ANSWER_BYTES: u64 = 64 << 20;
/// The token, by the library's name.
const TOKEN: &str = "MLOPS_API_TOKEN";
/// Pieces that a picture shows.
const PIECES: usize = 48;

pub(crate) fn run(view: &View) -> Result<ExitCode, CliError> {
    match view {
        View::Status(args) => status::run(args),
        View::Drift(args) => drift::run(args),
        View::Accuracy(args) => accuracy::run(args),
        View::Backup(args) => super::serve::backup(args),
    }
}

/// A way to the server.
struct Client {
    rest: RestClient,
    server: String,
}

impl Client {
    fn new(server: &Server) -> Result<Self, CliError> {
        let token = match &server.token_file {
            Some(_) => None,
            None => Some(std::env::var(TOKEN).map(Secret::new).map_err(|_| {
                CliError::Usage(format!(
                    "the server wants to know who asks: give --token-file, or the token in {TOKEN}"
                ))
            })?),
        };
        if !spool::rest::is_endpoint(&server.server) {
            return Err(CliError::Usage(format!(
                "--server {:?} must be {}",
                server.server,
                spool::rest::ENDPOINT
            )));
        }
        let settings = RestSettings {
            endpoint: server.server.clone(),
            token,
            token_file: server.token_file.clone(),
            ca_location: None,
            verify: true,
            timeout: ANSWER_TIME,
            connect_timeout: CONNECT_TIME,
            connections: 1,
            reply_bytes: ANSWER_BYTES,
        };
        let rest = RestClient::new(&settings).map_err(|error| CliError::Usage(chain(&error)))?;
        Ok(Self { rest, server: server.server.clone() })
    }

    /// Asks for a report; `query` are pairs of names and values that need no escape, but for `:` and `+`.
    fn ask(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, CliError> {
        let mut url = self.rest.url(path);
        for (at, (name, value)) in query.iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url.push_str(&format!("{name}={}", value.replace('+', "%2B")));
        }
        let what = format!("ask the MLOps server at {}", self.server);
        let refused = |why: String, code| {
            Err(CliError::Refused { what: what.clone(), why: plain(&why), code })
        };
        match self.rest.get(&url) {
            Outcome::Taken { reply } => serde_json::from_slice(&reply)
                .map_err(|source| CliError::Internal { what: what.clone(), source: source.into() }),
            Outcome::Wait { why, .. } | Outcome::Unknown { why } => {
                Err(CliError::Unavailable { what, source: why.into() })
            }
            Outcome::Operator { why } => refused(why, EXIT_USAGE),
            Outcome::Refused { why } => refused(why, EXIT_DATA),
            Outcome::TooLarge { why } => refused(why, EXIT_INTERNAL),
        }
    }
}

/// The part of the records as a query.
fn query(stretch: &Stretch) -> Result<Vec<(&'static str, String)>, CliError> {
    let mut query = Vec::new();
    let times = [("start", "--start", &stretch.start), ("end", "--end", &stretch.end)];
    for (name, flag, value) in times {
        if let Some(value) = value {
            query.push((name, time(flag, value)?));
        }
    }
    let bucket = match stretch.bucket {
        Bucket::Hour => "hour",
        Bucket::Day => "day",
        Bucket::Week => "week",
        Bucket::Month => "month",
    };
    query.push(("bucket", bucket.to_owned()));
    if let Some(role) = stretch.role {
        let role = match role {
            Part::Champion => "champion",
            Part::Canary => "canary",
            Part::Challenger => "challenger",
        };
        query.push(("role", role.to_owned()));
    }
    Ok(query)
}

/// A time, or how long ago it was.
fn time(flag: &str, text: &str) -> Result<String, CliError> {
    let wrong = || {
        CliError::Usage(format!(
            "{flag} {text:?} must be a time such as 2026-11-24T08:00:00Z, or how long ago it was, as in 30m, 12h or 7d"
        ))
    };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.to_string());
    }
    let unit = text.chars().last().ok_or_else(wrong)?;
    let hours = match unit {
        'm' => 1.0 / 60.0,
        'h' => 1.0,
        'd' => 24.0,
        _other => return Err(wrong()),
    };
    let count: f64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let ago = SignedDuration::try_from_secs_f64(count * hours * 3600.0).map_err(|_| wrong())?;
    Ok(Timestamp::now().checked_sub(ago).map_err(|_| wrong())?.to_string())
}

/// Prints an answer as it came.
fn print_json(value: &Value) -> Result<ExitCode, CliError> {
    let text = serde_json::to_string_pretty(value).expect("what was JSON is JSON");
    files::print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn count(value: &Value, at: &str) -> u64 {
    value.pointer(at).and_then(Value::as_u64).unwrap_or(0)
}

fn float(value: &Value, at: &str) -> Option<f64> {
    value.pointer(at).and_then(Value::as_f64)
}

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or("")
}

fn list<'a>(value: &'a Value, at: &str) -> &'a [Value] {
    value.pointer(at).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A verdict for people.
fn verdict(status: &str) -> &str {
    match status {
        "green" => "green",
        "yellow" => "YELLOW",
        "red" => "RED",
        "notEnoughData" => "not enough data",
        "noBaseline" => "no training data to compare with",
        other => other,
    }
}

/// The first line of a view.
fn heading(deployment: &str, report: &Value) -> String {
    let minute = |at| {
        let text = text(report, at);
        text.get(..16).unwrap_or(text).replace('T', " ")
    };
    format!(
        "{}   {} to {} UTC\n",
        plain(deployment),
        plain(&minute("/window/start")),
        plain(&minute("/window/end"))
    )
}

/// Values in the order of time as a picture of the latest pieces: as high as they are between 0 and the largest.
fn picture(values: impl Iterator<Item = Option<f64>>) -> String {
    let values: Vec<Option<f64>> = values.collect();
    let values = &values[values.len().saturating_sub(PIECES)..];
    let largest = values.iter().flatten().copied().fold(0.0, f64::max);
    let height = |value: &Option<f64>| match value {
        Some(value) if largest > 0.0 => (value.max(0.0) / largest * 1000.0).ceil() as u64,
        _ => 0,
    };
    crate::draw::sparkline(&values.iter().map(height).collect::<Vec<_>>())
}

/// A whole number with a comma at every thousand.
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number, or a dash.
fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), crate::draw::number)
}

/// A share in percent, or a dash.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(
        || "-".to_owned(),
        |share| format!("{} %", crate::draw::number(round(share * 100.0))),
    )
}

/// Two decimals are enough of a percentage.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moments_or_ages() {
        assert_eq!(time("--start", "2026-11-24T08:00:00Z").unwrap(), "2026-11-24T08:00:00Z");
        let ago: Timestamp = time("--start", "12h").unwrap().parse().unwrap();
        let age = Timestamp::now().duration_since(ago);
        assert!((age.as_secs_f64() - 12.0 * 3600.0).abs() < 60.0, "{age}");
        for wrong in ["", "h", "12", "12 weeks", "-", "1e300d"] {
            let error = time("--start", wrong).unwrap_err().to_string();
            assert!(error.contains("--start"), "{error}");
        }
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(percent(Some(0.01234)), "1.23 %");
        assert_eq!(percent(None), "-");
        assert_eq!(picture([None, Some(0.5), Some(1.0)].into_iter()), " ▄█");
    }
}
