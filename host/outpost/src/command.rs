//! One file a command.

mod inspect;
mod keys;
mod score;
mod serve;
mod spool;
mod train;

use crate::cli::Command;
use crate::error::CliError;
use std::process::ExitCode;

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Train(args) => train::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Keygen(args) => keys::generate(&args),
        Command::Sign(args) => keys::sign(&args),
        Command::Verify(args) => keys::verify(&args),
        Command::Spool(command) => spool::run(&command),
    }
}

/// Opens a model package, and says which file is at fault when it is none.
pub(crate) fn open_package(path: &std::path::Path) -> Result<engine::Package, CliError> {
    let bytes = crate::files::read(path)?;
    engine::Package::parse(bytes)
        .map_err(|source| CliError::Data { path: path.to_owned(), source: source.into() })
}
