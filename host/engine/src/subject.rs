//! A component that is being made into a package or examined: compiled, but trusted in nothing yet.

use std::fmt;
use std::sync::Arc;

use models::manifest::Manifest;
use wasmtime::component::Component;

use crate::contract::{self, Signature};
use crate::engine::{Engine, Shared, declared_bytes};
use crate::error::{LoadError, ScoreError, SealError};
use crate::instance::{Instance, StartError, Template};
use crate::package::{self, Digest, Package, attach_manifest};
use crate::scorer::{Batch, Scorer};
use crate::settings::{LimitSettings, Limits};

/// A compiled component, with or without a manifest. Cheap to clone.
#[derive(Clone)]
pub struct Subject {
    engine: Engine,
    component: Component,
    bytes: Arc<[u8]>,
}

/// A component that keeps to the contract as far as this shows without running it.
pub struct Linked {
    shared: Arc<Shared>,
    template: Template,
    limits: Limits,
    declared: u64,
}

/// One instance, to be asked things. After it broke it answers nothing of worth.
pub struct Probe<'a> {
    linked: &'a Linked,
    instance: Instance,
}

impl Engine {
    /// Compiles a component. A core module that carries its component type, as C toolchains make it, becomes a component
    /// first.
    ///
    /// # Errors
    ///
    /// [`SealError`] when the bytes are neither, or are no valid code here.
    pub fn subject(&self, bytes: Vec<u8>) -> Result<Subject, SealError> {
        let bytes = package::component(bytes)?;
        let component = Component::from_binary(self.wasmtime(), &bytes)
            .map_err(|error| LoadError::Invalid(crate::error::cause(error)))?;
        Ok(Subject { engine: self.clone(), component, bytes: bytes.into() })
    }
}

impl Subject {
    /// The component.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it imports.
    #[must_use]
    pub fn imports(&self) -> Vec<String> {
        contract::imports(&self.component)
    }

    /// Whether everything that it imports is there.
    ///
    /// # Errors
    ///
    /// [`LoadError::Wasi`] or [`LoadError::Import`] with the first import that is not.
    pub fn check_imports(&self) -> Result<(), LoadError> {
        contract::check_imports(&self.component)
    }

    /// Links it, within limits that fit it.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says what it lacks.
    pub fn link(&self, limits: &LimitSettings) -> Result<Linked, LoadError> {
        let (template, limits) = self.engine.template(&self.component, limits)?;
        let shared = self.engine.shared();
        Ok(Linked { shared, template, limits, declared: declared_bytes(&self.component) })
    }

    /// Makes a package of it: with this manifest, and proven on its golden rows.
    ///
    /// # Errors
    ///
    /// [`SealError`]: it has a manifest already, the manifest is not sound, or the package does not do what it says.
    pub fn seal(&self, manifest: &Manifest, limits: &LimitSettings) -> Result<Package, SealError> {
        manifest.validate().map_err(SealError::Manifest)?;
        let mut bytes = self.bytes.to_vec();
        package::check_bare(&bytes)?;
        attach_manifest(&mut bytes, &manifest.to_json());
        let package = Package::parse(bytes).map_err(SealError::Package)?;
        self.prove(&package, limits)?;
        Ok(package)
    }

    /// Proves a package that consists of this component on its golden rows.
    pub(crate) fn prove(&self, package: &Package, limits: &LimitSettings) -> Result<(), LoadError> {
        let one = LimitSettings { instances: Some(1), ..limits.clone() };
        let (template, limits) = self.engine.template(&self.component, &one)?;
        let (manifest, digest): (_, Digest) = (package.manifest().clone(), package.digest());
        let component = Arc::new(self.component.clone());
        Scorer::new(self.engine.shared(), manifest, digest, component, template, limits).map(drop)
    }
}

impl Linked {
    /// The limits that hold for it.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Memory that it starts with, at most.
    #[must_use]
    pub fn declared_bytes(&self) -> u64 {
        self.declared
    }

    /// Makes an instance.
    ///
    /// # Errors
    ///
    /// [`LoadError::Types`] when its exports are not those of the contract, [`LoadError::FirstCall`] when it broke.
    pub fn start(&self) -> Result<Probe<'_>, LoadError> {
        let ticks = self.shared.ticker.ticks(self.limits.start_deadline);
        let instance = self.template.start(ticks).map_err(|error| match error {
            StartError::Types(cause) => LoadError::Types(cause),
            StartError::Full(cause) => LoadError::FirstCall(ScoreError::Host(cause)),
            StartError::Score(error) => LoadError::FirstCall(error),
        })?;
        Ok(Probe { linked: self, instance })
    }
}

impl Probe<'_> {
    /// What it says that it takes and gives.
    ///
    /// # Errors
    ///
    /// [`ScoreError::Broke`].
    pub fn describe(&mut self) -> Result<Signature, ScoreError> {
        self.instance.signature(self.ticks())
    }

    /// Scores a batch in one call, whatever its shape.
    ///
    /// # Errors
    ///
    /// As [`Scorer::score`].
    pub fn score(&mut self, batch: Batch<'_>) -> Result<Vec<f64>, ScoreError> {
        self.instance.score(self.ticks(), batch)
    }

    /// The end of what it wrote to its outputs in the last call.
    #[must_use]
    pub fn said(&self) -> String {
        String::from_utf8_lossy(self.instance.said()).trim().to_string()
    }

    /// Memory that it has now.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.instance.memory_bytes(self.linked.template.budget())
    }

    fn ticks(&self) -> u64 {
        self.linked.shared.ticker.ticks(self.linked.limits.call_deadline)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Linked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linked").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl fmt::Debug for Probe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}
