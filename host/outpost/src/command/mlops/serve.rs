//! The MLOps server itself: start, run until told to stop, drain.

use crate::cli::{Backup, MlopsServe};
use crate::error::{CliError, EXIT_INCOMPLETE, chain};
use crate::{files, logging};
use mlops::server::{Server, ServerError};
use mlops::settings::Settings;
use mlops::store::{Store, StoreError};
use std::process::ExitCode;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

pub(super) fn run(args: &MlopsServe) -> Result<ExitCode, CliError> {
    let _filter = logging::start(&args.log, args.log_json)?;
    let settings = settings(args);
    let grace = settings.grace;
    let runtime = runtime()?;
    let cut = runtime.block_on(async {
        // Before anything is answered, so that no signal is missed.
        let listen = |kind| signal(kind).map_err(|source| internal("listen for signals", source));
        let (mut terminate, mut interrupt) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let database = settings.database.as_deref().map_or("a file", kind);
        tracing::info!(data = %settings.data.display(), database, "Storing");
        let server = Server::start(settings).await.map_err(fault)?;
        if server.tokens().were_made() {
            eprintln!("made tokens in {}", server.tokens().path().display());
        }
        // Scripts wait for this line.
        eprintln!("listening on http://{}", super::super::serve::reachable(server.address()));
        tokio::select! {
            _ = terminate.recv() => tracing::info!("Told to stop by SIGTERM"),
            _ = interrupt.recv() => tracing::info!("Told to stop by SIGINT"),
        }
        Ok::<_, CliError>(server.stop(grace).await)
    })?;
    runtime.shutdown_background();
    tracing::info!(connections_cut = cut, "Stopped");
    Ok(if cut == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_INCOMPLETE) })
}

/// Copies the database, also while a server writes to it.
pub(super) fn backup(args: &Backup) -> Result<ExitCode, CliError> {
    let settings = Settings { data: args.data.clone(), ..Settings::default() };
    let file = settings.database_file();
    if !file.exists() {
        let why = format!("there is no database {}: name the server's --data", file.display());
        return Err(CliError::Usage(why));
    }
    runtime()?.block_on(async {
        let store = Store::open(&settings.address()).await.map_err(store_fault)?;
        store.backup(&args.to).await.map_err(store_fault)
    })?;
    files::print(&format!("copied to {}\n", args.to.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn settings(args: &MlopsServe) -> Settings {
    let mut settings = Settings {
        listen: args.listen.clone(),
        data: args.data.clone(),
        database: args.database.clone(),
        auto_register: args.auto_register,
        ..Settings::default()
    };
    settings.retention.statistics_days = args.keep_days;
    settings.retention.pending_days = args.pending_days;
    settings
}

/// What kind of database an address names; the address itself may hold a password.
fn kind(address: &str) -> &str {
    address.split(':').next().unwrap_or_default()
}

fn runtime() -> Result<Runtime, CliError> {
    Runtime::new().map_err(|source| internal("start the threads that answer requests", source))
}

fn fault(error: ServerError) -> CliError {
    match error {
        ServerError::Store(error) => store_fault(error),
        ServerError::Tokens(error) => CliError::Usage(format!("failed to {}", chain(&error))),
        error => {
            CliError::Unavailable { what: "start the MLOps server".into(), source: error.into() }
        }
    }
}

fn store_fault(error: StoreError) -> CliError {
    match error {
        StoreError::Address(_) | StoreError::Backup(_) => CliError::Usage(chain(&error)),
        error => CliError::Unavailable { what: "use the database".into(), source: error.into() },
    }
}

fn internal(what: &str, source: std::io::Error) -> CliError {
    CliError::Internal { what: what.into(), source: source.into() }
}
