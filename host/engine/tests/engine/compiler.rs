//! What `outpost compile-package` does, as a program that this crate's tests can start.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    match engine::compile_package(io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
