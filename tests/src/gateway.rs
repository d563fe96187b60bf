//! `outpost serve` as a process: the real binary on a free port.

use crate::binary::{Outpost, text};
use crate::client::{Answer, Client};
use crate::patience::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};

const ANNOUNCEMENT: &str = "listening on http://127.0.0.1:";

/// A gateway that is about to start.
#[derive(Debug)]
pub struct Serve {
    command: Command,
}

/// A gateway that runs. Dropped, it is killed; when the story is failing, its log is printed.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Serve {
    /// The README's model, with its outbox in this folder and no spooler yet.
    pub fn ridge(outbox: &Path) -> Self {
        Self::package(Outpost::ridge(), outbox)
    }

    /// A model package, with its outbox in this folder and no spooler yet.
    pub fn package(package: &Path, outbox: &Path) -> Self {
        let serve = ["serve", "--model", text(package), "--listen", "127.0.0.1:0"];
        Self { command: Outpost::command(&serve) }.with(&["--outbox", text(outbox)])
    }

    /// Spools to files in this folder.
    pub fn to_files(self, folder: &Path) -> Self {
        self.with(&["--spooler", "filesystem", "--spool-dir", text(folder)])
    }

    /// Spools to a topic of these brokers.
    pub fn to_kafka(self, brokers: &str, topic: &str) -> Self {
        self.with(&["--spooler", "kafka", "--kafka-brokers", brokers, "--kafka-topic", topic])
    }

    /// Answers only when the record is safe.
    pub fn durable(self) -> Self {
        self.with(&["--record-class", "durable"])
    }

    /// More arguments.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// A name in the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    ///
    /// When it stops instead, or is not ready in time.
    pub fn start(self) -> Gateway {
        let gateway = self.spawn();
        wait_until("a gateway that is ready", || {
            (gateway.try_get("/readyz")?.status == 200).then_some(())
        });
        gateway
    }

    /// Starts it and waits until it listens, ready or not.
    fn spawn(mut self) -> Gateway {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = crate::root().join("target/tmp");
        std::fs::create_dir_all(&folder).expect("the target folder takes a folder");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let log = folder.join(format!("gateway-{}-{number}.log", std::process::id()));
        let err = File::create(&log).expect("the target folder takes a file");
        let out = err.try_clone().expect("a file has a second handle");
        let child = self.command.stdout(out).stderr(err).spawn().expect("the binary starts");
        let mut gateway = Gateway { child, port: 0, log };
        gateway.port = wait_until("a gateway that listens", || {
            let port = announced(&gateway.log());
            if port.is_none()
                && let Some(status) = gateway.exited()
            {
                panic!("the gateway stopped: {status}");
            }
            port
        });
        gateway
    }
}

impl Gateway {
    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A new connection.
    ///
    /// # Panics
    ///
    /// When it does not listen.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.port).expect("the gateway listens")
    }

    /// Asks for a prediction by a form body.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    #[track_caller]
    pub fn predict(&self, form: &str) -> Answer {
        let form_type = [("Content-Type", "application/x-www-form-urlencoded")];
        self.client().send("POST", "/predict", &form_type, form).expect("an answer")
    }

    /// # Panics
    ///
    /// When no answer comes.
    #[track_caller]
    pub fn get(&self, target: &str) -> Answer {
        self.try_get(target).expect("an answer")
    }

    fn try_get(&self, target: &str) -> Option<Answer> {
        Client::connect(self.port).ok()?.send("GET", target, &[], "").ok()
    }

    /// SIGKILL, as a power switch would.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("a child can be waited for");
    }

    /// SIGTERM; the process goes on until it has drained.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end and gives the exit code.
    ///
    /// # Panics
    ///
    /// When it goes on for too long.
    pub fn ended(mut self) -> Option<i32> {
        wait_until("the gateway's end", || self.exited()).code()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("a child that was not waited for has its id");
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- the gateway's log\n{}---", self.log());
        }
        drop(std::fs::remove_file(&self.log));
    }
}

/// The port in the line that says where it listens.
fn announced(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once(ANNOUNCEMENT)?;
    // The line is whole when something follows the digits.
    let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
    rest[..digits].parse().ok()
}
