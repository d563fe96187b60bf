//! An MLOps server that says yes to everything, or what a story wants, and remembers what it took.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The status of a call, by its number and its path.
type Answer = dyn Fn(usize, &str) -> &'static str + Send + Sync;

/// The server. It listens until the test process ends.
#[derive(Debug)]
pub struct Server {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// One request with a body.
#[derive(Clone, Debug)]
pub struct Call {
    /// The path, without what every path begins with: `deployments/<id>/predictionInputs/fromJSON/`.
    pub path: String,
    /// Names in lower case, values as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
}

impl Server {
    /// Starts it on a free port.
    pub fn start() -> Self {
        Self::answering(|_, _| "202 Accepted")
    }

    /// Starts one that answers a call, by its number and its path, with this status (and more lines of a head). What it
    /// does not answer with 202 it does not take.
    pub fn answering(answer: impl Fn(usize, &str) -> &'static str + Send + Sync + 'static) -> Self {
        let answer: Arc<Answer> = Arc::new(answer);
        let number = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&calls);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                let number = Arc::clone(&number);
                std::thread::spawn(move || {
                    let answer = |path: &str| answer(number.fetch_add(1, Ordering::SeqCst), path);
                    serve(stream, &heard, &answer)
                });
            }
        });
        Self { port, calls }
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was told so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers requests until the client goes away. One that cannot be read ends the connection.
fn serve(
    stream: TcpStream,
    heard: &Mutex<Vec<Call>>,
    answer: &dyn Fn(&str) -> &'static str,
) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let path = line.split(' ').nth(1)?.split_once("/api/v2/")?.1.to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(Some(0), |(_, length)| length.parse().ok())?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let (status, answer) = if length == 0 {
            ("200 OK", r#"{"versionString":"2.30.0","major":2,"minor":30}"#)
        } else {
            let body = serde_json::from_slice(&body).ok()?;
            let status = answer(&path);
            if status.starts_with("202") {
                let call = Call { path, headers, body };
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            }
            (status, r#"{"message":"ok"}"#)
        };
        let length = answer.len();
        write!(
            out,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{answer}"
        )
        .ok()?;
    }
}
