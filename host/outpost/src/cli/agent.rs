//! `outpost agent`: the flags of the library's agent, and a few of ours.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Agent {
    /// Settings in YAML, as mlops.agent.conf.yaml of the public agent [env: MLOPS_AGENT_CONFIG_YAML]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print every setting with its value and its meaning, as a file for --config, without secrets
    #[arg(long)]
    pub(crate) print_config: bool,
    /// The MLOps server [env: MLOPS_SERVICE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) mlops_url: Option<String>,
    /// The server's token; better in MLOPS_API_TOKEN or a file, because everybody on the machine sees command lines
    #[arg(long, value_name = "TOKEN", conflicts_with = "api_token_file")]
    pub(crate) api_token: Option<String>,
    /// A file with the token, which is read again after each failure [env: MLOPS_API_TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) api_token_file: Option<PathBuf>,
    /// The deployment of records that name none
    #[arg(long, value_name = "ID")]
    pub(crate) deployment_id: Option<String>,
    /// The model of records that name none
    #[arg(long, value_name = "ID")]
    pub(crate) model_id: Option<String>,
    /// Read this spool folder, and no channel of the file
    #[arg(long, value_name = "FOLDER")]
    pub(crate) spool_dir: Option<PathBuf>,
    /// Where dead letters and parked records lie
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Read what is there, report it and leave; exit code 75 when something is left
    #[arg(long)]
    pub(crate) run_once: bool,
    /// Read, but report and acknowledge nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Answer GET /stats, /config, /logs and POST /flush on this port of the loopback address; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    pub(crate) server_port: Option<u16>,
    /// Print the statistics every ten seconds, a line of JSON each
    #[arg(long)]
    pub(crate) monitor: bool,
    /// What to log: error, warn, info, debug, trace, or filters such as agent=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub(crate) log: String,
    /// Log in lines of JSON
    #[arg(long)]
    pub(crate) log_json: bool,
}
