//! Our monitoring agent, run from the real binary.

use crate::{AgentChannel, Outpost, binary::text, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

/// The agent, running. Dropped, it is killed; when the story is failing, what it said is printed.
#[derive(Debug)]
pub struct Monitor {
    child: Child,
    said: PathBuf,
}

impl Monitor {
    /// Writes the settings of an agent that reports to `url` into a folder, in which its state lies too, and gives the
    /// file's path. `more` are lines of YAML.
    pub fn configure(
        folder: &Path,
        url: &str,
        channels: &[AgentChannel<'_>],
        more: &str,
    ) -> PathBuf {
        let file = folder.join("mlops.agent.conf.yaml");
        let channels: String = channels.iter().enumerate().map(AgentChannel::plain_yaml).collect();
        let settings = format!(
            "mlopsUrl: \"{url}\"\nagentPendingRecordsTimeoutMs: 100\nretryMs: 20\nretryMaxMs: 200\n\
             stateDirectory: {:?}\n{more}\nchannelConfigs:\n{channels}",
            folder.join("state"),
        );
        std::fs::write(&file, settings).expect("the folder takes a file");
        file
    }

    /// Starts it with a file that [`Monitor::configure`] made.
    pub fn start(file: &Path, arguments: &[&str]) -> Self {
        Self::known_by("canary-token", file, arguments)
    }

    /// The same, with a token for the server.
    pub fn known_by(token: &str, file: &Path, arguments: &[&str]) -> Self {
        let said = file.with_extension("said");
        let log = File::options().append(true).create(true).open(&said);
        let log = log.expect("the folder takes a file");
        let mut command = Outpost::command(&["agent", "--config", text(file)]);
        command.args(arguments).env("MLOPS_API_TOKEN", token);
        command.stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("the binary starts");
        Self { child, said }
    }

    /// What it said so far, in this run and in those before.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child can be waited for");
    }

    /// SIGTERM, and waits for its end.
    pub fn stop(self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitStatus {
        wait_until("the end of the agent", || self.child.try_wait().expect("a child can be asked"))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- the agent said\n{}---", self.said());
        }
    }
}
