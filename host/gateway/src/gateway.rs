//! The gateway as the program sees it.

use std::{io, path::PathBuf, sync::Arc};

use tokio::net::TcpListener;

use crate::{
    fleet::{ChangeError, Fleet, FleetPlan, Follower, Operations, Shadow, StoreError},
    metrics::{ChannelProbe, Rooms},
    recorder::{Disk, Keep},
    server::{self, DrainReport},
    settings::{FleetSettings, GatewaySettings, is_name},
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
    /// A deployment of the settings does not start.
    #[error("serve deployment {id:?}")]
    Deployment {
        /// The deployment.
        id: String,
        /// Why.
        #[source]
        source: ChangeError,
    },
    /// The state folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder of packages cannot be followed.
    #[error("follow the models folder {path}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system gives no thread.
    #[error("start a thread")]
    Thread(#[source] io::Error),
}

/// A gateway that is ready to serve.
#[derive(Debug)]
pub struct Gateway {
    state: Arc<State>,
    follower: Option<Follower>,
}

impl Gateway {
    /// Puts a gateway together and loads its packages. Without an outbox nothing is recorded. `engine` and `channels` are
    /// asked at each scrape of `/metrics`.
    ///
    /// # Errors
    ///
    /// When a setting makes no sense, when a deployment of the settings does not start, and when a folder cannot be used.
    pub fn new(
        plan: FleetPlan,
        engine: engine::Engine,
        outbox: Option<spool::Outbox>,
        channels: ChannelProbe,
        mut settings: GatewaySettings,
    ) -> Result<Self, GatewayError> {
        settings.name = settings.name.or_else(host_name);
        let outbox = outbox.map(|outbox| Box::new(Disk(outbox)) as Box<dyn Keep>);
        let folder = plan.folder.clone();
        plan.settings.check()?;
        let (operations, plans) = Operations::open(engine.clone(), plan)?;
        let rooms = Some(Rooms { engine, channels });
        let mut gateway = Self::assemble(operations, rooms, outbox, settings)?;
        let fleet = gateway.fleet();
        fleet.start(&plans, folder.is_some())?;
        gateway.follower = match folder {
            Some(path) => {
                Some(fleet.follow(&path).map_err(|source| GatewayError::Folder { path, source })?)
            }
            None => None,
        };
        Ok(gateway)
    }

    pub(crate) fn assemble(
        operations: Operations,
        rooms: Option<Rooms>,
        outbox: Option<Box<dyn Keep>>,
        settings: GatewaySettings,
    ) -> Result<Self, GatewayError> {
        settings.check()?;
        let shadow = Shadow::start(&operations.settings).map_err(GatewayError::Thread)?;
        let state = Arc::new(State::new(settings, operations, shadow, rooms, outbox));
        Ok(Self { state, follower: None })
    }

    /// The deployments, to look at and to change.
    #[must_use]
    pub fn fleet(&self) -> Fleet {
        Fleet::of(&self.state)
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
        let report = server::serve(self.state, listeners, shutdown).await;
        drop(self.follower);
        report
    }
}

/// The host's name, if it has one that a gateway can have.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    // What the kernel says of a host that was given none.
    (is_name(name) && name != "(none)").then(|| name.to_owned())
}

impl GatewaySettings {
    /// Names the first setting that makes no sense.
    fn check(&self) -> Result<(), GatewayError> {
        let named = self.name.as_deref().is_none_or(is_name);
        let rules = [
            ("name", "must be 1 to 64 characters, none of them a control character", named),
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
        broken(rules)
    }
}

impl FleetSettings {
    /// Names the first setting that makes no sense.
    fn check(&self) -> Result<(), GatewayError> {
        let share = self.shadow_cpu;
        broken([
            ("deployments", "must be at least 1", self.deployments > 0),
            ("versions", "must be at least 2, or there is none to go back to", self.versions >= 2),
            ("shadow_cpu", "must be above 0 and at most 1", share > 0.0 && share <= 1.0),
            ("watch.faults", "must be from 0 to 1", (0.0..=1.0).contains(&self.watch.faults)),
        ])
    }
}

/// The first rule that is not kept, as an error.
fn broken<const N: usize>(
    rules: [(&'static str, &'static str, bool); N],
) -> Result<(), GatewayError> {
    match rules.into_iter().find(|(_, _, kept)| !kept) {
        Some((name, rule, _)) => Err(GatewayError::Setting { name, rule }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut GatewaySettings);

    #[test]
    fn settings_that_make_no_sense_are_named() {
        assert!(GatewaySettings::default().check().is_ok());
        let cases: [(&str, Change); 6] = [
            ("name", |settings| settings.name = Some(String::new())),
            ("name", |settings| settings.name = Some("g".repeat(65))),
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
