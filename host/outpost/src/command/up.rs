//! `outpost up`: gateway, outbox, spooler, monitoring agent and MLOps server in one process, on files alone.
//!
//! They talk as they do when they are apart: the gateway drains to spool files, the agent reads these and calls the server over
//! HTTP. So what is tried here is what runs elsewhere.

mod day;
mod simulate;

use crate::cli::{Cli, Command, Up};
use crate::command::serve;
use crate::config::Config;
use crate::error::{CliError, chain};
use crate::files;
use crate::logging;
use agent::Agent;
use clap::Parser as _;
use engine::{LimitSettings, Package};
use mlops::registry::{NewDeployment, Reason};
use mlops::server::Server;
use mlops::settings::Settings;
use simulate::{Simulated, Simulation};
use spool::channel::Secret;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// For the agent to tell what it has read, and for the server to end, when all is told to stop.
const STOP_TIME: Duration = Duration::from_secs(10);
/// For the server to count the simulated day.
const COUNT_TIME: Duration = Duration::from_secs(120);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(100);
/// The hours that have records of a day.
const DAY: Duration = Duration::from_secs(25 * 3600);

pub(crate) fn run(args: &Up) -> Result<ExitCode, CliError> {
    let filter = logging::start(&args.log, false)?;
    let package = super::open_package(&args.model)?;
    let id = args.deployment_id.clone().unwrap_or_else(|| package.manifest().name.clone());
    let config = gateway_config(args, &id)?;
    let runtime = Runtime::new().map_err(|e| internal("start the threads of the server", e))?;
    let settings = Settings {
        listen: args.mlops_listen.clone(),
        data: args.data.join("mlops"),
        ..Settings::default()
    };
    let server = runtime.block_on(Server::start(settings)).map_err(|source| {
        CliError::Unavailable { what: "start the MLOps server".into(), source: source.into() }
    })?;
    let is_new = runtime.block_on(register(&server, &package, &id))?;
    let tokens = Tokens::read(server.tokens().path())?;
    let read_token = args.data.join("mlops/read.token");
    files::write_secret(&read_token, &tokens.read)?;

    let spool = args.data.join("spool");
    std::fs::create_dir_all(&spool).map_err(|source| CliError::File {
        action: "make",
        path: spool.clone(),
        source,
    })?;
    let simulated = match &args.simulate {
        Some(rows) if is_new => simulate(&package, rows, &id, &args.data)?,
        _ => Simulated::default(),
    };
    let agent = start_agent(args, &server, &tokens.report)?;
    if simulated.records > 0 {
        eprintln!(
            "made up {} records of the last 24 hours; the server counts them",
            simulated.records
        );
        runtime.block_on(counted(&server, &id, simulated))?;
    }
    eprintln!(
        "MLOps server on http://{}; look with\n    outpost mlops status {id} --server http://{} --token-file {}",
        server.address(),
        server.address(),
        read_token.display(),
    );
    // Says where the gateway listens, and returns when it was told to stop and has drained.
    let ended = serve::serve(&config, filter);
    let summary = agent.stop(STOP_TIME, false);
    tracing::info!(reported = summary.reported, left = summary.left, "Agent stopped");
    runtime.block_on(server.stop(STOP_TIME));
    ended
}

/// The gateway as `outpost serve` would start it.
fn gateway_config(args: &Up, id: &str) -> Result<Config, CliError> {
    let path = |path: &Path| path.as_os_str().to_owned();
    let mut words = vec!["outpost".into(), "serve".into(), "--model".into(), path(&args.model)];
    words.extend(["--listen".into(), (&args.listen).into(), "--deployment-id".into(), id.into()]);
    words.extend(["--outbox".into(), path(&args.data.join("outbox"))]);
    words.extend(["--spooler".into(), "filesystem".into()]);
    words.extend(["--spool-dir".into(), path(&args.data.join("spool"))]);
    let parsed = Cli::try_parse_from(words).map_err(|error| CliError::Usage(error.to_string()))?;
    let Command::Serve(serve) = parsed.command else { unreachable!("the words begin with serve") };
    Config::load(&serve, BTreeMap::new())
}

/// Tells the server of package and deployment; true when the deployment is new.
async fn register(server: &Server, package: &Package, id: &str) -> Result<bool, CliError> {
    let failed = |error: mlops::registry::RegistryError| CliError::Unavailable {
        what: "register the model package".into(),
        source: error.into(),
    };
    let registry = server.registry();
    let (known, _) = registry.upload(package.bytes()).await.map_err(failed)?;
    match registry.deployment(id) {
        Ok(deployed) => {
            if deployed.deployment.package_id != known.id {
                registry.replace(id, &known.id, Reason::Other).await.map_err(failed)?;
            }
            Ok(false)
        }
        Err(_) => {
            let new = NewDeployment {
                id: Some(id.to_owned()),
                label: id.to_owned(),
                model_package_id: known.id.clone(),
                ..NewDeployment::default()
            };
            registry.deploy(new).await.map_err(failed)?;
            Ok(true)
        }
    }
}

fn simulate(package: &Package, rows: &Path, id: &str, data: &Path) -> Result<Simulated, CliError> {
    let engine = super::engine()?;
    let limits = LimitSettings { instances: Some(1), ..LimitSettings::default() };
    let scorer = engine.load(package, limits).map_err(|source| CliError::Internal {
        what: "load the package".into(),
        source: source.into(),
    })?;
    let simulation = Simulation {
        package,
        rows,
        deployment: id,
        scratch: &data.join("simulated"),
        spool: &data.join("spool"),
        now_us: jiff::Timestamp::now().as_microsecond(),
    };
    simulation.run(&scorer)
}

/// The agent between spool and server.
fn start_agent(args: &Up, server: &Server, token: &str) -> Result<Agent, CliError> {
    let spool = args.data.join("spool");
    let yaml = format!(
        "mlopsUrl: \"http://{}\"\nstateDirectory: {:?}\nagentPendingRecordsTimeoutMs: 500\nchannelConfigs:\n  \
         - type: \"FS_SPOOL\"\n    details: {{name: \"spool\", spoolDirectoryPath: {:?}}}\n",
        serve::reachable(server.address()),
        args.data.join("agent"),
        spool,
    );
    let mut config = agent::Config::parse(&yaml, &BTreeMap::new())
        .map_err(|error| CliError::Usage(chain(&error)))?;
    config.api_token = Some(Secret::new(token));
    Agent::start(config).map_err(|source| CliError::Unavailable {
        what: "start the monitoring agent".into(),
        source: source.into(),
    })
}

/// Waits until all of the day is counted, so that the first look shows the whole of it.
async fn counted(server: &Server, id: &str, simulated: Simulated) -> Result<(), CliError> {
    let until = Instant::now() + COUNT_TIME;
    loop {
        let now = jiff::Timestamp::now().as_microsecond();
        let from = now - DAY.as_micros() as i64;
        let rollups = server.registry().store().rollups(id, from, now).await;
        let rollups = rollups.map_err(|source| CliError::Unavailable {
            what: "read the statistics".into(),
            source: source.into(),
        })?;
        let requests: u64 = rollups.iter().map(|(_, _, it)| it.health.requests).sum();
        let outcomes: u64 = rollups.iter().map(|(_, _, it)| it.accuracy.rows()).sum();
        if requests >= simulated.requests && outcomes >= simulated.outcomes {
            return Ok(());
        }
        if Instant::now() > until {
            tracing::warn!("The simulated day is still being counted");
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The server's tokens.
#[derive(serde::Deserialize)]
struct Tokens {
    report: String,
    read: String,
}

impl Tokens {
    fn read(path: &Path) -> Result<Self, CliError> {
        let text = String::from_utf8_lossy(&files::read(path)?).into_owned();
        toml::from_str(&text)
            .map_err(|source| CliError::Data { path: path.to_owned(), source: source.into() })
    }
}

fn internal(what: &str, source: std::io::Error) -> CliError {
    CliError::Internal { what: what.into(), source: source.into() }
}
