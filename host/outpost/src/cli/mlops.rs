//! The MLOps server, and looks at one.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum View {
    /// Show how deployments do: requests, errors, times, rows
    Status(StatusView),
    /// Show how rows differ from the training data
    Drift(DriftView),
    /// Show predictions beside their outcomes
    Accuracy(AccuracyView),
    /// Copy the server's database while it runs; start a server on the copy to restore it
    Backup(Backup),
}

/// The server itself.
#[derive(Debug, Args)]
pub(crate) struct MlopsServe {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = mlops::settings::LISTEN)]
    pub(crate) listen: String,
    /// The folder of the tokens, and of the database unless --database names another; made when there is none
    #[arg(long, value_name = "FOLDER", default_value = mlops::settings::DATA)]
    pub(crate) data: PathBuf,
    /// The database: sqlite:FILE or postgres://USER@HOST/NAME [default: a file in the data folder]
    #[arg(long, value_name = "URL", env = "OUTPOST_MLOPS_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// Make a deployment that records name and nobody made, instead of refusing them
    #[arg(long)]
    pub(crate) auto_register: bool,
    /// Days that statistics are kept
    #[arg(long, value_name = "DAYS", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep_days: u32,
    /// Days that a prediction waits for its outcome
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pending_days: u32,
    /// What to log: error, warn, info, debug, trace, or filters such as mlops=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub(crate) log: String,
    /// Log in lines of JSON
    #[arg(long)]
    pub(crate) log_json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The server's data folder
    #[arg(long, value_name = "FOLDER", default_value = mlops::settings::DATA)]
    pub(crate) data: PathBuf,
    /// The copy; no file may be there
    pub(crate) to: PathBuf,
}

/// How to reach the server.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The MLOps server
    #[arg(
        long,
        value_name = "URL",
        env = "MLOPS_SERVICE_URL",
        default_value = "http://localhost:8080"
    )]
    pub(crate) server: String,
    /// A file with the token that the server knows you by [default: the token in MLOPS_API_TOKEN]
    #[arg(long, value_name = "FILE", env = "OUTPOST_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Print what the server says, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which part of the records.
#[derive(Debug, Args)]
pub(crate) struct Stretch {
    /// From when on: a time such as 2026-11-24T08:00:00Z, or how long ago, as in 12h or 7d [default: 7d]
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// Until when, likewise [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) end: Option<String>,
    /// How long the pieces are of which pictures are made
    #[arg(long, value_enum, default_value_t)]
    pub(crate) bucket: Bucket,
    /// Only what models in this part did
    #[arg(long, value_enum)]
    pub(crate) role: Option<Part>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Bucket {
    #[default]
    Hour,
    Day,
    Week,
    Month,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Part {
    Champion,
    Canary,
    Challenger,
}

#[derive(Debug, Args)]
pub(crate) struct StatusView {
    /// The deployment; all when not given
    pub(crate) deployment: Option<String>,
    #[command(flatten)]
    pub(crate) stretch: Stretch,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct DriftView {
    /// The deployment
    pub(crate) deployment: String,
    /// How distances are measured [default: what the deployment's settings say]
    #[arg(long, value_enum)]
    pub(crate) metric: Option<Distance>,
    /// Compare with the rows from this time on, instead of the training data
    #[arg(long, value_name = "TIME", requires = "reference_end")]
    pub(crate) reference_start: Option<String>,
    /// Up to this time
    #[arg(long, value_name = "TIME", requires = "reference_start")]
    pub(crate) reference_end: Option<String>,
    #[command(flatten)]
    pub(crate) stretch: Stretch,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Distance {
    Psi,
    KullbackLeibler,
    JensenShannon,
    Hellinger,
    HistogramIntersection,
}

#[derive(Debug, Args)]
pub(crate) struct AccuracyView {
    /// The deployment
    pub(crate) deployment: String,
    #[command(flatten)]
    pub(crate) stretch: Stretch,
    #[command(flatten)]
    pub(crate) server: Server,
}
