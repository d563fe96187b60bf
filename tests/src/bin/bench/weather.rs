//! What a prediction's answer takes while the other side is up, down, frozen, and while the disk is slow.
//!
//! One client asks at a steady rate, on one connection, and each answer's time counts from the moment at which the
//! question was due. All gateways run through all weathers, interleaved.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::{Gateway, Kafka, Serve};

/// Questions a second.
pub(crate) const RATE: u32 = 1000;
const TIME: Duration = Duration::from_secs(6);
const WARM_UP: Duration = Duration::from_secs(1);

/// What surrounds the gateway.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weather {
    Up,
    Down,
    Frozen,
    SlowDisk,
}

/// Latency of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Weather {
    /// In the order of the report.
    pub(crate) const ALL: [Self; 4] = [Self::Up, Self::Down, Self::Frozen, Self::SlowDisk];

    /// As the report says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Up => "broker up",
            Self::Down => "broker down",
            Self::Frozen => "broker frozen (SIGSTOP)",
            Self::SlowDisk => "broker up, each sync 200 ms slower",
        }
    }

    /// One run; the broker is up before and after.
    pub(crate) fn measure(self, kafka: &mut Kafka, topic: &str) -> Sample {
        let home = tempfile::tempdir_in(tests::root().join("target/tmp")).expect("a folder");
        let gateway = Serve::ridge(&home.path().join("outbox"))
            .to_kafka(&kafka.brokers(), topic)
            .with(&["--log", "error"])
            .start();
        ask(&gateway, WARM_UP);
        match self {
            Self::Up => ask(&gateway, TIME),
            Self::Down => {
                kafka.kill();
                let sample = ask(&gateway, TIME);
                kafka.start();
                sample
            }
            Self::Frozen => {
                kafka.freeze();
                let sample = ask(&gateway, TIME);
                kafka.thaw();
                sample
            }
            Self::SlowDisk => {
                let mut slow = slow_disk(&gateway);
                let sample = ask(&gateway, TIME);
                slow.kill().expect("strace runs");
                slow.wait().expect("a child can be waited for");
                sample
            }
        }
    }
}

/// Delays every sync of the outbox. Only its thread is traced, so that nothing else is slowed down.
fn slow_disk(gateway: &Gateway) -> std::process::Child {
    assert!(
        Path::new("/usr/bin/strace").exists(),
        "strace is missing: `tests/setup/debian.sh test`"
    );
    let child = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "-e", "trace=fdatasync"])
        .args([
            "-e",
            "inject=fdatasync:delay_enter=200000",
            "-p",
            &gateway.thread("outbox-writer").to_string(),
        ])
        .spawn()
        .expect("strace starts");
    // It is there when the process has a tracer.
    let status = format!("/proc/{}/status", gateway.thread("outbox-writer"));
    tests::wait_until("a tracer", || {
        let status = std::fs::read_to_string(&status).ok()?;
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
        (tracer.trim() != "0").then_some(())
    });
    child
}

fn ask(gateway: &Gateway, time: Duration) -> Sample {
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let mut client = gateway.client();
    let step = Duration::from_secs(1) / RATE;
    let begun = Instant::now();
    let mut times = Vec::new();
    for number in 0.. {
        let due = begun + step * number;
        if due.duration_since(begun) >= time {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let answer = client.send("POST", "/predict", &form, tests::README_ROW).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        times.push(due.elapsed());
    }
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    Sample { p50: at(50), p99: at(99) }
}
