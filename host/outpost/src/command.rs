//! One file a command.

mod agent;
mod check;
mod compile;
mod health;
mod inspect;
mod keys;
mod mlops;
mod operate;
mod rows;
mod score;
mod seal;
mod serve;
mod spool;
mod train;
mod up;

use crate::cli::Command;
use crate::error::CliError;
use std::process::ExitCode;

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Train(args) => train::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Seal(args) => seal::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Agent(args) => agent::run(&args),
        Command::Operate(command) => operate::run(&command),
        Command::Up(args) => up::run(&args),
        Command::Mlops(args) => mlops::run(&args),
        Command::Keygen(args) => keys::generate(&args),
        Command::Sign(args) => keys::sign(&args),
        Command::Verify(args) => keys::verify(&args),
        Command::Spool(command) => spool::run(&command),
        Command::Health(args) => health::run(&args),
        Command::CompilePackage => compile::run(),
    }
}

/// An engine for a command that ends soon.
fn engine() -> Result<engine::Engine, CliError> {
    engine::Engine::new(engine::EngineSettings::default()).map_err(|source| CliError::Internal {
        what: "start the engine".into(),
        source: source.into(),
    })
}

/// Opens a model package, and says which file is at fault when it is none.
pub(crate) fn open_package(path: &std::path::Path) -> Result<engine::Package, CliError> {
    let bytes = crate::files::read(path)?;
    engine::Package::parse(bytes)
        .map_err(|source| CliError::Data { path: path.to_owned(), source: source.into() })
}
