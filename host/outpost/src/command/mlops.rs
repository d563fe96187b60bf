//! `outpost mlops`: the MLOps server, and looks at a running one.

mod serve;
mod view;

use crate::cli::Mlops;
use crate::error::CliError;
use std::process::ExitCode;

pub(crate) fn run(args: &Mlops) -> Result<ExitCode, CliError> {
    match &args.view {
        Some(view) => view::run(view),
        None => serve::run(&args.serve),
    }
}
