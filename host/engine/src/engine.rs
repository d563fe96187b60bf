//! The engine: one for a process, shared by every package.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use models::{Model, manifest::Manifest};
use parking_lot::Mutex;
use wasmtime::component::Component;

use crate::cache::{Cache, Found};
use crate::compile::{Compiler, Compilers};
use crate::contract;
use crate::crowd::Crowd;
use crate::error::{BuildError, CompileError, EngineError, LoadError, cause};
use crate::instance::{Budget, Template};
use crate::machine_code;
use crate::package::{Digest, Package, attach_manifest};
use crate::runtime::{self, Placement};
use crate::scorer::Scorer;
use crate::settings::{EngineSettings, LimitSettings, Limits};
use crate::snapshot;
use crate::stats::{Counters, Stats, count};
use crate::ticker::Ticker;

/// Largest stack of a guest: the threads that score have 2 MiB and need the rest themselves.
const STACK_BYTES_MAX: usize = 1 << 20;
/// Smallest stack of a guest that ordinary code gets along with.
const STACK_BYTES_MIN: usize = 64 << 10;
/// A page of a guest's memory.
const PAGE_BYTES: u64 = 64 << 10;
/// Shortest tick; a shorter one would only burn a processor.
const TICK_MIN: Duration = Duration::from_micros(100);

/// Builds and loads packages. Cheap to clone; make one for a process.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What an engine shares with its scorers. The deadline clock runs as long as any of them lives.
pub(crate) struct Shared {
    pub(crate) ticker: Ticker,
    pub(crate) counters: Arc<Counters>,
    wasmtime: wasmtime::Engine,
    placement: Placement,
    cache: Option<Cache>,
    compilers: Option<Compilers>,
    /// Machine code that some scorer holds.
    loaded: Mutex<HashMap<Digest, Weak<Component>>>,
    pub(crate) crowd: Arc<Crowd>,
    /// Instances that there is room for; 0 where there is no such number.
    pub(crate) slots: u32,
}

impl Engine {
    /// Starts the WebAssembly runtime and the deadline clock.
    ///
    /// # Errors
    ///
    /// [`EngineError::Setting`] for settings out of range, [`EngineError::Cache`] when the cache's folder cannot be
    /// used, and when the operating system refuses what the runtime needs.
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        check(&settings)?;
        let (wasmtime, placement) = runtime::start(&settings).map_err(EngineError::Runtime)?;
        let cache = settings.cache.map(|folder| Cache::open(folder, &wasmtime)).transpose()?;
        let ticker = Ticker::start(&wasmtime, settings.tick).map_err(EngineError::Clock)?;
        let counters = Arc::default();
        let compilers = settings.compiler.map(|compiler| Compilers::new(compiler, placement));
        let slots = if placement == Placement::Pool { settings.pool_slots } else { 0 };
        let shared = Shared {
            ticker,
            counters,
            wasmtime,
            placement,
            cache,
            compilers,
            loaded: Mutex::default(),
            crowd: Arc::default(),
            slots,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Makes a package from a model: the same model and manifest always give the same bytes. The package has been
    /// loaded, and has given its golden predictions bit for bit, before it is returned.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: model and manifest are unsound or disagree, the model is too large, or the package did not pass
    /// its check.
    pub fn build_package(&self, model: &Model, manifest: &Manifest) -> Result<Vec<u8>, BuildError> {
        model.validate().map_err(BuildError::Model)?;
        manifest.validate().map_err(BuildError::Manifest)?;
        if model.target != manifest.target {
            return Err(BuildError::Disagree("the targets"));
        }
        // Also the policies, which the contract's signature does not tell.
        if model.features != manifest.features {
            return Err(BuildError::Disagree("the features"));
        }
        let shared = &self.shared;
        let mut bytes = snapshot::take(&shared.wasmtime, &shared.ticker, &model.encode())?;
        attach_manifest(&mut bytes, &manifest.to_json());
        let package = Package::parse(bytes).map_err(BuildError::Package)?;
        self.load(&package, Limits { instances: 1, ..Limits::default() })
            .map_err(BuildError::Check)?;
        Ok(package.into_bytes())
    }

    /// Makes a package ready to score: compiled, held to the contract, its signature and golden rows in agreement with
    /// its manifest, first instances warm. Compiling takes a moment (a fraction of a second for the stock scorer), so
    /// this does not belong on a request's path.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says what the package lacks or does wrong.
    pub fn load(
        &self,
        package: &Package,
        limits: impl Into<LimitSettings>,
    ) -> Result<Scorer, LoadError> {
        let limits = limits.into();
        // What is wrong with them is said before anything is compiled.
        check_limits(&limits.over(false))?;
        let component = self.component(package)?;
        let (template, limits) = self.template(&component, &limits)?;
        let shared = Arc::clone(&self.shared);
        let manifest = package.manifest().clone();
        Scorer::new(shared, manifest, package.digest(), component, template, limits)
    }

    /// Holds a component to the contract and links it, within the limits that fit it.
    pub(crate) fn template(
        &self,
        component: &Component,
        limits: &LimitSettings,
    ) -> Result<(Template, Limits), LoadError> {
        contract::check_imports(component)?;
        contract::check_exports(component)?;
        let limits = limits.over(contract::imports_wasi(component));
        let declared = declared_bytes(component);
        if declared > limits.declared_bytes {
            return Err(LoadError::Declared { bytes: declared, limit: limits.declared_bytes });
        }
        let budget = Budget {
            memory_bytes: declared.saturating_add(limits.working_bytes),
            table_elements: limits.table_elements as u64,
        };
        let counters = Arc::clone(&self.shared.counters);
        let template = Template::new(component, budget, limits.output_bytes, counters)?;
        Ok((template, limits))
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.shared.wasmtime
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Where instances are placed on this machine.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.shared.placement
    }

    /// The package's machine code, from another scorer, the cache or the compiler.
    fn component(&self, package: &Package) -> Result<Arc<Component>, LoadError> {
        let digest = package.digest();
        let here = || self.shared.loaded.lock().get(&digest).and_then(Weak::upgrade);
        if let Some(component) = here() {
            count(&self.shared.counters.shared);
            return Ok(component);
        }
        let component = Arc::new(self.make_component(package)?);
        let mut loaded = self.shared.loaded.lock();
        loaded.retain(|_, component| component.strong_count() > 0);
        // Two who loaded it at the same time keep one of the two.
        let slot = loaded.entry(digest).or_default();
        if let Some(other) = slot.upgrade() {
            return Ok(other);
        }
        *slot = Arc::downgrade(&component);
        Ok(component)
    }

    fn make_component(&self, package: &Package) -> Result<Component, LoadError> {
        let Some(cache) = &self.shared.cache else {
            return Ok(self.compile(package)?.0);
        };
        let counters = &self.shared.counters;
        match cache.find(&self.shared.wasmtime, package.digest()) {
            Found::Component(component) => {
                count(&counters.cache_hits);
                return Ok(component);
            }
            Found::Nothing => {}
            Found::Refused(why) => {
                count(&counters.cache_refused);
                tracing::warn!(digest = %package.digest(), why, "Compiling anew instead of using the cache");
            }
        }
        let (component, code) = self.compile(package)?;
        let kept = match code {
            Some(code) => cache.keep(package.digest(), &code),
            None => component
                .serialize()
                .map_err(|error| io::Error::other(error.to_string()))
                .and_then(|code| cache.keep(package.digest(), &code)),
        };
        if let Err(error) = kept {
            tracing::warn!(%error, digest = %package.digest(), "Machine code not cached");
        }
        Ok(component)
    }

    /// Compiles the package, in a child process when there is one for it. Then its bytes come too.
    fn compile(&self, package: &Package) -> Result<(Component, Option<Vec<u8>>), LoadError> {
        let Shared { counters, wasmtime, compilers, crowd, .. } = &*self.shared;
        count(&counters.compiled);
        let Some(compilers) = compilers else {
            let component = Component::from_binary(wasmtime, package.bytes());
            return component
                .map(|component| (component, None))
                .map_err(|error| LoadError::Invalid(cause(error)));
        };
        let serving = crowd.scorers() > 0;
        let code = compilers.compile(package.bytes(), serving).map_err(|error| match error {
            CompileError::Invalid(why) => LoadError::Invalid(why.into()),
            error => LoadError::Compile(error),
        })?;
        // Our own program made it, and its answer came whole.
        let component = machine_code::take(wasmtime, &code)
            .map_err(|error| LoadError::Invalid(cause(error)))?;
        Ok((component, Some(code)))
    }
}

/// The memory that a component starts with, at most. The runtime cannot tell for a component that imports modules;
/// such a one has not passed the check of imports.
pub(crate) fn declared_bytes(component: &Component) -> u64 {
    component.resources_required().map_or(u64::MAX, |resources| {
        let pages = resources.max_initial_memory_size.unwrap_or(0);
        pages.saturating_mul(PAGE_BYTES).saturating_mul(u64::from(resources.num_memories))
    })
}

fn check(settings: &EngineSettings) -> Result<(), EngineError> {
    if !(STACK_BYTES_MIN..=STACK_BYTES_MAX).contains(&settings.stack_bytes) {
        let rule = "must be from 65536 to 1048576";
        return Err(EngineError::Setting { name: "stack_bytes", rule });
    }
    if let Some(Compiler { limits, .. }) = &settings.compiler {
        let rules = [
            ("cpu_time", !limits.cpu_time.is_zero()),
            ("memory_bytes", limits.memory_bytes > 0),
            ("wall_time", !limits.wall_time.is_zero()),
        ];
        if let Some((name, _)) = rules.into_iter().find(|(_, kept)| !kept) {
            return Err(EngineError::Setting { name, rule: "must be more than 0" });
        }
    }
    if settings.tick < TICK_MIN {
        let rule = "must be at least 100 microseconds";
        return Err(EngineError::Setting { name: "tick", rule });
    }
    Ok(())
}

fn check_limits(limits: &Limits) -> Result<(), LoadError> {
    let rules = [
        ("instances", limits.instances > 0),
        ("call_numbers", limits.call_numbers > 0),
        ("output_bytes", limits.output_bytes > 0),
        ("call_deadline", !limits.call_deadline.is_zero()),
        ("start_deadline", !limits.start_deadline.is_zero()),
    ];
    match rules.into_iter().find(|(_, kept)| !kept) {
        None => Ok(()),
        Some((name, _)) => Err(LoadError::Limit { name, rule: "must be more than 0" }),
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("placement", &self.shared.placement)
            .field("cache", &self.shared.cache)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
