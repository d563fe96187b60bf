//! The registry: model packages, deployments, prediction environments, and who took whose place.
//!
//! Everything is stored before it is answered. Packages and deployments are also kept in memory, because every call of
//! ingest asks for a deployment: nobody else writes to the database.

mod baseline;
mod dataset;
mod deployment;
mod environment;
mod external;
mod id;
mod package;
mod rows;
mod settings;
mod training;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use sqlx::Row as _;
use tokio::sync::Mutex;

pub use self::dataset::Dataset;
pub use self::deployment::{DEPLOYMENT_ID_CHARS, Deployment, NewDeployment, Reason, Replacement};
pub use self::environment::{Environment, NewEnvironment, RestartRequest};
pub use self::external::{Datasets, ExternalPackage};
pub use self::id::new_id;
pub use self::package::{
    Description, Origin, Package, PackageFault, TargetDescription, TargetType,
};
pub use self::rows::Definition;
pub use self::settings::{Settings, SettingsPatch};
pub use self::training::TrainingFault;
use crate::ingest::DeploymentPlan;
use crate::report::Baseline;
use crate::store::{Store, StoreError};

/// The registry. Clones share it.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    /// Held over a change, so that what is read before it is true when it is written.
    changing: Mutex<()>,
    kept: RwLock<Kept>,
}

/// What is kept in memory.
#[derive(Debug, Default)]
struct Kept {
    packages: HashMap<String, Arc<Package>>,
    deployments: HashMap<String, Arc<Known>>,
}

/// A deployment, and what its records are counted by.
#[derive(Debug)]
pub struct Known {
    /// The deployment.
    pub deployment: Deployment,
    /// What its present and former packages are, the present one first.
    pub packages: Vec<Arc<Package>>,
    /// What ingest must know.
    pub plan: Arc<DeploymentPlan>,
    /// The training data of its present package.
    pub baseline: Option<Baseline>,
}

/// Something that the registry does not do.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is none.
    #[error("there is no {what} {id:?}")]
    Missing {
        /// What kind of thing.
        what: &'static str,
        /// What it was called.
        id: String,
    },
    /// There was one.
    #[error("{what} {id:?} is gone")]
    Gone {
        /// What kind of thing.
        what: &'static str,
        /// What it was called.
        id: String,
    },
    /// A value that cannot be.
    #[error("`{field}` {reason}")]
    Invalid {
        /// The field, with the way to it.
        field: Cow<'static, str>,
        /// What is wrong, and what it must be.
        reason: String,
    },
    /// Something stands in the way.
    #[error("{0}")]
    Conflict(String),
    /// A file that is no package.
    #[error("the file is no model package: {0}")]
    Package(#[from] PackageFault),
    /// Training data that cannot be used.
    #[error("the training data cannot be used: {0}")]
    Training(#[from] TrainingFault),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for RegistryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl RegistryError {
    fn missing(what: &'static str, id: &str) -> Self {
        Self::Missing { what, id: id.chars().take(128).collect() }
    }

    fn gone(what: &'static str, id: &str) -> Self {
        Self::Gone { what, id: id.to_owned() }
    }

    fn invalid(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }
}

impl Registry {
    /// Reads what is stored.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn open(store: Store) -> Result<Self, StoreError> {
        let mut kept = Kept::default();
        let read = "SELECT body FROM packages";
        for row in sqlx::query(read).fetch_all(store.pool()).await? {
            let package: Package = rows::body(&row, 0, "a package")?;
            kept.packages.insert(package.id.clone(), Arc::new(package));
        }
        let registry =
            Self(Arc::new(Shared { store, changing: Mutex::new(()), kept: RwLock::new(kept) }));
        let read = "SELECT body FROM deployments";
        for row in sqlx::query(read).fetch_all(registry.store().pool()).await? {
            registry.keep(rows::body(&row, 0, "a deployment")?).await?;
        }
        Ok(registry)
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// A deployment, by its id.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn deployment(&self, id: &str) -> Result<Arc<Known>, RegistryError> {
        let found = self.0.kept.read().deployments.get(id).cloned();
        found.ok_or_else(|| RegistryError::missing("deployment", id))
    }

    /// All deployments, the oldest first.
    pub fn deployments(&self) -> Vec<Arc<Known>> {
        let mut all: Vec<_> = self.0.kept.read().deployments.values().cloned().collect();
        all.sort_by(|a, b| {
            let key = |it: &Known| (it.deployment.created_us, it.deployment.id.clone());
            key(a).cmp(&key(b))
        });
        all
    }

    /// A package, by its id.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn package(&self, id: &str) -> Result<Arc<Package>, RegistryError> {
        let found = self.0.kept.read().packages.get(id).cloned();
        found.ok_or_else(|| RegistryError::missing("model package", id))
    }

    /// The training data of one of a deployment's packages.
    pub fn baseline(&self, known: &Known, package: &Package) -> Option<Baseline> {
        baseline::baseline(package, &known.deployment.settings)
    }

    /// All packages, the oldest first; archived ones only when asked for.
    pub fn packages(&self, archived: bool) -> Vec<Arc<Package>> {
        let kept = self.0.kept.read();
        let all = kept.packages.values().filter(|package| archived || !package.is_archived);
        let mut all: Vec<_> = all.cloned().collect();
        all.sort_by(|a, b| (a.created_us, &a.id).cmp(&(b.created_us, &b.id)));
        all
    }

    /// Puts a deployment, as it is stored, into memory, with everything that follows from it.
    async fn keep(&self, deployment: Deployment) -> Result<(), StoreError> {
        let former = self.replacements(&deployment.id).await?;
        let mut packages = Vec::new();
        {
            let kept = self.0.kept.read();
            let ids = std::iter::once(&deployment.package_id)
                .chain(former.iter().rev().map(|replacement| &replacement.package_id));
            for id in ids {
                if let Some(package) = kept.packages.get(id)
                    && !packages.iter().any(|other: &Arc<Package>| other.id == package.id)
                {
                    packages.push(Arc::clone(package));
                }
            }
        }
        let plan = Arc::new(baseline::plan(&deployment, &packages));
        let baseline =
            packages.first().and_then(|package| baseline::baseline(package, &deployment.settings));
        let id = deployment.id.clone();
        let known = Arc::new(Known { deployment, packages, plan, baseline });
        self.0.kept.write().deployments.insert(id, known);
        Ok(())
    }

    /// Which package took the place of which, the first one first.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn replacements(&self, deployment: &str) -> Result<Vec<Replacement>, StoreError> {
        let read = "SELECT body FROM replacements WHERE deployment_id = $1 ORDER BY number";
        let rows = sqlx::query(read).bind(deployment).fetch_all(self.store().pool()).await?;
        rows.iter().map(|row| rows::body(row, 0, "a replacement")).collect()
    }

    /// A file's bytes, by its digest.
    ///
    /// # Errors
    ///
    /// When it is not here, or cannot be read.
    pub async fn artefact(&self, digest: &str) -> Result<Vec<u8>, RegistryError> {
        let read = "SELECT bytes FROM artefacts WHERE digest = $1";
        let row = sqlx::query(read).bind(digest).fetch_optional(self.store().pool()).await?;
        let row = row.ok_or_else(|| RegistryError::missing("artefact", digest))?;
        Ok(row.try_get(0)?)
    }
}

#[cfg(test)]
mod tests;
