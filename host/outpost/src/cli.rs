//! The command line: names, meanings, defaults. What a command does lives in `command/`.

mod agent;
mod mlops;
mod operate;
mod up;

pub(crate) use agent::Agent;
pub(crate) use mlops::{
    AccuracyView, Backup, Bucket, Distance, DriftView, MlopsServe, Part, Server, StatusView, Stretch, View,
};
pub(crate) use operate::{
    AddChallenger, Canary, Challenger, Deploy, OfAny, OfDeployment, Operate, Promote, Remote,
    RemoveChallenger, Sent, ShareOrAbort, Status,
};

pub(crate) use up::Up;

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
    /// Test whether a hand-written component keeps to the contract; exit code 65 when it does not
    Check(Check),
    /// Make a model package of a hand-written component
    Seal(Seal),
    /// Answer predictions over HTTP and leave a monitoring record of each
    Serve(Box<Serve>),
    /// Run gateway, monitoring agent and MLOps server in one process, on files alone
    Up(Up),
    /// Read monitoring records from channels and report them to the MLOps server
    #[command(version)]
    Agent(Box<Agent>),
    #[command(flatten)]
    Operate(Operate),
    /// Run an MLOps server, or look at the numbers of one
    Mlops(Mlops),
    /// Make a key pair for signing model packages
    Keygen(Keygen),
    /// Sign a model package
    Sign(Sign),
    /// Tell whether one of these keys has signed a model package; exit code 65 when none has
    Verify(Verify),
    /// Look into an outbox, give its records out, put it right
    #[command(subcommand)]
    Spool(Spool),
    /// Ask a gateway, an agent or a server whether it lives; exit code 69 when it does not say so
    Health(Health),
    /// Compile a package within limits, as `outpost serve` asks on standard input
    #[command(hide = true)]
    CompilePackage,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Mlops {
    #[command(flatten)]
    pub(crate) serve: MlopsServe,
    #[command(subcommand)]
    pub(crate) view: Option<View>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Spool {
    /// Tell what waits for whom, also while a gateway runs
    Status(SpoolStatus),
    /// Compare every record with its checksum, also while a gateway runs; exit code 65 when something is damaged
    Check(SpoolCheck),
    /// Write records out as lines of JSON, also while a gateway runs
    Export(SpoolExport),
    /// Put dead letters back into the outbox, where every channel gets them; no gateway may run on it
    Requeue(SpoolRequeue),
    /// Throw away what is no longer wanted; no gateway may run on the outbox
    Purge(SpoolPurge),
}

#[derive(Debug, Args)]
pub(crate) struct SpoolStatus {
    /// The outbox
    #[arg(long, value_name = "FOLDER")]
    pub(crate) outbox: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SpoolCheck {
    /// The outbox
    #[arg(long, value_name = "FOLDER")]
    pub(crate) outbox: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SpoolExport {
    /// The outbox
    #[arg(long, value_name = "FOLDER")]
    pub(crate) outbox: PathBuf,
    /// What this channel has not had yet; with --dead-letters, only its own
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<String>,
    /// From the record with this number on
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["channel", "dead_letters"])]
    pub(crate) from: Option<u64>,
    /// Up to the record with this number
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["channel", "dead_letters"])]
    pub(crate) to: Option<u64>,
    /// The records that the other side will never take
    #[arg(long)]
    pub(crate) dead_letters: bool,
    /// The record itself, one a line, instead of the messages that a channel makes of it
    #[arg(long)]
    pub(crate) raw: bool,
    /// Most rows of a message; the channel's own limit gives the messages the ids that it gives them
    #[arg(long, value_name = "ROWS", default_value = "10000")]
    pub(crate) rows_per_message: std::num::NonZeroUsize,
    /// Where to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(crate) struct SpoolRequeue {
    /// The outbox
    #[arg(long, value_name = "FOLDER")]
    pub(crate) outbox: PathBuf,
    /// The channel that gave them up
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: String,
    /// The dead letter with this id, store/number or just the number (repeatable)
    #[arg(long, value_name = "ID", group = "which")]
    pub(crate) id: Vec<String>,
    /// All of them
    #[arg(long, group = "which")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct SpoolPurge {
    /// The outbox
    #[arg(long, value_name = "FOLDER")]
    pub(crate) outbox: PathBuf,
    /// Dead letters, those of --channel or all
    #[arg(long, group = "what", conflicts_with_all = ["delivered", "quarantined"])]
    pub(crate) dead_letters: bool,
    /// Segments that every channel has passed; a gateway removes them by itself
    #[arg(long, group = "what", conflicts_with_all = ["channel", "quarantined"])]
    pub(crate) delivered: bool,
    /// Damaged segments that were set aside
    #[arg(long, group = "what", conflicts_with = "channel")]
    pub(crate) quarantined: bool,
    /// Alone: the place of this channel, so that it holds nothing back any more
    #[arg(long, value_name = "NAME", group = "what")]
    pub(crate) channel: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
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
pub(crate) struct Keygen {
    /// The key pair's name: NAME.key stays secret, NAME.pub goes to the gateways
    #[arg(default_value = "outpost")]
    pub(crate) name: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// A model package
    pub(crate) package: PathBuf,
    /// The secret key, as `outpost keygen` makes it
    #[arg(long, value_name = "FILE", default_value = "outpost.key")]
    pub(crate) key: PathBuf,
    /// Leave the package as it is and write the signature beside it, to PACKAGE.sig
    #[arg(long, conflicts_with = "output")]
    pub(crate) detached: bool,
    /// Where to write the signed package [default: in place of the package]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A model package; a signature beside it, PACKAGE.sig, counts as well
    pub(crate) package: PathBuf,
    /// A public key that is trusted (repeatable)
    #[arg(long, value_name = "FILE", default_value = "outpost.pub")]
    pub(crate) key: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Health {
    /// What to ask
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:9091/healthz")]
    pub(crate) url: hyper::Uri,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A component or a model package
    pub(crate) component: PathBuf,
    /// Rows that it should score: CSV with a header; without them numbers are made up
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Seal {
    /// A component without a manifest, or a core module that carries its component type
    pub(crate) component: PathBuf,
    /// The model's name, also the default id of its deployment [default: the file's name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The model's version
    #[arg(long, default_value = "1")]
    pub(crate) model_version: String,
    /// Rows that it should score: CSV with a header. The first become golden rows, all of them the baseline for drift; a
    /// column with the target's name is what came true
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: Option<PathBuf>,
    /// A manifest to attach as it is, instead of one made from what the component says about itself
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "model_version", "rows"])]
    pub(crate) manifest: Option<PathBuf>,
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
    /// A folder of model packages to follow: each FILE.wasm in it serves as the deployment FILE
    #[arg(long, value_name = "FOLDER")]
    pub(crate) models: Option<PathBuf>,
    /// Where changes of deployments are remembered
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
    /// Where operators come: unix:PATH, or a loopback address and a port, which needs tokens in the file [default: nowhere]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<String>,
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
    /// Where records go: kafka, rabbitmq, filesystem, direct, stdout or none (repeatable: each gets
    /// every record)
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
