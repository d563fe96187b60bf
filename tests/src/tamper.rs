//! System calls of a running gateway that fail, lie or dawdle: strace in their way.

use crate::gateway::Gateway;
use crate::parts;
use crate::patience::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The thread that writes the outbox's segments.
pub const WRITER: &str = "outbox-writer";

/// Tampering that goes on until it is dropped.
#[derive(Debug)]
pub struct Tamper {
    strace: Child,
}

impl Tamper {
    /// Tampers with one thread's calls. `inject` is strace's word for it, as in `fdatasync:error=EIO:when=3`; calls are
    /// counted from now on.
    pub fn thread(gateway: &Gateway, name: &str, inject: &str) -> Option<Self> {
        let thread = gateway.thread(name);
        Self::attach(&["-p", &thread.to_string()], &[thread], inject)
    }

    /// Tampers with the calls of all threads.
    pub fn process(gateway: &Gateway, inject: &str) -> Option<Self> {
        let pid = gateway.pid();
        Self::attach(&["-f", "-p", &pid.to_string()], &gateway.threads(), inject)
    }

    fn attach(arguments: &[&str], threads: &[u32], inject: &str) -> Option<Self> {
        if !parts::program("strace") || !parts::root("tracing a process") {
            return None;
        }
        let calls = inject.split(':').next().unwrap_or_default();
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        strace.args(["-e", &format!("inject={inject}")]).args(arguments);
        strace.stdin(Stdio::null()).stderr(Stdio::null());
        let tamper = Self { strace: strace.spawn().expect("strace starts") };
        wait_until("a thread that is traced", || {
            threads.iter().all(|it| is_traced(*it)).then_some(())
        });
        Some(tamper)
    }
}

impl Drop for Tamper {
    fn drop(&mut self) {
        // Told to end, strace lets go of what it traces; killed, it might not.
        if matches!(self.strace.try_wait(), Ok(None)) {
            let _gone = kill_process(Pid::from_child(&self.strace), Signal::TERM);
        }
        drop(self.strace.wait());
    }
}

fn is_traced(thread: u32) -> bool {
    let status =
        std::fs::read_to_string(Path::new("/proc").join(thread.to_string()).join("status"));
    // A thread that has ended since needs no tracing.
    status.map_or(true, |status| !status.contains("TracerPid:\t0\n"))
}
