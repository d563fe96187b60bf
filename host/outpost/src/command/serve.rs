//! `outpost serve`: put the rooms together, announce, run until told to stop, drain.

mod operators;

use crate::cli::Serve;
use crate::config::{self, Config, Named};
use crate::error::{CliError, EXIT_INCOMPLETE, chain};
use crate::logging::LogFilter;
use crate::{files, logging, trust};
use engine::{Engine, EngineSettings};
use gateway::fleet::{ChangeError, DeploymentPlan, Fleet, FleetPlan};
use gateway::{DrainReport, Gateway, GatewayError};
use operators::serve_all;
use parking_lot::Mutex;
use spool::{Channel, ChannelError, NamedChannel, OpenError, Outbox};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// What the outbox gets to sync its last records when requests have used up the grace.
const SYNC_TIME_MIN: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &Serve) -> Result<ExitCode, CliError> {
    if args.print_config {
        files::print(config::DEFAULTS)?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::load(args, environment())?;
    let log = logging::start(&config.log.filter, config.log.json)?;
    serve(&config, log)
}

/// Serves until it is told to stop.
pub(super) fn serve(config: &Config, log: LogFilter) -> Result<ExitCode, CliError> {
    let runtime = Runtime::new()
        .map_err(|source| internal("start the threads that answer requests", source))?;

    let compiler = Some(super::compile::compiler(config)?);
    let settings = EngineSettings { compiler, ..config.engine.clone() };
    let engine = Engine::new(settings).map_err(|e| internal("start the engine", e))?;
    let plan = plan(config)?;
    let outbox = Outbox::open(&config.outbox_dir, config.outbox.clone()).map_err(outbox_fault)?;
    let spooler = Spooler::start(&outbox, &config.channels)?;
    name_idle_channels(&outbox);
    let gateway =
        Gateway::new(plan, engine, Some(outbox.clone()), spooler.probe(), config.gateway.clone())
            .map_err(|error| gateway_fault(config, error))?;

    let drained = runtime.block_on(async {
        let listener = bind(&config.listen).await?;
        let operators = operators::bind(config).await?;
        announce(&listener, &gateway.fleet(), config)?;
        Ok::<DrainReport, CliError>(
            serve_all(config, gateway, listener, operators, log, stop()?).await,
        )
    })?;
    runtime.shutdown_background();
    Ok(drain(&drained, &outbox, &spooler, config.gateway.grace))
}

/// Opens the packages that the settings name.
fn plan(config: &Config) -> Result<FleetPlan, CliError> {
    let deployments = config.deployments.iter().map(|named| {
        let (package, signature) = trust::read_signed(&named.model)?;
        Ok(DeploymentPlan {
            id: named.id.clone().unwrap_or_else(|| package.manifest().name.clone()),
            name: named.name.clone(),
            package,
            signature,
            model_id: named.model_id.clone(),
            settings: named.settings.clone(),
            limits: named.limits.clone(),
        })
    });
    Ok(FleetPlan {
        deployments: deployments.collect::<Result<_, CliError>>()?,
        default: config.fleet.default.clone(),
        folder: config.fleet.models.clone(),
        state: config.fleet.state.clone(),
        trust: config.trust.clone(),
        deployment: config.deployment.clone(),
        limits: config.limits.clone(),
        settings: config.fleet.settings.clone(),
    })
}

/// Says which file is at fault when a deployment of the settings does not start.
fn gateway_fault(config: &Config, error: GatewayError) -> CliError {
    let GatewayError::Deployment { id, source } = error else {
        return match error {
            GatewayError::Setting { .. } => CliError::Usage(format!("failed to {}", chain(&error))),
            error => unavailable("start the gateway", error),
        };
    };
    let one = config.deployments.len() == 1;
    let named = config.deployments.iter().find(|named| one || named.id.as_ref() == Some(&id));
    match (source, named) {
        (ChangeError::Load(source), Some(named)) => data(named, source.into()),
        (ChangeError::Untrusted(source), Some(named)) => data(named, source.into()),
        (source @ ChangeError::Older { .. }, Some(named)) => data(named, source.into()),
        (source @ ChangeError::Store { .. }, _) => unavailable("use the state folder", source),
        (source, _) => {
            CliError::Usage(format!("failed to serve deployment {id:?}: {}", chain(&source)))
        }
    }
}

fn data(named: &Named, source: Box<dyn std::error::Error + Send + Sync>) -> CliError {
    CliError::Data { path: named.model.clone(), source }
}

/// The channels that drain the outbox, if there are any. The gateway asks after them while they run; at the end they
/// are taken out and stopped.
struct Spooler(Arc<Mutex<Vec<Channel>>>);

/// Says which channels of former runs hold records back that nobody fetches now.
fn name_idle_channels(outbox: &Outbox) {
    for channel in outbox.status().channels.iter().filter(|channel| !channel.attached) {
        tracing::warn!(
            channel = channel.channel,
            waiting_records = channel.waiting_records,
            "Channel of a former run holds its records in the outbox until it runs again"
        );
    }
}

impl Spooler {
    fn start(outbox: &Outbox, channels: &[NamedChannel]) -> Result<Self, CliError> {
        let spawn = |channel: &NamedChannel| {
            Channel::spawn(outbox, channel.clone()).map_err(|error| spooler_fault(channel, error))
        };
        let channels = channels.iter().map(spawn).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Mutex::new(channels))))
    }

    fn probe(&self) -> gateway::ChannelProbe {
        let channels = Arc::clone(&self.0);
        Box::new(move || channels.lock().iter().map(Channel::status).collect())
    }

    /// Lets the channels send for `grace` at most, and gives the records that stay in the outbox for one of them.
    fn stop(&self, grace: Duration) -> u64 {
        let channels = std::mem::take(&mut *self.0.lock());
        let left = Channel::stop_all(channels, grace);
        left.iter().map(|channel| channel.waiting_records).max().unwrap_or(0)
    }
}

fn spooler_fault(channel: &NamedChannel, error: ChannelError) -> CliError {
    match error {
        ChannelError::Setting { .. }
        | ChannelError::Secret { .. }
        | ChannelError::SameName { .. }
        | ChannelError::Certificates { .. }
        | ChannelError::Kafka { .. } => {
            CliError::Usage(format!("channel {:?}: failed to {}", channel.name(), chain(&error)))
        }
        error => unavailable(&format!("start channel {:?}", channel.name()), error),
    }
}

/// The library's names. A value that is not text cannot be one of them.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("MLOPS_") || name.starts_with("DATAROBOT_"))
        .collect()
}

async fn bind(address: &str) -> Result<TcpListener, CliError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| unavailable(&format!("listen on {address}"), source))
}

/// Says what is served, and where the gateway listens. Scripts wait for the last line.
fn announce(listener: &TcpListener, fleet: &Fleet, config: &Config) -> Result<(), CliError> {
    let address = listener.local_addr().map_err(|e| internal("learn the address", e))?;
    for deployment in fleet.report().deployments {
        let Some(champion) = deployment.champion else { continue };
        tracing::info!(
            deployment = deployment.id,
            model = champion.name,
            version = champion.version,
            digest = champion.digest,
            signed_by = champion.signed_by.as_deref().unwrap_or("none"),
            "Serving"
        );
    }
    tracing::info!(
        spooler = channel_names(config),
        outbox = %config.outbox_dir.display(),
        "Recording"
    );
    eprintln!("listening on http://{}", reachable(address));
    Ok(())
}

/// The names of the channels, for the log.
fn channel_names(config: &Config) -> String {
    let names: Vec<&str> = config.channels.iter().map(NamedChannel::name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// An address that can be called: 0.0.0.0 is none.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let mut reachable = address;
    if address.ip().is_unspecified() {
        reachable.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    reachable
}

/// Completes on SIGTERM and on Ctrl-C.
fn stop() -> Result<impl Future<Output = ()>, CliError> {
    let listen = |kind| signal(kind).map_err(|e| internal("listen for signals", e));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("Told to stop by SIGTERM"),
            _ = interrupt.recv() => tracing::info!("Told to stop by SIGINT"),
        }
    })
}

/// Syncs the outbox, lets the channel send for what is left of the grace, and says how it ended.
fn drain(requests: &DrainReport, outbox: &Outbox, spooler: &Spooler, grace: Duration) -> ExitCode {
    let until = Instant::now() + grace.saturating_sub(requests.took);
    let left = || until.saturating_duration_since(Instant::now());
    let synced = outbox.close(left().max(SYNC_TIME_MIN));
    let waiting = spooler.stop(left());
    tracing::info!(
        requests_cut = requests.requests_cut,
        connections_cut = requests.connections_cut,
        records_waiting = waiting,
        "Stopped"
    );
    if let Err(error) = synced {
        tracing::error!(%error, "Outbox not synced");
        return ExitCode::from(EXIT_INCOMPLETE);
    }
    if requests.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_INCOMPLETE) }
}

fn outbox_fault(error: OpenError) -> CliError {
    match error {
        OpenError::Setting { .. } => CliError::Usage(format!("failed to {error}")),
        error => unavailable("use the outbox", error),
    }
}

fn unavailable(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Unavailable { what: what.to_owned(), source: source.into() }
}

fn internal(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Internal { what: what.to_owned(), source: source.into() }
}
