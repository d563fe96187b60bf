//! `outpost compile-package`: what `outpost serve` starts to have a package compiled, within limits. Nobody else needs it.

use crate::config::Config;
use crate::error::CliError;
use engine::Compiler;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The command's name.
const COMMAND: &str = "compile-package";
/// This program as the kernel knows it: also after its file was replaced by another version.
const MYSELF: &str = "/proc/self/exe";

/// The allocator makes room for 1 GiB at the start. So it only sets addresses aside, and takes memory as it is needed,
/// within the limit.
const ALLOCATOR: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");

/// The child of `outpost serve`.
pub(crate) fn run() -> Result<ExitCode, CliError> {
    engine::compile_package(io::stdin().lock(), io::stdout().lock()).map_err(|source| {
        CliError::Internal { what: "do what the gateway asked".to_owned(), source: source.into() }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// How `outpost serve` has packages compiled.
pub(crate) fn compiler(config: &Config) -> Result<Compiler, CliError> {
    let myself = if Path::new(MYSELF).exists() {
        PathBuf::from(MYSELF)
    } else {
        std::env::current_exe().map_err(|source| CliError::Internal {
            what: "find this program's file, which compiles packages".to_owned(),
            source: source.into(),
        })?
    };
    let env = vec![(ALLOCATOR.0.into(), ALLOCATOR.1.into())];
    Ok(Compiler { program: myself, args: vec![COMMAND.into()], env, limits: config.compile })
}
