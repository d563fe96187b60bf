//! From the start of the process to the first answer, with machine code in the cache.

use super::{GOAL_RESIDENT_MIB, GOAL_START_MS};
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tests::{Client, Outpost, README_ROW, Serve};

const STARTS: usize = 21;
/// Requests after which memory is looked at.
const REQUESTS: usize = 5000;

pub(crate) struct Figures {
    median: Duration,
    slowest: Duration,
    resident_kib: u64,
}

pub(super) fn measure(package: &Path) -> Figures {
    let folder = tempfile::tempdir_in(tests::root().join("target/tmp")).expect("a folder");
    let settings = format!("[engine]\ncache = {:?}\n", folder.path().join("cache"));
    let outbox = folder.path().join("outbox");
    let cached = settings.clone();
    // Fills the cache.
    drop(Serve::package(package, &outbox).settings(&settings).start());
    let file = folder.path().join("gateway.toml");
    let settings =
        format!("[deployment]\nmodel = {package:?}\n[outbox]\ndir = {outbox:?}\n{settings}");
    std::fs::write(&file, settings).expect("a folder takes a file");
    let mut times: Vec<Duration> = (0..STARTS).map(|_| first_answer(&file)).collect();
    times.sort();

    let gateway = Serve::package(package, &outbox).settings(&cached).start();
    let mut client = gateway.client();
    for _ in 0..REQUESTS {
        ask(&mut client);
    }
    let resident_kib = gateway.kibibytes("VmRSS");
    Figures { median: times[STARTS / 2], slowest: times[STARTS - 1], resident_kib }
}

/// The port is known before, so that nothing has to be read from a log.
fn first_answer(settings: &Path) -> Duration {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = port.expect("a free port").port();
    let settings = settings.to_str().expect("paths are UTF-8");
    let listen = format!("127.0.0.1:{port}");
    let mut command = Outpost::command(&["serve", "--config", settings, "--listen", &listen]);
    let started = Instant::now();
    let mut child = command.stderr(Stdio::null()).spawn().expect("the binary starts");
    let mut client = loop {
        match Client::connect(port) {
            Ok(client) => break client,
            Err(_) => std::thread::sleep(Duration::from_micros(200)),
        }
        assert!(child.try_wait().expect("a child").is_none(), "the gateway stopped");
    };
    ask(&mut client);
    let took = started.elapsed();
    child.kill().and_then(|()| child.wait()).expect("a child can be killed");
    took
}

fn ask(client: &mut Client) {
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = client.send("POST", "/predict", &form, README_ROW).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
}

impl Figures {
    pub(super) fn report(&self, text: &mut String) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        writeln!(text, "\nOne model, machine code in the cache, {STARTS} starts:\n")?;
        writeln!(text, "| | measured | goal |\n|---|---:|---:|")?;
        writeln!(
            text,
            "| from the start of the process to the first answer, median (slowest) | {:.0} ms ({:.0} ms) | under {GOAL_START_MS} ms |",
            ms(self.median),
            ms(self.slowest)
        )?;
        writeln!(
            text,
            "| resident after {REQUESTS} requests | {:.1} MiB | under {GOAL_RESIDENT_MIB} MiB |",
            self.resident_kib as f64 / 1024.0
        )
    }
}
