//! A command of the real binary that runs until it is told to stop: the MLOps server, the monitoring agent.

use crate::binary::Outpost;
use crate::patience::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};

/// How it says that it is there. A port follows.
const ANNOUNCEMENT: &str = "listening on http://127.0.0.1:";

/// The process. Dropped, it is killed; when the story is failing, its log is printed.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    name: &'static str,
    port: u16,
    log: PathBuf,
}

impl Daemon {
    /// Starts `outpost <arguments>` and waits until it listens.
    ///
    /// # Panics
    ///
    /// When it stops instead.
    pub fn start(name: &'static str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = crate::root().join("target/tmp");
        std::fs::create_dir_all(&folder).expect("the target folder takes a folder");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let log = folder.join(format!("{name}-{}-{number}.log", std::process::id()));
        let err = File::create(&log).expect("the target folder takes a file");
        let out = err.try_clone().expect("a file has a second handle");
        let mut command = Outpost::command(arguments);
        command.envs(environment.iter().copied()).stdout(out).stderr(err);
        let child = command.spawn().expect("the binary starts");
        let mut daemon = Self { child, name, port: 0, log };
        daemon.port = wait_until("a process that listens", || {
            let port = announced(&daemon.log());
            if port.is_none()
                && let Some(status) = daemon.exited()
            {
                panic!("the {name} stopped: {status}");
            }
            port
        });
        daemon
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child can be waited for");
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).expect("it runs");
    }

    /// How it ended, once it has.
    pub fn ended(mut self) -> Option<i32> {
        wait_until("the end of a process", || self.exited()).code()
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked after")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- log of the {}\n{}---", self.name, self.log());
        } else {
            drop(std::fs::remove_file(&self.log));
        }
    }
}

fn announced(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once(ANNOUNCEMENT)?;
    let (port, _) = rest.split_once(|c: char| !c.is_ascii_digit())?;
    port.parse().ok()
}
