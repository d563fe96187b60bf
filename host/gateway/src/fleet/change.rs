//! What can be changed about deployments, and why a change is not made.

use serde::Serialize;

/// A package on its way into a deployment.
#[derive(Debug)]
pub struct Push {
    /// The deployment. One that does not exist is made, when the package is to be its champion.
    pub deployment: String,
    /// The package.
    pub package: engine::Package,
    /// A signature that did not come in the package.
    pub signature: Option<Vec<u8>>,
    /// What it is to be there.
    pub place: Place,
    /// Goes on where a feature in use is dropped or retyped.
    pub force: bool,
    /// Who wants it.
    pub by: String,
}

/// What a package is in a deployment.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// It answers.
    Champion,
    /// It answers this share of the requests, above 0 and below 1.
    Canary(f64),
    /// It scores along under this name.
    Challenger(String),
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The deployment.
    pub deployment: String,
    /// As in [`super::Event::action`].
    pub action: &'static str,
    /// The digest before.
    pub from: Option<String>,
    /// The digest after.
    pub to: Option<String>,
    /// What the caller should know: features that are new, or gone.
    pub warnings: Vec<String>,
}

/// Why a change was not made. Whatever served before serves on.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such deployment.
    #[error("there is no deployment {0:?}")]
    NoDeployment(String),
    /// The deployment has no canary, no such challenger, or nothing to roll back to.
    #[error("deployment {deployment:?} has no {what}")]
    Nothing {
        /// The deployment.
        deployment: String,
        /// What it lacks.
        what: String,
    },
    /// A value that makes no sense.
    #[error("{field} {rule}")]
    Invalid {
        /// What was given.
        field: &'static str,
        /// The rule that it breaks.
        rule: String,
    },
    /// Another change of this deployment is under way.
    #[error("another change of deployment {0:?} is under way; try again when it is done")]
    UnderWay(String),
    /// Callers would notice.
    #[error("the new package takes other features: {}; force it when all callers are ready", .0.join("; "))]
    Schema(Vec<String>),
    /// The signature is missing, wrong, or by nobody who is trusted.
    #[error("the package is not trusted")]
    Untrusted(#[source] engine::SignatureError),
    /// An older version than one that served already, and the gateway keeps to newer ones.
    #[error(
        "version {version:?} is older than {floor:?}, which served here already, and signing.only_newer is set"
    )]
    Older {
        /// The package's.
        version: String,
        /// The highest so far.
        floor: String,
    },
    /// The package does not load.
    #[error("the package does not load")]
    Load(#[source] engine::LoadError),
    /// Its features cannot be bound.
    #[error("the package cannot serve here")]
    Bind(#[source] crate::SchemaError),
    /// The state folder does not take it.
    #[error("{what}")]
    Store {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Whose fault a [`ChangeError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeFault {
    /// Nothing of that name.
    NotFound,
    /// The request is wrong.
    Invalid,
    /// Not now, or not without force.
    Conflict,
    /// The package is refused.
    Refused,
    /// The gateway cannot.
    Host,
}

impl ChangeError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> ChangeFault {
        match self {
            Self::NoDeployment(_) | Self::Nothing { .. } => ChangeFault::NotFound,
            Self::Invalid { .. } => ChangeFault::Invalid,
            Self::UnderWay(_) | Self::Schema(_) => ChangeFault::Conflict,
            Self::Untrusted(_) | Self::Older { .. } | Self::Load(_) | Self::Bind(_) => {
                ChangeFault::Refused
            }
            Self::Store { .. } => ChangeFault::Host,
        }
    }
}
