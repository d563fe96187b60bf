//! `outpost agent`: settings, start, run until told to stop or nothing more comes, stop.

use crate::cli::Agent as Args;
use crate::error::{CliError, EXIT_INCOMPLETE, chain};
use crate::{files, logging};
use agent::{Agent, AgentError, Config, Flags};
use spool::channel::Secret;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often it is looked whether a single run is over.
const LOOK: Duration = Duration::from_millis(200);
/// How often statistics are written and printed.
const TELL: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let config = Config::load(&flags(args), &environment()).map_err(settings)?;
    if args.print_config {
        files::print(&config.describe())?;
        return Ok(ExitCode::SUCCESS);
    }
    config.check().map_err(settings)?;
    let _filter = logging::start(&args.log, args.log_json)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| internal("start the agent's runtime", source))?;
    let grace = Duration::from_millis(config.shutdown_ms);
    let once = config.run_once;
    let (agent, over) = runtime.block_on(async {
        // Before anything is read, so that nothing that comes then is missed.
        let listen = |kind| signal(kind).map_err(|source| internal("listen for signals", source));
        let (terminate, interrupt) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let agent = Agent::start(config).map_err(fault)?;
        if let Some(address) = agent.address() {
            eprintln!("listening on http://{address}");
        }
        let over = watch(&agent, args, once, terminate, interrupt).await?;
        Ok::<_, CliError>((agent, over))
    })?;
    let summary = agent.stop(grace, over);
    tracing::info!(
        reported = summary.reported,
        dead_letters = summary.dead_letters,
        left = summary.left,
        parked_bytes = summary.parked_bytes,
        acknowledged = summary.acknowledged,
        "Stopped; what is left comes again in the next run"
    );
    let left = over && (summary.left > 0 || summary.parked_bytes > 0);
    let whole = summary.acknowledged && !left;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(EXIT_INCOMPLETE) })
}

/// Runs until it is told to stop (false), or a single run is over (true).
async fn watch(
    agent: &Agent,
    args: &Args,
    once: bool,
    mut terminate: Signal,
    mut interrupt: Signal,
) -> Result<bool, CliError> {
    let mut told = Instant::now();
    loop {
        tokio::select! {
            _ = terminate.recv() => {
                tracing::info!("Told to stop by SIGTERM");
                return Ok(false);
            }
            _ = interrupt.recv() => {
                tracing::info!("Told to stop by SIGINT");
                return Ok(false);
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        if once && agent.is_quiet() {
            return Ok(true);
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            agent.write_stats();
            if args.monitor {
                files::print(&format!("{}\n", agent.stats()))?;
            }
        }
    }
}

fn flags(args: &Args) -> Flags {
    Flags {
        config: args.config.clone(),
        mlops_url: args.mlops_url.clone(),
        api_token: args.api_token.clone().map(Secret::new),
        api_token_file: args.api_token_file.clone(),
        deployment_id: args.deployment_id.clone(),
        model_id: args.model_id.clone(),
        spool_dir: args.spool_dir.clone(),
        state_dir: args.state_dir.clone(),
        run_once: args.run_once,
        dry_run: args.dry_run,
        server_port: args.server_port,
    }
}

/// The library's names in the environment.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("MLOPS_") || name.starts_with("DATAROBOT_"))
        .collect()
}

fn settings(error: agent::ConfigError) -> CliError {
    CliError::Settings(Box::new(error))
}

fn fault(error: AgentError) -> CliError {
    match error {
        AgentError::Config(error) => settings(error),
        AgentError::Client(error) => {
            CliError::Usage(format!("failed to reach the server: {}", chain(&error)))
        }
        error
        @ (AgentError::State { .. } | AgentError::Taken { .. } | AgentError::Start { .. }) => {
            CliError::Unavailable { what: "start the agent".into(), source: Box::new(error) }
        }
    }
}

fn internal(what: &str, source: std::io::Error) -> CliError {
    CliError::Internal { what: what.into(), source: Box::new(source) }
}
