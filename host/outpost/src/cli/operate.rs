//! The commands for operators, which a running gateway carries out.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Operate {
    /// Show what a running gateway's deployments do
    Status(Status),
    /// Let a running gateway serve a model package
    Deploy(Deploy),
    /// Make the canary, or a challenger, the champion
    Promote(Promote),
    /// Bring back the champion before
    Rollback(OfDeployment),
    /// Change the share of the requests that the canary answers, or take it away
    Canary(Canary),
    /// Let packages score along without answering
    #[command(subcommand)]
    Challenger(Challenger),
    /// Remove a deployment
    Undeploy(OfDeployment),
    /// Choose the deployment that /predict serves
    Default(OfDeployment),
    /// Take a deployment, or the whole gateway, out of service: it answers 503
    Drain(OfAny),
    /// Take a deployment, or the whole gateway, back into service
    Resume(OfAny),
    /// Change what a running gateway logs, until its next start
    LogLevel(LogLevel),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Challenger {
    /// Let a package score along
    Add(AddChallenger),
    /// End it
    Remove(RemoveChallenger),
}

/// How to reach the gateway.
#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// Where the gateway listens for operators, as its admin.listen says
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "OUTPOST_ADMIN",
        default_value = "unix:outpost.sock"
    )]
    pub(crate) admin: admin::Listen,
    /// A file with the token that the gateway knows you by
    #[arg(long, value_name = "FILE", env = "OUTPOST_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// A package on its way.
#[derive(Debug, Args)]
pub(crate) struct Sent {
    /// The model package
    pub(crate) package: PathBuf,
    /// Go on where a feature in use is dropped or retyped
    #[arg(long)]
    pub(crate) force: bool,
    /// A detached signature [default: PACKAGE.sig, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// The deployment; one that does not exist is made
    pub(crate) deployment: String,
    #[command(flatten)]
    pub(crate) sent: Sent,
    /// The share of the requests that the package answers at first, as 5% or 0.05 [default: all]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) canary: Option<f64>,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// The deployment
    pub(crate) deployment: String,
    /// This challenger instead of the canary
    #[arg(long, value_name = "NAME")]
    pub(crate) challenger: Option<String>,
    /// Go on where a feature in use is dropped or retyped
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct OfDeployment {
    /// The deployment
    pub(crate) deployment: String,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct OfAny {
    /// The deployment [default: the whole gateway]
    pub(crate) deployment: Option<String>,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct Canary {
    /// The deployment
    pub(crate) deployment: String,
    /// Its share, as 20% or 0.2; or `abort`
    #[arg(value_name = "SHARE|abort", value_parser = share_or_abort)]
    pub(crate) share: ShareOrAbort,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// What a canary is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ShareOrAbort {
    Share(f64),
    Abort,
}

#[derive(Debug, Args)]
pub(crate) struct AddChallenger {
    /// The deployment
    pub(crate) deployment: String,
    #[command(flatten)]
    pub(crate) sent: Sent,
    /// Its name in the deployment [default: the package file's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveChallenger {
    /// The deployment
    pub(crate) deployment: String,
    /// The challenger
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct LogLevel {
    /// error, warn, info, debug, trace, or filters such as warn,spool=debug
    pub(crate) filter: String,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Only this deployment
    pub(crate) deployment: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Show it again every two seconds
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// A share of the requests, as people write it.
fn share(text: &str) -> Result<f64, String> {
    let (digits, of) = match text.strip_suffix('%') {
        Some(digits) => (digits, 100.0),
        None => (text, 1.0),
    };
    match digits.trim().parse::<f64>() {
        Ok(number) if number > 0.0 && number < of => Ok(number / of),
        _ => Err("give a share above 0 and below all requests, as 5% or 0.05".into()),
    }
}

fn share_or_abort(text: &str) -> Result<ShareOrAbort, String> {
    if text == "abort" { Ok(ShareOrAbort::Abort) } else { share(text).map(ShareOrAbort::Share) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_people_write_them() {
        for (text, value) in [("5%", 0.05), ("0.05", 0.05), ("99.5 %", 0.995), ("0.5%", 0.005)] {
            assert_eq!(share(text), Ok(value), "{text}");
        }
        for text in ["", "%", "0", "1", "5", "100%", "-1%", "nan", "inf%", "half"] {
            assert!(share(text).is_err(), "{text}");
        }
        assert_eq!(share_or_abort("abort"), Ok(ShareOrAbort::Abort));
        assert_eq!(share_or_abort("20%"), Ok(ShareOrAbort::Share(0.2)));
    }
}
