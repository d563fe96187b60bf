//! An MLOps server that answers as it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;

/// A call that came.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Without `/api/v2/`.
    pub(super) path: String,
    pub(super) token: String,
    pub(super) key: String,
    pub(super) body: Value,
    pub(super) at: Instant,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: String,
    pub(super) body: String,
    /// The answer comes after this, or never.
    pub(super) after: Option<Duration>,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        let (headers, body) = (String::new(), r#"{"message":"ok"}"#.to_owned());
        Self { status, headers, body, after: Some(Duration::ZERO) }
    }

    pub(super) fn wait(status: u16, seconds: u64) -> Self {
        Self { headers: format!("Retry-After: {seconds}\r\n"), ..Self::status(status) }
    }

    pub(super) fn saying(body: &str) -> Self {
        Self { body: body.to_owned(), ..Self::status(202) }
    }

    pub(super) fn never() -> Self {
        Self { after: None, ..Self::status(202) }
    }
}

type Answer = Box<dyn FnMut(&Call) -> Reply + Send>;

pub(super) struct Server {
    port: u16,
    calls: Arc<Mutex<Vec<(Call, u16)>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Server {
    pub(super) fn start(answer: impl FnMut(&Call) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let (heard, answers) = (Arc::clone(&calls), Arc::clone(&answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heard, answers) = (Arc::clone(&heard), Arc::clone(&answers));
                std::thread::spawn(move || serve(stream, &heard, &answers));
            }
        });
        Self { port, calls, answer }
    }

    pub(super) fn yes() -> Self {
        Self::start(|_| Reply::status(202))
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn answer(&self, answer: impl FnMut(&Call) -> Reply + Send + 'static) {
        *self.answer.lock() = Box::new(answer);
    }

    /// All calls so far, with the status of their answers.
    pub(super) fn calls(&self) -> Vec<(Call, u16)> {
        self.calls.lock().clone()
    }

    /// The entries of the calls that were answered with yes.
    pub(super) fn taken(&self) -> Vec<Value> {
        let taken = self.calls().into_iter().filter(|(_, status)| *status == 202);
        taken.flat_map(|(call, _)| call.entries()).collect()
    }

    /// The ids of the records that were taken, sorted.
    pub(super) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.taken().iter().map(id).collect();
        ids.sort();
        ids
    }
}

impl Call {
    /// The entries of its body; a body without a list is one.
    pub(super) fn entries(&self) -> Vec<Value> {
        self.body["data"].as_array().cloned().unwrap_or_else(|| vec![self.body.clone()])
    }

    pub(super) fn is(&self, deployment: &str, what: &str) -> bool {
        self.path == format!("deployments/{deployment}/{what}/fromJSON/")
    }
}

pub(super) fn id(entry: &Value) -> String {
    entry["recordId"].as_str().unwrap_or_default().to_owned()
}

fn serve(
    stream: TcpStream,
    heard: &Mutex<Vec<(Call, u16)>>,
    answers: &Mutex<Answer>,
) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let path = line.split(' ').nth(1)?.split_once("/api/v2/")?.1.to_owned();
        let mut headers = std::collections::BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let mut body = vec![0; header("content-length").parse().ok()?];
        stream.read_exact(&mut body).ok()?;
        let body = serde_json::from_slice(&body).ok()?;
        let (token, key) = (header("authorization"), header("idempotency-key"));
        let call = Call { path, token, key, body, at: Instant::now() };
        let reply = (answers.lock())(&call);
        let Some(after) = reply.after else {
            heard.lock().push((call, 0));
            // The client gives up first.
            let _read = stream.read_line(&mut String::new());
            return None;
        };
        std::thread::sleep(after);
        heard.lock().push((call, reply.status));
        let Reply { status, headers, body, .. } = reply;
        let length = body.len();
        write!(out, "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
            .ok()?;
    }
}
