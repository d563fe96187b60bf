//! The child's side: limits first, then the package, then the compiler.

use std::io::{self, Read, Write};

use rustix::process::{Resource, Rlimit, Signal};
use wasmtime::error::OutOfMemory;

use super::form::{Answer, REQUEST_BYTES, Request};
use crate::error::{Cause, one_line};
use crate::package::PACKAGE_BYTES;
use crate::runtime;

/// The lowest priority that there is.
const NICE_MAX: i32 = 19;
/// Files that it may have open: three pipes, and what the system looks up at the start.
const FILES: u64 = 16;

/// A compiler that could not do its work at all. Its last line is what the parent tells of it.
#[derive(Debug, thiserror::Error)]
pub enum CompilerError {
    /// Nobody asked, or a parent of another version did.
    #[error(
        "compile a package: this command is for `outpost serve` alone, which asks on standard input"
    )]
    NotAsked,
    /// A pipe broke.
    #[error("compile a package: the pipe to the gateway broke")]
    Pipe(#[from] io::Error),
    /// A limit cannot be set.
    #[error("compile a package: limit {what}")]
    Limit {
        /// What it would have limited.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The runtime refused its configuration.
    #[error("compile a package: start the WebAssembly runtime")]
    Runtime(#[source] Cause),
}

/// What a program does that was started as a [`Compiler`](super::Compiler): limits itself, reads a package, writes its
/// machine code, all as the parent asks. A package that cannot be compiled is an answer too.
///
/// # Errors
///
/// [`CompilerError`], which is for standard error and an exit code that is not 0.
pub fn compile_package(mut input: impl Read, mut output: impl Write) -> Result<(), CompilerError> {
    let mut request = [0; REQUEST_BYTES];
    input.read_exact(&mut request).map_err(|_| CompilerError::NotAsked)?;
    let request = Request::read(&request).ok_or(CompilerError::NotAsked)?;
    if request.package_bytes > PACKAGE_BYTES {
        return Err(CompilerError::NotAsked);
    }
    limit(&request)?;
    let mut package = vec![0; request.package_bytes as usize];
    input.read_exact(&mut package)?;
    let engine = runtime::compiler(request.placement).map_err(CompilerError::Runtime)?;
    let answer = match engine.precompile_component(&package) {
        Ok(code) => Answer::Code(code),
        Err(error) if error.is::<OutOfMemory>() => Answer::OutOfMemory,
        Err(error) => Answer::Invalid(one_line(&error)),
    };
    let (head, content) = answer.parts();
    output.write_all(&head)?;
    output.write_all(content)?;
    Ok(output.flush()?)
}

fn limit(request: &Request) -> Result<(), CompilerError> {
    let hard = |resource, what, most: u64| {
        let both = Rlimit { current: Some(most), maximum: Some(most) };
        rustix::process::setrlimit(resource, both)
            .map_err(|error| CompilerError::Limit { what, source: error.into() })
    };
    // No image of what it held when it breaks, no file of its own.
    hard(Resource::Core, "core files", 0)?;
    hard(Resource::Fsize, "files", 0)?;
    hard(Resource::Nofile, "open files", FILES)?;
    // Address space is no measure: allocator and runtime reserve more of it than they use. This counts what is
    // writable and its own, whether it is in use or not.
    hard(Resource::Data, "memory", request.memory_bytes)?;
    // At the first limit comes the signal that tells, at the second the end.
    let cpu = Rlimit {
        current: Some(request.cpu_seconds),
        maximum: Some(request.cpu_seconds.saturating_add(1)),
    };
    rustix::process::setrlimit(Resource::Cpu, cpu)
        .map_err(|error| CompilerError::Limit { what: "processor time", source: error.into() })?;
    // Manners, not limits: where they are not to be had, the limits still hold.
    let _no_matter = (
        rustix::process::nice(i32::try_from(request.nice).unwrap_or(NICE_MAX)),
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)),
        std::fs::write("/proc/self/oom_score_adj", "1000"),
    );
    Ok(())
}
