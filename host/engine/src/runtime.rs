//! How wasmtime is set up.
//!
//! Instances live in a pool of slots that are reserved at the start, which makes a new one cheap. A slot takes 4 GiB of
//! address space, so that a guest's addresses need no check. Small boards and address-space limits do not have that
//! much: then instances are placed on demand, with the same reservation where a few of them fit, and else compactly,
//! with checked addresses.

use wasmparser::WasmFeatures;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, Module, PoolingAllocationConfig, Store,
};

use crate::error::{Cause, cause, one_line};
use crate::settings::{EngineSettings, TABLE_ELEMENTS};

/// Core instances for each slot of the pool, on average: the stock scorer has 2, a language's runtime some dozens. They
/// are only counted, a higher number costs nothing.
const CORE_INSTANCES: u32 = 16;
/// Tables for each slot of the pool, on average.
const TABLES: u32 = 2;
/// Instances with 4 GiB each that must fit for the reserved placement.
const PROBES: usize = 8;
/// A module with one page of memory.
const PROBE: &[u8] = b"\0asm\x01\0\0\0\x05\x03\x01\0\x01";

/// What no package needs, and what would be more code to trust. Relaxed SIMD gives other numbers on other processors.
const OFF: [WasmFeatures; 10] = [
    WasmFeatures::THREADS,
    WasmFeatures::MEMORY64,
    WasmFeatures::MULTI_MEMORY,
    WasmFeatures::GC,
    WasmFeatures::EXCEPTIONS,
    WasmFeatures::TAIL_CALL,
    WasmFeatures::FUNCTION_REFERENCES,
    WasmFeatures::STACK_SWITCHING,
    WasmFeatures::RELAXED_SIMD,
    WasmFeatures::CM_ASYNC,
];

/// Where instances are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In a pool of slots, reserved at the start.
    Pool,
    /// On demand, 4 GiB of address space each.
    Reserved,
    /// On demand, as much address space as memory; every access is checked.
    Compact,
}

/// Starts wasmtime with the best placement that this machine has room for.
pub(crate) fn start(settings: &EngineSettings) -> Result<(Engine, Placement), Cause> {
    if settings.pool_slots > 0 {
        match engine(settings, Placement::Pool) {
            Ok(engine) => return Ok((engine, Placement::Pool)),
            Err(error) => tracing::warn!(
                error = one_line(&error),
                slots = settings.pool_slots,
                "No address space for the instance pool, placing instances on demand"
            ),
        }
    }
    let reserved = engine(settings, Placement::Reserved).map_err(cause)?;
    match probe(&reserved) {
        Ok(()) => Ok((reserved, Placement::Reserved)),
        Err(error) => {
            tracing::debug!(error = one_line(&error), "Placing instances compactly");
            let compact = engine(settings, Placement::Compact).map_err(cause)?;
            Ok((compact, Placement::Compact))
        }
    }
}

/// A wasmtime that only compiles, on one thread, for instances that another process places so. Its machine code fits
/// there, because a pool changes where instances lie and not how their code reaches their memory. It has no pool itself,
/// which would take address space for nothing.
pub(crate) fn compiler(placement: Placement) -> Result<Engine, Cause> {
    let mut config = config(placement);
    config.parallel_compilation(false);
    Engine::new(&config).map_err(cause)
}

fn engine(settings: &EngineSettings, placement: Placement) -> wasmtime::Result<Engine> {
    let mut config = config(placement);
    config.max_wasm_stack(settings.stack_bytes);
    if placement == Placement::Pool {
        let slots = settings.pool_slots;
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(slots)
            .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
            .total_memories(slots)
            .total_tables(slots.saturating_mul(TABLES))
            .table_elements(TABLE_ELEMENTS);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Engine::new(&config)
}

/// All that machine code depends on.
fn config(placement: Placement) -> Config {
    let mut config = Config::new();
    for feature in OFF {
        config.wasm_features(feature, false);
    }
    config.epoch_interruption(true);
    if placement == Placement::Compact {
        config.memory_reservation(0);
        config.memory_reservation_for_growth(0);
        config.memory_guard_size(0);
        config.memory_may_move(true);
    }
    config
}

/// Tries whether the address space holds a few instances.
fn probe(engine: &Engine) -> wasmtime::Result<()> {
    let module = Module::from_binary(engine, PROBE)?;
    let mut stores: Vec<_> = (0..PROBES).map(|_| Store::new(engine, ())).collect();
    for store in &mut stores {
        store.set_epoch_deadline(1);
        wasmtime::Instance::new(store, &module, &[])?;
    }
    Ok(())
}
