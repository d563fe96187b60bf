//! The listener for operators, beside the one for predictions.

use super::unavailable;
use crate::config::Config;
use crate::error::{CliError, chain};
use crate::logging::LogFilter;
use admin::{BindError, Hooks, Listener};
use gateway::{DrainReport, Gateway};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Serves predictions and, where the settings say so, operators, until `stop` completes. Both are told at once, and each
/// finishes what it has begun.
pub(super) async fn serve_all(
    config: &Config,
    gateway: Gateway,
    listener: TcpListener,
    operators: Option<Listener>,
    log: LogFilter,
    stop: impl Future<Output = ()>,
) -> DrainReport {
    let Some((operators, settings)) = operators.zip(config.admin.clone()) else {
        return gateway.serve(vec![listener], stop).await;
    };
    let hooks = Hooks { set_log: Box::new(move |filter| log.set(filter)) };
    let (tell, told) = oneshot::channel();
    let served = admin::serve(operators, settings, Arc::new(gateway.fleet()), hooks, async {
        // Told, or the gateway has ended by itself: both are an end.
        let _told = told.await;
    });
    let served = tokio::spawn(served);
    let report = gateway.serve(vec![listener], async {
        stop.await;
        let _listens = tell.send(());
    });
    let report = report.await;
    if let Err(error) = served.await {
        tracing::error!(%error, "The admin listener broke off");
    }
    report
}

/// Takes the operators' address and says so.
pub(super) async fn bind(config: &Config) -> Result<Option<Listener>, CliError> {
    let Some(settings) = &config.admin else { return Ok(None) };
    let listener = Listener::bind(settings).await.map_err(|error| match error {
        BindError::Os { .. } | BindError::Taken(_) => unavailable("open the admin listener", error),
        error => CliError::Usage(chain(&error)),
    })?;
    eprintln!("operators on {}", listener.address());
    Ok(Some(listener))
}
