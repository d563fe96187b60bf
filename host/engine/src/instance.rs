//! One instance of a package in a store of its own, held to its limits.
//!
//! Every error of the runtime is sorted here: what the guest did ([`Broke`]), or what the host could not do.

use std::sync::Arc;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Store, Trap};

use crate::contract::{self, Exports, Indices, Signature};
use crate::error::{Broke, Cause, LoadError, ScoreError, cause, one_line};
use crate::scorer::Batch;
use crate::settings::HANDLES;
use crate::stats::{Counters, count};
use crate::wasi::{self, Nothing, Refused};

/// A package ready to be instantiated: linked, its exports found.
pub(crate) struct Template {
    pre: InstancePre<Host>,
    indices: Indices,
    budget: Budget,
    output_bytes: usize,
    imports_wasi: bool,
    counters: Arc<Counters>,
}

/// A live instance. After any error but a decline it must not be used again.
pub(crate) struct Instance {
    store: Store<Host>,
    exports: Exports,
    counters: Arc<Counters>,
}

/// What a store knows: only what its guest may still take.
#[derive(Debug)]
pub(crate) struct Host {
    left: Budget,
    /// The last growth, given back when the system cannot deliver it.
    pending: u64,
    refused: bool,
    wasi: Nothing,
}

/// Memory and table that a guest may take, over all of its memories and tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) memory_bytes: u64,
    pub(crate) table_elements: u64,
}

impl Template {
    /// Links a component that imports nothing with a linker that has nothing, and one that imports WASI with an empty
    /// one. It must have been checked for its imports and exports.
    pub(crate) fn new(
        component: &Component,
        budget: Budget,
        output_bytes: usize,
        counters: Arc<Counters>,
    ) -> Result<Self, LoadError> {
        let imports_wasi = contract::imports_wasi(component);
        let linker = match imports_wasi {
            true => wasi::linker(component)?,
            false => Linker::new(component.engine()),
        };
        let pre =
            linker.instantiate_pre(component).map_err(|error| LoadError::Types(cause(error)))?;
        let indices = Indices::new(&pre).map_err(|error| LoadError::Types(cause(error)))?;
        Ok(Self { pre, indices, budget, output_bytes, imports_wasi, counters })
    }

    pub(crate) fn imports_wasi(&self) -> bool {
        self.imports_wasi
    }

    /// What an instance may take.
    pub(crate) fn budget(&self) -> Budget {
        self.budget
    }

    /// Makes an instance, within `ticks` of the deadline clock.
    pub(crate) fn start(&self, ticks: u64) -> Result<Instance, StartError> {
        let mut store = store(self.pre.engine(), self.budget, ticks);
        store.set_hostcall_fuel(self.output_bytes);
        let instance = match self.pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) => return Err(start_error(error, &store)),
        };
        let exports = self
            .indices
            .load(&mut store, &instance)
            .map_err(|error| StartError::Types(cause(error)))?;
        count(&self.counters.instances_created);
        Ok(Instance { store, exports, counters: Arc::clone(&self.counters) })
    }
}

/// Why an instance did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// Its exports do not have the types of the contract.
    Types(Cause),
    /// Every slot of the engine's pool is taken.
    Full(Cause),
    /// It broke, or the host had no room for it.
    Score(ScoreError),
}

impl Instance {
    /// Asks for the signature.
    pub(crate) fn signature(&mut self, ticks: u64) -> Result<Signature, ScoreError> {
        self.begin(ticks);
        contract::signature(&self.exports, &mut self.store)
            .map_err(|error| ScoreError::Broke(broke(&error, &self.store)))
    }

    /// Scores a batch in one call. The answer has one finite value a row.
    pub(crate) fn score(&mut self, ticks: u64, batch: Batch<'_>) -> Result<Vec<f64>, ScoreError> {
        self.begin(ticks);
        let values = contract::score(&self.exports, &mut self.store, batch)
            .map_err(|error| ScoreError::Broke(broke(&error, &self.store)))?
            .map_err(ScoreError::Declined)?;
        if values.len() != batch.rows as usize {
            let what = format!("{} predictions for {} rows", values.len(), batch.rows);
            return Err(ScoreError::Broke(Broke::Output(what)));
        }
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(row) => {
                let what = format!("{} for row {row}", values[row]);
                Err(ScoreError::Broke(Broke::Output(what)))
            }
        }
    }
}

impl Instance {
    fn begin(&mut self, ticks: u64) {
        self.store.set_epoch_deadline(ticks);
        self.store.data_mut().wasi.begin();
    }

    /// The end of what the guest wrote to its outputs in the last call.
    pub(crate) fn said(&self) -> &[u8] {
        self.store.data().wasi.said()
    }

    /// Bytes of memory that the guest has, all of it.
    pub(crate) fn memory_bytes(&self, budget: Budget) -> u64 {
        budget.memory_bytes.saturating_sub(self.store.data().left.memory_bytes)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        count(&self.counters.instances_gone);
    }
}

/// A store whose guest is held to a budget and a deadline.
pub(crate) fn store(engine: &wasmtime::Engine, left: Budget, ticks: u64) -> Store<Host> {
    let mut store =
        Store::new(engine, Host { left, pending: 0, refused: false, wasi: Nothing::default() });
    store.limiter(|host| host);
    store.set_max_component_handles(HANDLES);
    store.set_epoch_deadline(ticks);
    store
}

/// What a guest did that ended in this error.
pub(crate) fn broke(error: &wasmtime::Error, store: &Store<Host>) -> Broke {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Broke::Trap(refused.to_string());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Broke::Deadline,
        Some(Trap::StackOverflow) => Broke::Stack,
        Some(_) if store.data().refused => Broke::Memory,
        Some(trap) => Broke::Trap(trap.to_string()),
        // Everything else that ends a call is an answer (or room for a question) outside the guest's memory, of
        // a wrong form or too large.
        None => Broke::Output(one_line(error)),
    }
}

fn start_error(error: wasmtime::Error, store: &Store<Host>) -> StartError {
    if error.is::<PoolConcurrencyLimitError>() {
        return StartError::Full(cause(error));
    }
    StartError::Score(if error.is::<Trap>() || error.is::<Refused>() {
        ScoreError::Broke(broke(&error, store))
    } else if store.data().refused {
        ScoreError::Broke(Broke::Memory)
    } else {
        ScoreError::Host(cause(error))
    })
}

impl Host {
    /// What WASI knows of this store.
    pub(crate) fn wasi(&mut self) -> &mut Nothing {
        &mut self.wasi
    }

    /// Takes what is wanted from what is left, or refuses and remembers that it did.
    fn take(left: &mut u64, wanted: u64, refused: &mut bool) -> bool {
        match left.checked_sub(wanted) {
            Some(rest) => *left = rest,
            None => *refused = true,
        }
        !*refused
    }
}

impl ResourceLimiter for Host {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        self.pending = desired.saturating_sub(current) as u64;
        Ok(Self::take(&mut self.left.memory_bytes, self.pending, &mut self.refused))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        tracing::debug!(error = one_line(&error), "Memory did not grow");
        self.left.memory_bytes += std::mem::take(&mut self.pending);
        self.refused = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        let wanted = desired.saturating_sub(current) as u64;
        Ok(Self::take(&mut self.left.table_elements, wanted, &mut self.refused))
    }
}
