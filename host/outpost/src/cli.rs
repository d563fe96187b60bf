//! The command line: names, meanings, defaults. What a command does lives in `command/`.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Turns a trained regression model into one sealed WebAssembly component and serves it at the edge.
#[derive(Debug, Parser)]
#[command(name = "outpost", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Learn a model from a CSV file and seal it into a model package
    Train(Box<Train>),
    /// Show what a model package says about itself
    Inspect(Inspect),
    /// Score the rows of a CSV file with a model package
    Score(Score),
    /// Answer predictions over HTTP and leave a monitoring record of each
    Serve(Box<Serve>),
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    /// Training data: CSV with a header
    pub(crate) data: PathBuf,
    /// The column to predict
    #[arg(long)]
    pub(crate) target: String,
    /// What learns: linear, ridge, lasso, elastic-net, svr, knn, random-forest, extra-trees,
    /// gradient-boosting; auto tries all and takes the smallest cross-validated RMSE
    #[arg(long, default_value = "auto")]
    pub(crate) model: String,
    /// A hyper-parameter by scikit-learn's name, as in --param alpha=0.5 (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Folds of the cross-validation
    #[arg(long, default_value_t = 5)]
    pub(crate) folds: usize,
    /// Seed of everything random; the same data, settings and seed give the same file
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The model's name, also the default id of its deployment [default: the data file's name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The model's version
    #[arg(long, default_value = "1")]
    pub(crate) model_version: String,
    /// What a missing number becomes where training data had missing numbers: mean, median or refuse
    #[arg(long, default_value = "mean")]
    pub(crate) missing: String,
    /// What happens to a level that training did not see: refuse, missing or other
    #[arg(long, default_value = "refuse")]
    pub(crate) unknown: String,
    /// What separates the fields of the CSV; `tab` for a tab
    #[arg(long, default_value = ",")]
    pub(crate) delimiter: String,
    /// A column to leave out (repeatable)
    #[arg(long = "ignore", value_name = "COLUMN")]
    pub(crate) ignored: Vec<String>,
    /// A column whose numbers are names of levels (repeatable)
    #[arg(long = "categorical", value_name = "COLUMN")]
    pub(crate) categorical: Vec<String>,
    /// A column that must hold numbers, also when it counts the rows (repeatable)
    #[arg(long = "numeric", value_name = "COLUMN")]
    pub(crate) numeric: Vec<String>,
    /// Where to write the model package
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A model package
    pub(crate) package: PathBuf,
    /// Print the manifest as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Score {
    /// A model package
    pub(crate) package: PathBuf,
    /// Rows: CSV with a header; `-` reads standard input
    pub(crate) rows: PathBuf,
    /// Where to write the rows with their predictions [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The name of the column that is added
    #[arg(long, default_value = "prediction")]
    pub(crate) column: String,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The model package to serve
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Settings in TOML; flags and the environment win over it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print every setting with its default and its meaning, as a file for --config
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// The deployment's id [default: the model's name]
    #[arg(long, value_name = "ID")]
    pub(crate) deployment_id: Option<String>,
    /// Where records wait, safe from crashes, until the spooler has them
    #[arg(long, value_name = "FOLDER")]
    pub(crate) outbox: Option<PathBuf>,
    /// observe: the answer never waits for its record; durable: it waits until the record is on disk
    #[arg(long, value_name = "CLASS")]
    pub(crate) record_class: Option<String>,
    /// Where records go: kafka, rabbitmq, filesystem or none (repeatable: each gets every record)
    #[arg(long, value_name = "TYPE")]
    pub(crate) spooler: Vec<String>,
    /// A channel as the public library's configuration string, such as
    /// "spooler_type=filesystem;directory=/path;name=archive" (repeatable)
    #[arg(long, value_name = "STRING")]
    pub(crate) channel: Vec<String>,
    /// Kafka brokers to start from, separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) kafka_brokers: Option<String>,
    /// Kafka topic, which must exist
    #[arg(long, value_name = "TOPIC")]
    pub(crate) kafka_topic: Option<String>,
    /// RabbitMQ broker, as in amqp://user@host:5672/vhost; one with a password is better given by the file or by
    /// MLOPS_RABBITMQ_QUEUE_URL, because everybody on the machine sees command lines
    #[arg(long, value_name = "URL")]
    pub(crate) rabbitmq_url: Option<String>,
    /// RabbitMQ queue, made when it is missing
    #[arg(long, value_name = "QUEUE")]
    pub(crate) rabbitmq_queue: Option<String>,
    /// Folder of the filesystem spooler
    #[arg(long, value_name = "FOLDER")]
    pub(crate) spool_dir: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, or filters such as spool=debug
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}
