//! The gateway as the program sees it.

use std::sync::Arc;

use tokio::net::TcpListener;

use crate::{
    deployment::{Deployment, Serving},
    metrics::{ChannelProbe, Rooms},
    recorder::{Disk, Keep},
    schema::SchemaError,
    scoring::Package,
    server::{self, DrainReport},
    settings::GatewaySettings,
    state::State,
};

/// Smallest limits that still work.
const MIN_HEADER_BYTES: usize = 256;

/// The gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A setting makes no sense.
    #[error("use the gateway's settings: {name} {rule}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The deployment's features cannot be bound by name.
    #[error("serve deployment {id:?}")]
    Schema {
        /// The deployment.
        id: String,
        /// Why.
        #[source]
        source: SchemaError,
    },
}

/// A gateway that is ready to serve one deployment.
#[derive(Debug)]
pub struct Gateway {
    state: Arc<State>,
}

impl Gateway {
    /// Puts a gateway together. Without an outbox nothing is recorded. `engine` and `channels` are asked at each
    /// scrape of `/metrics`.
    ///
    /// # Errors
    ///
    /// When a setting makes no sense, or when the model's features cannot be bound by name.
    pub fn new(
        deployment: Deployment,
        engine: engine::Engine,
        outbox: Option<spool::Outbox>,
        channels: ChannelProbe,
        settings: GatewaySettings,
    ) -> Result<Self, GatewayError> {
        let outbox = outbox.map(|outbox| Box::new(Disk(outbox)) as Box<dyn Keep>);
        let Deployment { id, model_id, scorer, settings: of_deployment } = deployment;
        let package = Box::new(Package(scorer));
        let serving = Serving::new(id.clone(), model_id, package, of_deployment)
            .map_err(|source| GatewayError::Schema { id, source })?;
        Self::assemble(serving, Some(Rooms { engine, channels }), outbox, settings)
    }

    pub(crate) fn assemble(
        serving: Serving,
        rooms: Option<Rooms>,
        outbox: Option<Box<dyn Keep>>,
        settings: GatewaySettings,
    ) -> Result<Self, GatewayError> {
        settings.check()?;
        Ok(Self { state: Arc::new(State::new(settings, serving, rooms, outbox)) })
    }

    /// Serves on all `listeners` until `shutdown` completes, then finishes what is open, for
    /// [`GatewaySettings::grace`] at most.
    ///
    /// Records of the last requests are in the outbox when this returns; closing it is the caller's business.
    pub async fn serve(
        self,
        listeners: Vec<TcpListener>,
        shutdown: impl Future<Output = ()>,
    ) -> DrainReport {
        server::serve(self.state, listeners, shutdown).await
    }
}

impl GatewaySettings {
    /// Names the first setting that makes no sense.
    fn check(&self) -> Result<(), GatewayError> {
        let rules = [
            ("connections", "must be at least 1", self.connections > 0),
            ("header_bytes", "must be at least 256", self.header_bytes >= MIN_HEADER_BYTES),
            ("rows", "must be at least 1", self.rows > 0),
            ("body_bytes", "must be at least 1", self.body_bytes > 0),
            (
                "all_bodies_bytes",
                "must be at least body_bytes, or a large request is never taken",
                self.all_bodies_bytes >= self.body_bytes,
            ),
            ("header_time", "must not be zero", !self.header_time.is_zero()),
        ];
        match rules.into_iter().find(|(_, _, kept)| !kept) {
            Some((name, rule, _)) => Err(GatewayError::Setting { name, rule }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut GatewaySettings);

    #[test]
    fn settings_that_make_no_sense_are_named() {
        assert!(GatewaySettings::default().check().is_ok());
        let cases: [(&str, Change); 4] = [
            ("connections", |settings| settings.connections = 0),
            ("header_bytes", |settings| settings.header_bytes = MIN_HEADER_BYTES - 1),
            ("rows", |settings| settings.rows = 0),
            ("all_bodies_bytes", |settings| settings.all_bodies_bytes = settings.body_bytes - 1),
        ];
        for (name, change) in cases {
            let mut settings = GatewaySettings::default();
            change(&mut settings);
            let error = settings.check().unwrap_err();
            assert!(
                matches!(error, GatewayError::Setting { name: found, .. } if found == name),
                "{error}"
            );
        }
    }
}
