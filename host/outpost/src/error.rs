//! What can stop a command, and the exit code that tells a script why. The codes are part of the interface:
//! they follow `sysexits.h` and are listed in the README.

use std::error::Error as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// The command line or the settings are wrong.
pub(crate) const EXIT_USAGE: u8 = 64;
/// A file given to the command (rows, training data, a package) is wrong.
pub(crate) const EXIT_DATA: u8 = 65;
/// An address, a lock or something else that the command needs is taken or out of reach.
pub(crate) const EXIT_UNAVAILABLE: u8 = 69;
/// A bug or a failure of our own.
pub(crate) const EXIT_INTERNAL: u8 = 70;
/// A file cannot be read or written.
pub(crate) const EXIT_IO: u8 = 74;
/// The gateway was told to stop and some requests did not finish in time.
pub(crate) const EXIT_INCOMPLETE: u8 = 75;

/// What stopped a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line or the settings are wrong.
    #[error("{0}")]
    Usage(String),
    /// A setting in a file or in the environment is wrong.
    #[error("read the settings")]
    Settings(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file cannot be read or written.
    #[error("{action} {path}")]
    File {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file's contents are wrong.
    #[error("use {path}")]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something needed is taken or out of reach.
    #[error("{what}")]
    Unavailable {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The gateway refused what an operator wants.
    #[error("{what}: {why}")]
    Refused {
        /// What was wanted.
        what: String,
        /// What the gateway says.
        why: String,
        /// The code that fits its status.
        code: u8,
    },
    /// A failure of our own.
    #[error("{what}")]
    Internal {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CliError {
    /// The code that the process leaves with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Settings(_) => EXIT_USAGE,
            Self::File { .. } => EXIT_IO,
            Self::Data { .. } => EXIT_DATA,
            Self::Unavailable { .. } => EXIT_UNAVAILABLE,
            Self::Refused { code, .. } => *code,
            Self::Internal { .. } => EXIT_INTERNAL,
        }
    }

    /// Prints the error and everything behind it on one line, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let mut line = match self {
            Self::Usage(text) => format!("outpost: {text}"),
            _ => format!("outpost: failed to {self}"),
        };
        let mut cause = self.source();
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        eprintln!("{line}");
        ExitCode::from(self.code())
    }
}

/// Prints what the command-line parser has to say: help and version are no errors.
pub(crate) fn usage(stop: &clap::Error) -> ExitCode {
    // A closed pipe on the way (`outpost --help | head -1`) is the reader's choice.
    let _unread = stop.print();
    if stop.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
}

/// An error with everything behind it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
