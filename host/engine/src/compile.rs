//! Machine code from a child process, so that a package cannot take the gateway's processors or memory while it is
//! compiled: compiling is work that grows with the code, and neither deadlines nor budgets of guests apply to it.
//!
//! # Constraints
//!
//! - The child is this very program, started with arguments that make it call [`compile_package`]: other code would
//!   make other machine code. It gets the package on its standard input and nothing else: no file, and no environment
//!   but the allocator's.
//! - Before it has read a byte of the package it has put limits on itself (`child.rs`): processor time and memory that
//!   the kernel enforces, a low claim on both, one thread. The parent enforces the wall clock, by killing it.
//! - One package is compiled at a time, so that the limit of memory is one of the whole program.
//!
//! # Failure
//!
//! The machine code is trusted as if this process had made it: the same program made it and handed it over a pipe that
//! nobody else holds. Length and checksum in the answer only tell whether it came whole (`form.rs`). Whatever ends
//! the child (a limit, a signal, a crash of the compiler) is a [`CompileError`] that names what to do, and costs this one
//! package.

mod child;
mod form;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::Signal;

pub use self::child::{CompilerError, compile_package};
use self::form::{Answer, HEAD_BYTES, Request};
use crate::error::CompileError;
use crate::runtime::Placement;
use crate::settings::{COMPILE_BYTES, COMPILE_CPU, COMPILE_TIME};

/// Bytes of the child's messages that are looked at.
const SAID_BYTES: u64 = 16 << 10;
/// How the allocator ends a program that gets no memory.
const OUT_OF_MEMORY: &str = "memory allocation of";
/// How often to ask whether a child that has closed its output is gone.
const ASK_AGAIN: Duration = Duration::from_millis(2);

/// How machine code is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    /// The program to start: this one.
    pub program: PathBuf,
    /// The arguments that make it call [`compile_package`].
    pub args: Vec<OsString>,
    /// All of its environment. An allocator that takes much memory at once, to have it, must be told not to: the limit
    /// counts what is there, used or not, and what was there before the limit is not held to it.
    pub env: Vec<(OsString, OsString)>,
    /// What it may use for one package.
    pub limits: CompileLimits,
}

/// What compiling one package may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Processor time, rounded up to whole seconds.
    pub cpu_time: Duration,
    /// Memory, in bytes: the package several times, what the compiler needs for it, and the machine code.
    pub memory_bytes: u64,
    /// Time by the clock on the wall.
    pub wall_time: Duration,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { cpu_time: COMPILE_CPU, memory_bytes: COMPILE_BYTES, wall_time: COMPILE_TIME }
    }
}

/// How far a compiler stands back behind packages that serve, when processors are short.
const NICE: u64 = 10;

/// Starts compilers, one after the other.
#[derive(Debug)]
pub(crate) struct Compilers {
    compiler: Compiler,
    placement: Placement,
    turn: Mutex<()>,
}

impl Compilers {
    pub(crate) fn new(compiler: Compiler, placement: Placement) -> Self {
        Self { compiler, placement, turn: Mutex::new(()) }
    }

    /// The package's machine code.
    /// While packages serve, the compiler stands back behind them; at a start there is nobody to stand back for.
    pub(crate) fn compile(&self, package: &[u8], serving: bool) -> Result<Vec<u8>, CompileError> {
        let _turn = self.turn.lock();
        let limits = self.compiler.limits;
        let until = Instant::now() + limits.wall_time;
        let failed =
            |source| CompileError::Start { program: self.compiler.program.clone(), source };
        let mut child = Ended(self.start().map_err(failed)?);
        let (input, output, errors) =
            (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
        let (Some(input), Some(mut output), Some(errors)) = (input, output, errors) else {
            return Err(failed(io::Error::other("its pipes are missing")));
        };
        let request = Request {
            placement: self.placement,
            cpu_seconds: whole_seconds(limits.cpu_time),
            memory_bytes: limits.memory_bytes,
            package_bytes: package.len() as u64,
            nice: if serving { NICE } else { 0 },
        };
        std::thread::scope(|scope| {
            // A child that dies before it has read everything says why elsewhere.
            scope.spawn(move || drop(send(input, &request, package)));
            let said = scope.spawn(move || read(errors, SAID_BYTES));
            let (whole, came) = mpsc::sync_channel(1);
            scope.spawn(move || {
                let bytes = read(&mut output, limits.memory_bytes.saturating_add(HEAD_BYTES));
                // Nobody waits any more when it came too late.
                drop(whole.send(bytes));
            });
            let left = until.saturating_duration_since(Instant::now());
            let Ok(bytes) = came.recv_timeout(left) else {
                child.end();
                return Err(CompileError::WallTime { limit: limits.wall_time });
            };
            let wrong = match Answer::read(bytes) {
                Ok(Answer::Code(code)) => return Ok(code),
                Ok(Answer::Invalid(why)) => return Err(CompileError::Invalid(why)),
                Ok(Answer::OutOfMemory) => {
                    return Err(CompileError::Memory { limit: limits.memory_bytes });
                }
                Err(wrong) => wrong,
            };
            let Some(status) = child.wait(until) else {
                return Err(CompileError::WallTime { limit: limits.wall_time });
            };
            let said = said.join().unwrap_or_default();
            Err(why(status, &String::from_utf8_lossy(&said), wrong, &limits))
        })
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.compiler.program)
            .args(&self.compiler.args)
            .env_clear()
            .envs(self.compiler.env.iter().cloned())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// What ended a child that gave no whole answer.
fn why(
    status: ExitStatus,
    said: &str,
    wrong: &'static str,
    limits: &CompileLimits,
) -> CompileError {
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return CompileError::CpuTime { limit: limits.cpu_time };
    }
    if said.contains(OUT_OF_MEMORY) {
        return CompileError::Memory { limit: limits.memory_bytes };
    }
    // The last line, but for the advice that follows a panic.
    let told = |line: &&str| !line.trim().is_empty() && !line.starts_with("note:");
    let last = said.lines().rfind(told).unwrap_or("nothing").trim().to_owned();
    if status.success() {
        CompileError::Answer { wrong, said: last }
    } else {
        CompileError::Died { status: status.to_string(), said: last }
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn send(mut input: ChildStdin, request: &Request, package: &[u8]) -> io::Result<()> {
    input.write_all(&request.bytes())?;
    input.write_all(package)
}

/// What comes, up to a limit. What came before an error is what there is.
fn read(from: impl Read, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = from.take(limit).read_to_end(&mut bytes) {
        tracing::debug!(%error, "Compiler's pipe broke");
    }
    bytes
}

/// A child that is ended with its handle, and never left to be waited for.
struct Ended(Child);

impl Ended {
    /// Waits until it has ended, or kills it. None when it had to be killed.
    fn wait(&mut self, until: Instant) -> Option<ExitStatus> {
        loop {
            if let Some(status) = self.0.try_wait().ok()? {
                return Some(status);
            }
            if Instant::now() >= until {
                self.end();
                return None;
            }
            std::thread::sleep(ASK_AGAIN);
        }
    }

    fn end(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.end();
    }
}
