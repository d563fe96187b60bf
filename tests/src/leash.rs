//! The leash on which a broker hangs: a shell that kills it and removes its folder as soon as the pipe to this process
//! closes, however this process ends. So a shared broker outlives each story and nothing outlives the test run.
//!
//! A broker may be a handful of processes, so it gets a session of its own, and they stop and end together.

use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

// $1 is the folder, the rest is the broker's command line. A line on standard input stops the broker and keeps the
// folder; the end of standard input removes the folder too. Ctrl-C reaches this shell as well; it waits for the pipe.
const SCRIPT: &str = r#"
trap '' INT HUP TERM
home=$1; shift
setsid "$@" >> "$home/broker.log" 2>&1 < /dev/null &
echo $!
read -r keep
kill -9 -$!
wait
[ -n "$keep" ] || rm -rf "$home"
"#;

/// A broker that runs. Dropped, it is killed and its folder removed.
#[derive(Debug)]
pub(crate) struct Leash {
    shell: Child,
    group: Pid,
}

impl Leash {
    /// Starts a broker whose folder is `home` by this command line, with these names in its environment. What it says
    /// goes to `broker.log` there.
    pub(crate) fn start<W: AsRef<OsStr>>(
        home: &Path,
        words: impl IntoIterator<Item = W>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "leash"]).arg(home).args(words).envs(environment);
        let mut shell =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        let mut line = String::new();
        let output = shell.stdout.take().expect("the shell's output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("the shell prints the broker's id");
        let group = line.trim().parse().ok().and_then(Pid::from_raw).expect("a process id");
        Self { shell, group }
    }

    /// SIGKILL for all of it; its folder stays.
    pub(crate) fn kill(mut self) {
        // A leash that is gone has killed the broker.
        drop(self.shell.stdin.take().map(|mut line| line.write_all(b"keep\n")));
        self.shell.wait().expect("a child can be waited for");
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process_group(self.group, signal).expect("the broker runs");
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        drop(self.shell.wait());
    }
}
