//! Everything in one process.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// The model package to serve
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Where everything lies that is kept: outbox, spool, the agent's state, the server's database and tokens
    #[arg(long, value_name = "FOLDER", default_value = "outpost-data")]
    pub(crate) data: PathBuf,
    /// Address and port of the gateway
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9091")]
    pub(crate) listen: String,
    /// Address and port of the MLOps server
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) mlops_listen: String,
    /// The deployment's id [default: the model's name]
    #[arg(long, value_name = "ID")]
    pub(crate) deployment_id: Option<String>,
    /// Make up the day before now, of the rows and outcomes of this CSV file, when the deployment is new
    #[arg(long, value_name = "FILE")]
    pub(crate) simulate: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, or filters such as mlops=debug
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    pub(crate) log: String,
}
