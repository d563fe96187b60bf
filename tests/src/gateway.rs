//! `outpost serve` as a process: the real binary on a free port.

use crate::binary::{Outpost, Run, text};
use crate::client::{Answer, Client};
use crate::patience::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::NamedTempFile;

const ANNOUNCEMENT: &str = "listening on http://127.0.0.1:";

/// A gateway that is about to start.
#[derive(Debug)]
pub struct Serve {
    command: Command,
    settings: String,
}

/// A gateway that runs. Dropped, it is killed; when the story is failing, its log is printed.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    port: u16,
    log: PathBuf,
    /// The file of `--config`; gone with its handle.
    _settings: Option<NamedTempFile>,
}

impl Serve {
    /// The README's model, with its outbox in this folder and no spooler yet.
    pub fn ridge(outbox: &Path) -> Self {
        Self::package(Outpost::ridge(), outbox)
    }

    /// A model package, with its outbox in this folder and no spooler yet.
    pub fn package(package: &Path, outbox: &Path) -> Self {
        let serve = ["serve", "--model", text(package), "--listen", "127.0.0.1:0"];
        let serve = Self { command: Outpost::command(&serve), settings: String::new() };
        serve.with(&["--outbox", text(outbox)])
    }

    /// A folder of packages to follow, with outbox and state in another.
    pub fn folder(models: &Path, place: &Path) -> Self {
        let serve = ["serve", "--models", text(models), "--listen", "127.0.0.1:0"];
        let serve = Self { command: Outpost::command(&serve), settings: String::new() };
        let (outbox, state) = (place.join("outbox"), place.join("state"));
        serve.with(&["--outbox", text(&outbox), "--state", text(&state)])
    }

    /// What the settings name, with its outbox in this folder.
    pub fn settled(toml: &str, outbox: &Path) -> Self {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--outbox", text(outbox)];
        Self { command: Outpost::command(&serve), settings: toml.to_owned() }
    }

    /// Spools to files in this folder.
    pub fn to_files(self, folder: &Path) -> Self {
        self.with(&["--spooler", "filesystem", "--spool-dir", text(folder)])
    }

    /// Spools to a topic of these brokers.
    pub fn to_kafka(self, brokers: &str, topic: &str) -> Self {
        self.with(&["--spooler", "kafka", "--kafka-brokers", brokers, "--kafka-topic", topic])
    }

    /// Spools to a queue of this broker.
    pub fn to_rabbitmq(self, url: &str, queue: &str) -> Self {
        self.with(&["--spooler", "rabbitmq", "--rabbitmq-url", url, "--rabbitmq-queue", queue])
    }

    /// Answers only when the record is safe.
    pub fn durable(self) -> Self {
        self.with(&["--record-class", "durable"])
    }

    /// More settings, as a file given with `--config` has them.
    pub fn settings(mut self, toml: &str) -> Self {
        self.settings.push_str(toml);
        self.settings.push('\n');
        self
    }

    /// Starts it through another program, which becomes it in the end: `words` go before the command line.
    pub fn under(mut self, words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(self.command.get_program()).args(self.command.get_args());
        command.current_dir(crate::root()).stdin(std::process::Stdio::null());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        self.command = command;
        self
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

    /// Runs it to its end, which is soon when it refuses to start.
    ///
    /// # Panics
    ///
    /// When it goes on for too long.
    pub fn refused(mut self) -> Run {
        let _settings = self.write_settings();
        let output = self.command.output().expect("the binary starts");
        Run::of(output)
    }

    fn write_settings(&mut self) -> Option<NamedTempFile> {
        if self.settings.is_empty() {
            return None;
        }
        let file = NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), &self.settings).expect("a temporary file takes text");
        self.command.arg("--config").arg(file.path());
        Some(file)
    }

    /// Starts it and waits until it listens, ready or not.
    ///
    /// # Panics
    ///
    /// When it stops instead.
    pub fn spawn(self) -> Gateway {
        self.try_spawn().unwrap_or_else(|status| panic!("the gateway stopped: {status}"))
    }

    /// The same, or how it ended.
    pub fn try_spawn(mut self) -> Result<Gateway, ExitStatus> {
        let settings = self.write_settings();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = crate::root().join("target/tmp");
        std::fs::create_dir_all(&folder).expect("the target folder takes a folder");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let log = folder.join(format!("gateway-{}-{number}.log", std::process::id()));
        let err = File::create(&log).expect("the target folder takes a file");
        let out = err.try_clone().expect("a file has a second handle");
        let child = self.command.stdout(out).stderr(err).spawn().expect("the binary starts");
        let mut gateway = Gateway { child, port: 0, log, _settings: settings };
        let listens = wait_until("a gateway that listens", || {
            let port = announced(&gateway.log()).map(Ok);
            port.or_else(|| gateway.exited().map(Err))
        });
        listens.map(|port| {
            gateway.port = port;
            gateway
        })
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

    /// Tells an actual, as a form.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    #[track_caller]
    pub fn tell(&self, form: &str) -> Answer {
        let form_type = [("Content-Type", "application/x-www-form-urlencoded")];
        self.client().send("POST", "/actuals", &form_type, form).expect("an answer")
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

    /// The value of a metric, by its name and the labels it begins with, as in `spool_records_refused_total` or
    /// `spool_channel_paused{channel="kafka"`. Zero when it is not there.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{', ',', '}']).then_some(rest)?;
            line.rsplit_once(' ')?.1.parse::<f64>().ok()
        });
        values.sum()
    }

    /// Waits until a metric has such a value.
    pub fn wait_for(&self, name: &str, such: impl Fn(f64) -> bool) {
        wait_until(&format!("{name} in /metrics"), || such(self.metric(name)).then_some(()));
    }

    /// Waits until `/readyz` answers with this status and says this.
    pub fn wait_for_readiness(&self, status: u16, word: &str) {
        wait_until(&format!("{status} and {word:?} from /readyz"), || {
            let answer = self.try_get("/readyz")?;
            (answer.status == status && answer.body.contains(word)).then_some(())
        });
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The ids of its threads.
    pub fn threads(&self) -> Vec<u32> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs");
        threads.filter_map(|thread| thread.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    /// The id of the thread with this name.
    ///
    /// # Panics
    ///
    /// When it has none.
    pub fn thread(&self, name: &str) -> u32 {
        let is = |thread: &u32| {
            std::fs::read_to_string(format!("/proc/{thread}/comm"))
                .is_ok_and(|it| it.trim() == name)
        };
        self.threads().into_iter().find(is).unwrap_or_else(|| panic!("there is no thread {name}"))
    }

    /// A line of `/proc/<pid>/status` that gives kibibytes, as `VmHWM` does.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn kibibytes(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("it runs");
        let value = status.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(':'));
        let digits = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
        digits.expect("a number of kibibytes")
    }

    /// SIGSTOP: it keeps everything it has and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.exited().is_none()
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
