//! The direct channel against a server of a few lines that fails on demand.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::channel::tests::{append, outbox, record, rejected, until};
use crate::channel::{Channel, Drained, Secret};
use crate::outbox::{Class, Outbox};

const SOON: Duration = Duration::from_secs(30);
const TOKEN: &str = "canary-token";

/// A call as the server got it.
#[derive(Clone, Debug)]
struct Got {
    path: String,
    headers: BTreeMap<String, String>,
    body: Value,
    bytes: usize,
}

/// What the server does with a call.
enum Does {
    /// Takes it.
    Takes,
    /// Answers with this status, these headers and this text, and takes it not.
    Says(u16, &'static str, &'static str),
    /// Takes it, and answers with this status all the same.
    TakesAndSays(u16),
    /// Takes it, and hangs up.
    TakesAndHangsUp,
    /// Waits until the channel gives up.
    IsSilent,
}

/// Decides on a call; also told how many there were before.
type Judge = dyn Fn(&Got, usize) -> Does + Send + Sync;

/// A server.
struct Server {
    endpoint: String,
    seen: Arc<Mutex<Vec<Got>>>,
    /// What was taken, by idempotency key: once each.
    taken: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Server {
    /// A server on a bare connection.
    fn start(judge: impl Fn(&Got, usize) -> Does + Send + Sync + 'static) -> Self {
        Self::listen("http://127.0.0.1", judge, |stream| stream)
    }

    /// A server that shows a certificate for `name`, which is left in the folder.
    fn start_with_tls(dir: &Path, name: &str) -> (Self, PathBuf) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let file = dir.join(format!("{name}.pem"));
        std::fs::write(&file, made.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.unwrap())
            .unwrap();
        let config = Arc::new(config);
        let wrap = move |stream| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            rustls::StreamOwned::new(session, stream)
        };
        (Self::listen("https://localhost", |_, _| Does::Takes, wrap), file)
    }

    fn listen<S: Read + Write + Send + 'static>(
        base: &str,
        judge: impl Fn(&Got, usize) -> Does + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> S + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("{base}:{}", listener.local_addr().unwrap().port());
        let (seen, taken) = (Arc::default(), Arc::default());
        let server = Self { endpoint, seen: Arc::clone(&seen), taken: Arc::clone(&taken) };
        let judge: Arc<Judge> = Arc::new(judge);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (judge, seen, taken) =
                    (Arc::clone(&judge), Arc::clone(&seen), Arc::clone(&taken));
                let stream = wrap(stream.unwrap());
                std::thread::spawn(move || serve(stream, &*judge, &seen, &taken));
            }
        });
        server
    }

    fn settings(&self) -> DirectSettings {
        DirectSettings {
            retry_ms: 10,
            retry_max_ms: 50,
            retry_operator_ms: 20,
            ..DirectSettings::new(&self.endpoint, Secret::new(TOKEN))
        }
    }

    fn calls(&self) -> Vec<Got> {
        self.seen.lock().clone()
    }

    /// The association ids that the server has, with how often it has them.
    fn ids(&self) -> BTreeMap<String, usize> {
        let mut ids = BTreeMap::new();
        for body in self.taken.lock().values() {
            for entry in body["data"].as_array().unwrap() {
                for id in entry["associationIds"].as_array().into_iter().flatten() {
                    *ids.entry(id.as_str().unwrap().to_owned()).or_default() += 1;
                }
            }
        }
        ids
    }

    fn entries(&self, what: &str) -> usize {
        let is = |entry: &&Value| entry.get(what).is_some();
        let taken = self.taken.lock();
        taken.values().map(|body| body["data"].as_array().unwrap().iter().filter(is).count()).sum()
    }
}

fn serve(
    stream: impl Read + Write,
    judge: &Judge,
    seen: &Mutex<Vec<Got>>,
    taken: &Mutex<BTreeMap<String, Value>>,
) {
    let mut reader = BufReader::new(stream);
    while let Some(got) = request(&mut reader) {
        let before = {
            let mut seen = seen.lock();
            seen.push(got.clone());
            seen.len() - 1
        };
        let take = || {
            let key = got.headers["idempotency-key"].clone();
            let old = taken.lock().insert(key, got.body.clone());
            assert!(old.is_none_or(|old| old == got.body), "one key, two bodies");
        };
        let (status, headers, text) = match judge(&got, before) {
            Does::Takes => {
                take();
                (202, "", "{\"message\":\"ok\"}")
            }
            Does::Says(status, headers, text) => (status, headers, text),
            Does::TakesAndSays(status) => {
                take();
                (status, "", "")
            }
            Does::TakesAndHangsUp => return take(),
            Does::IsSilent => {
                let mut line = String::new();
                // Ends when the other side hangs up.
                let _end = reader.read_line(&mut line);
                return;
            }
        };
        let length = text.len();
        let answer =
            format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{text}");
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn request(reader: &mut BufReader<impl Read>) -> Option<Got> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut start = lines[0].split(' ');
    assert_eq!(start.next(), Some("POST"));
    let path = start.next()?.to_owned();
    let header = |line: &String| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let headers: BTreeMap<_, _> = lines[1..].iter().map(header).collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(Got { path, headers, bytes: body.len(), body: serde_json::from_slice(&body).unwrap() })
}

fn start(outbox: &Outbox, settings: DirectSettings) -> Channel {
    Channel::start(outbox, "direct", Box::new(Direct::new(settings).unwrap())).unwrap()
}

/// Fills an outbox and closes it, so that all its records are there before the channel starts.
fn filled(dir: &std::path::Path, names: impl IntoIterator<Item = u64>) -> Outbox {
    let outbox = outbox(dir);
    append(&outbox, names);
    outbox.close(SOON).unwrap();
    outbox
}

fn settle(channel: &Channel) {
    until("all is settled", || channel.status().waiting_records == 0);
}

/// Each of these once.
fn once(names: impl IntoIterator<Item = u64>) -> BTreeMap<String, usize> {
    names.into_iter().map(|name| (format!("{name}-0"), 1)).collect()
}

#[test]
fn many_records_go_in_few_calls() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| Does::Takes);
    let outbox = filled(dir.path(), 1..=450);
    let channel = start(&outbox, server.settings());
    settle(&channel);
    let status = channel.status();
    assert_eq!((status.delivered_records, status.retries, status.rejected_records), (450, 0, 0));
    assert_eq!(server.ids(), once(1..=450));
    assert_eq!(server.entries("numPredictions"), 450);
    let calls = server.calls();
    // 450 entries with rows by at most 100, and as many about requests by at most 500; the rest is how they came.
    assert!(calls.len() <= 12, "{} calls", calls.len());
    let call = calls.iter().find(|call| call.path.contains("predictionInputs")).unwrap();
    assert_eq!(call.path, "/api/v2/deployments/d1/predictionInputs/fromJSON/");
    assert_eq!(call.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(call.headers["content-type"], "application/json");
    assert!(call.headers["user-agent"].starts_with("outpost/"));
    let expected = serde_json::json!({
        "timestamp": "2026-11-24 23:30:12.052+0000",
        "modelId": "m1",
        "features": [{"name": "x", "values": [1.5]}],
        "predictions": [2.5],
        "associationIds": ["1-0"],
    });
    // Beside the library's fields an entry says where it comes from.
    let mut entry = call.body["data"][0].clone();
    let mut ours = |key: &str| entry.as_object_mut().unwrap().remove(key);
    assert!(ours("recordId").is_some_and(|id| id.as_str().unwrap().parse::<Uuid>().is_ok()));
    assert!(
        ours("modelDigest").is_some_and(|digest| digest.as_str().unwrap().starts_with("sha256:"))
    );
    assert_eq!(entry, expected);
    let requests = calls.iter().find(|call| call.path.contains("predictionRequests")).unwrap();
    assert_eq!(requests.path, "/api/v2/deployments/d1/predictionRequests/fromJSON/");
    assert_eq!(requests.body["data"][0]["executionTime"], 1.0);
    assert_eq!(channel.stop(SOON), Drained { waiting_records: 0 });
}

#[test]
fn an_answer_that_is_lost_brings_the_same_call_again() {
    for (name, does) in [
        ("hangs up", (|| Does::TakesAndHangsUp) as fn() -> Does),
        ("500", || Does::TakesAndSays(500)),
        ("504", || Does::TakesAndSays(504)),
        ("time-out", || Does::IsSilent),
    ] {
        let dir = tempfile::tempdir().unwrap();
        // Every third call goes wrong.
        let server =
            Server::start(move |_, before| if before % 3 == 1 { does() } else { Does::Takes });
        let outbox = outbox(dir.path());
        append(&outbox, 1..=120);
        let settings = DirectSettings { timeout_ms: 300, ..server.settings() };
        let channel = start(&outbox, settings);
        // More comes while calls are made again, and must not get into them.
        append(&outbox, 121..=240);
        outbox.close(SOON).unwrap();
        settle(&channel);
        assert_eq!(server.ids(), once(1..=240), "{name}");
        assert_eq!(server.entries("numPredictions"), 240, "{name}");
        let status = channel.status();
        assert!(status.retries > 0 && status.rejected_records == 0, "{name}: {status:?}");
        assert_eq!(status.delivered_records, 240, "{name}");
    }
}

#[test]
fn a_server_that_asks_to_wait_is_left_alone_so_long() {
    for (status, header) in [(429, "Retry-After: 1\r\n"), (503, "Retry-After: 1\r\n")] {
        let dir = tempfile::tempdir().unwrap();
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let server = Server::start(move |_, before| {
            seen.lock().push(std::time::Instant::now());
            if before == 0 { Does::Says(status, header, "slow down") } else { Does::Takes }
        });
        let outbox = filled(dir.path(), 1..=3);
        let channel = start(&outbox, server.settings());
        settle(&channel);
        let times = times.lock();
        let waited = times[1] - times[0];
        assert!(waited >= Duration::from_secs(1), "{status}: {waited:?}");
        assert_eq!(server.ids(), once(1..=3));
        let calls = server.calls();
        assert_eq!(calls[0].headers["idempotency-key"], calls[1].headers["idempotency-key"]);
        assert!(channel.status().last_error.unwrap().contains("slow down"));
    }
}

#[test]
fn a_wait_that_a_server_asks_for_is_bounded() {
    let server = Server::start(|_, before| {
        if before == 0 { Does::Says(429, "Retry-After: 86400\r\n", "") } else { Does::Takes }
    });
    let dir = tempfile::tempdir().unwrap();
    let outbox = filled(dir.path(), 1..=1);
    let channel = start(&outbox, DirectSettings { retry_after_max_ms: 50, ..server.settings() });
    settle(&channel);
    assert_eq!(server.ids(), once(1..=1));
}

#[test]
fn one_record_that_is_refused_does_not_cost_its_neighbours() {
    for status in [400, 422] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(move |got, _| {
            if got.body.to_string().contains("\"7-0\"") {
                Does::Says(status, "", "{\"message\":\"no such\\nthing\"}")
            } else {
                Does::Takes
            }
        });
        let outbox = filled(dir.path(), 1..=20);
        let channel = start(&outbox, server.settings());
        settle(&channel);
        assert_eq!(rejected(dir.path(), "direct"), ["7"], "{status}");
        let ids = server.ids();
        let kept: Vec<u64> = (1..=20).filter(|name| *name != 7).collect();
        assert_eq!(
            ids.keys().cloned().collect::<Vec<_>>(),
            once(kept).into_keys().collect::<Vec<_>>()
        );
        assert_eq!(channel.status().rejected_records, 1);
    }
}

#[test]
fn a_call_that_is_too_large_becomes_smaller_ones() {
    let dir = tempfile::tempdir().unwrap();
    let server =
        Server::start(
            |got, _| {
                if got.bytes > 3000 { Does::Says(413, "", "") } else { Does::Takes }
            },
        );
    let outbox = outbox(dir.path());
    outbox.append(&record("many", 100), Class::Observe).unwrap();
    append(&outbox, 2..=40);
    // A single row that no call can hold.
    outbox.append(&record(&"n".repeat(4000), 1), Class::Observe).unwrap();
    append(&outbox, 42..=42);
    outbox.close(SOON).unwrap();
    let channel = start(&outbox, server.settings());
    settle(&channel);
    assert_eq!(rejected(dir.path(), "direct"), ["41"]);
    let mut expected = once((2..=40).chain([42]));
    expected.extend((0..100).map(|row| (format!("many-{row}"), 1)));
    assert_eq!(server.ids(), expected);
}

#[test]
fn what_only_an_operator_can_mend_pauses_the_channel() {
    for (status, header) in
        [(401, ""), (403, ""), (404, ""), (301, "Location: http://127.0.0.1:9/\r\n")]
    {
        let dir = tempfile::tempdir().unwrap();
        let mended = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let is_mended = Arc::clone(&mended);
        let server = Server::start(move |_, _| {
            if is_mended.load(std::sync::atomic::Ordering::Relaxed) {
                return Does::Takes;
            }
            Does::Says(status, header, "{\"message\":\"canary-token is not known\"}")
        });
        let outbox = filled(dir.path(), 1..=3);
        let channel = start(&outbox, server.settings());
        until("paused", || channel.status().paused.is_some());
        let why = channel.status().paused.unwrap();
        assert!(why.contains(&status.to_string()) && why.contains("deployment \"d1\""), "{why}");
        assert!(!why.contains(TOKEN), "{why}");
        assert_eq!(channel.status().waiting_records, 3);
        mended.store(true, std::sync::atomic::Ordering::Relaxed);
        settle(&channel);
        assert_eq!(server.ids(), once(1..=3));
        assert_eq!(channel.status().rejected_records, 0);
    }
}

#[test]
fn a_token_in_a_file_is_read_again_after_a_failure() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "old\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start(|got, _| {
        if got.headers["authorization"] == "Bearer new" {
            Does::Takes
        } else {
            Does::Says(401, "", "")
        }
    });
    let outbox = filled(dir.path(), 1..=3);
    let settings =
        DirectSettings { token: None, token_file: Some(file.clone()), ..server.settings() };
    let channel = start(&outbox, settings);
    until("paused", || channel.status().paused.is_some());
    std::fs::write(&file, "new\n").unwrap();
    settle(&channel);
    assert_eq!(server.ids(), once(1..=3));
}

#[test]
fn a_server_that_is_silent_or_away_does_not_keep_the_channel_from_stopping() {
    let silent = Server::start(|_, _| Does::IsSilent);
    let nobody = DirectSettings {
        retry_ms: 10,
        ..DirectSettings::new("http://127.0.0.1:9", Secret::new(TOKEN))
    };
    for settings in [silent.settings(), nobody] {
        let dir = tempfile::tempdir().unwrap();
        let outbox = filled(dir.path(), 1..=3);
        let channel = start(&outbox, settings);
        until("it tries", || channel.status().sent_messages > 0);
        let begun = std::time::Instant::now();
        assert_eq!(channel.stop(Duration::from_millis(100)), Drained { waiting_records: 3 });
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_token_that_cannot_be_sent_is_an_error_without_it() {
    for token in ["", "canary token", "canary\n", "canäry"] {
        let error = Direct::new(DirectSettings::new("https://a", Secret::new(token))).map(drop);
        let error = error.unwrap_err();
        assert!(matches!(&error, ChannelError::Setting { setting: "token", .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("can"), "{error:?}");
    }
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    for text in
        [None, Some("nothing"), Some("-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n")]
    {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let settings = DirectSettings::new("https://a", Secret::new(TOKEN));
        let error = Direct::new(DirectSettings { ca_location: Some(file.clone()), ..settings });
        let error = error.map(drop).unwrap_err();
        assert!(
            matches!(&error, ChannelError::Certificates { reason } if reason.contains("ca.pem")),
            "{error}"
        );
    }
}

#[test]
fn a_server_is_trusted_by_its_certificate_and_name() {
    let dir = tempfile::tempdir().unwrap();
    let (server, trusted) = Server::start_with_tls(dir.path(), "localhost");
    let (misnamed, other) = Server::start_with_tls(dir.path(), "elsewhere");
    let table = [
        (&server, Some(trusted.clone()), true),
        (&server, Some(other.clone()), false),
        (&server, None, false),
        (&misnamed, Some(other), false),
    ];
    for (number, (server, ca_location, good)) in table.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = filled(dir.path(), 1..=2);
        let channel = start(&outbox, DirectSettings { ca_location, ..server.settings() });
        if good {
            settle(&channel);
            assert_eq!(server.ids(), once(1..=2));
            continue;
        }
        until("paused", || channel.status().paused.is_some());
        let why = channel.status().paused.unwrap();
        assert!(why.contains("ca_location"), "{number}: {why}");
        assert_eq!(channel.stop(Duration::ZERO), Drained { waiting_records: 2 });
    }
}
