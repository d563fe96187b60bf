//! What a prediction's answer takes while the other side is up, down, frozen, and while the disk is slow.
//!
//! One client asks at a steady rate, on one connection, and each answer's time counts from the moment at which the
//! question was due. The weathers are interleaved, and the percentiles are those of all rounds together: the p99 of one
//! round is made by a handful of answers.

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

/// The times of all answers of one run or of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl From<Vec<Duration>> for Times {
    fn from(times: Vec<Duration>) -> Self {
        Self::default().and(Self(times))
    }
}

impl Times {
    /// The same with the times of another run.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.0.sort();
        self
    }

    /// The time that so many of a hundred answers did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }
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
    pub(crate) fn measure(self, kafka: &mut Kafka, topic: &str) -> Times {
        let home = tempfile::tempdir_in(tests::root().join("target/tmp")).expect("a folder");
        let gateway = Serve::ridge(&home.path().join("outbox"))
            .to_kafka(&kafka.brokers(), topic)
            .with(&["--log", "error"])
            .start();
        drop(ask(&gateway, WARM_UP));
        match self {
            Self::Up => ask(&gateway, TIME),
            Self::Down => {
                kafka.kill();
                let times = ask(&gateway, TIME);
                kafka.start();
                times
            }
            Self::Frozen => {
                kafka.freeze();
                let times = ask(&gateway, TIME);
                kafka.thaw();
                times
            }
            Self::SlowDisk => {
                let mut slow = slow_disk(&gateway);
                let times = ask(&gateway, TIME);
                slow.kill().expect("strace runs");
                slow.wait().expect("a child can be waited for");
                times
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

/// Asks at [`RATE`] for so long.
pub(crate) fn steady(gateway: &Gateway, time: Duration) -> Times {
    ask(gateway, time)
}

fn ask(gateway: &Gateway, time: Duration) -> Times {
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
    Times::default().and(Times(times))
}
