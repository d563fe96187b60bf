//! The servers that are compared, each started for one run and stopped after it.

use crate::wrk;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tests::{Client, Serve, parts, wait_until};

/// A server that answers the README's row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Contender {
    /// The gateway, records to the outbox.
    Outbox,
    /// The gateway, records to the outbox and on to files.
    Files,
    /// hyper alone: parses the form and answers a constant.
    Bare,
    /// Flask, gunicorn with two workers, scikit-learn; no records.
    Flask,
}

impl Contender {
    /// In the order of the report.
    pub(crate) const ALL: [Self; 4] = [Self::Outbox, Self::Files, Self::Bare, Self::Flask];

    /// As the report says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Outbox => "gateway, records to the outbox",
            Self::Files => "gateway, records to the outbox and on to files",
            Self::Bare => "bare hyper server, constant answer",
            Self::Flask => "Flask, gunicorn, scikit-learn, no records",
        }
    }

    /// Starts it, asks it, stops it.
    pub(crate) fn measure(self) -> wrk::Sample {
        let home = tempfile::tempdir().expect("a scratch folder");
        match self {
            Self::Outbox => gateway(Serve::ridge(&home.path().join("outbox"))),
            Self::Files => {
                let spool = home.path().join("spool");
                gateway(Serve::ridge(&home.path().join("outbox")).to_files(&spool))
            }
            Self::Bare => bare(),
            Self::Flask => flask(),
        }
    }
}

fn gateway(serve: Serve) -> wrk::Sample {
    let gateway = serve.with(&["--log", "warn"]).start();
    let sample = wrk::run(gateway.port());
    let metrics = gateway.get("/metrics").body;
    // A refused record would be an answer that cost less than it should.
    for line in
        metrics.lines().filter(|line| line.contains("records_refused") && !line.starts_with('#'))
    {
        assert!(line.ends_with(" 0"), "the outbox did not keep up: {line}");
    }
    sample
}

fn bare() -> wrk::Sample {
    let program = beside("examples/bare");
    let port = free_port();
    let mut command = Command::new(program);
    command.arg(format!("127.0.0.1:{port}"));
    Server::start(command, port).measure()
}

fn flask() -> wrk::Sample {
    let python = parts::python().expect("Python is set up (`make bench` does it)");
    let port = free_port();
    let mut command = Command::new(python);
    command.args(["-m", "gunicorn", "--workers", "2", "--log-level", "error"]);
    command.args([
        "--bind",
        &format!("127.0.0.1:{port}"),
        "--chdir",
        "tests/bench",
        "flask_app:app",
    ]);
    // Set on some machines for old libraries; the current one is faster when it chooses by itself.
    command.env_remove("OPENBLAS_CORETYPE").env_remove("OPENBLAS_L2_SIZE");
    Server::start(command, port).measure()
}

/// A server that is no gateway; stopped when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(mut command: Command, port: u16) -> Self {
        command.current_dir(tests::root()).stdin(Stdio::null());
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let server = Self { child, port };
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        wait_until("a server that answers", || {
            let mut client = Client::connect(port).ok()?;
            let answer = client.send("POST", "/predict", &form, tests::README_ROW).ok()?;
            (answer.status == 200).then_some(())
        });
        server
    }

    fn measure(&self) -> wrk::Sample {
        wrk::run(self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, for gunicorn has to stop its workers; both fail only when it is gone already.
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap_or_default();
        drop(self.child.wait());
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// A program of the same build.
fn beside(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its program");
    own.parent().unwrap_or(Path::new(".")).join(name)
}
