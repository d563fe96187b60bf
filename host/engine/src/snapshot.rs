//! The stock scorer with a model in its memory, made into a component.
//!
//! Wizer adds exports to the component through which its whole state can be read, the scorer takes the model's
//! tables, and Wizer writes the state back into a component as its initial memory. Its futures are never pending,
//! because everything that they wait for is a plain call.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{Component, Instance, Lift, Linker, WasmList};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use crate::error::{BuildError, cause};
use crate::instance::{Budget, Host, broke, store};
use crate::settings::{DECLARED_BYTES, TABLE_ELEMENTS};
use crate::ticker::Ticker;

/// The stock scorer (`guest/`), compiled by the build script.
const STOCK: &[u8] = include_bytes!(env!("GUEST_WASM"));
/// Longest time for the stock scorer to take a model.
const LOAD_DEADLINE: Duration = Duration::from_secs(60);

/// Loads the tables into a stock scorer and returns it as a component without a manifest.
pub(crate) fn take(
    engine: &wasmtime::Engine,
    ticker: &Ticker,
    tables: &[u8],
) -> Result<Vec<u8>, BuildError> {
    let failed = |error| BuildError::Snapshot(cause(error));
    let mut wizer = Wizer::new();
    // Wizer would remove a function with the name of its default; the scorer has none to lose.
    wizer.keep_init_func(true);
    let (context, instrumented) = wizer.instrument_component(STOCK).map_err(failed)?;
    let component = Component::from_binary(engine, &instrumented).map_err(failed)?;

    let budget = Budget { memory_bytes: DECLARED_BYTES, table_elements: TABLE_ELEMENTS as u64 };
    let mut store = store(engine, budget, ticker.ticks(LOAD_DEADLINE));
    // The whole memory is read in one piece.
    store.set_hostcall_fuel(usize::MAX);
    let instance = Linker::new(engine).instantiate(&mut store, &component).map_err(failed)?;
    load(&mut store, &instance, tables)?;

    let mut state = State { store, instance, error: None };
    let bytes = now(wizer.snapshot_component(&context, &mut state)).map_err(failed)?;
    match state.error {
        None => Ok(bytes),
        Some(error) => Err(failed(error)),
    }
}

fn load(store: &mut Store<Host>, instance: &Instance, tables: &[u8]) -> Result<(), BuildError> {
    let load = instance
        .get_typed_func::<(&[u8],), (Result<(), String>,)>(&mut *store, "load")
        .map_err(|error| BuildError::Snapshot(cause(error)))?;
    match load.call(&mut *store, (tables,)) {
        Ok((Ok(()),)) => Ok(()),
        Ok((Err(why),)) => Err(BuildError::Refused(why)),
        Err(error) => Err(BuildError::Broke(broke(&error, store))),
    }
}

/// The result of a future that has nothing to wait for.
fn now<T>(future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => wasmtime::bail!("the snapshot waits for something"),
    }
}

/// Through which Wizer reads the instance. Its reading functions cannot fail; the first error is kept for later.
struct State {
    store: Store<Host>,
    instance: Instance,
    error: Option<wasmtime::Error>,
}

impl State {
    fn call<R: Lift + 'static>(&mut self, instance: &str, function: &str) -> Option<R> {
        let result = self.try_call(instance, function);
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }

    fn try_call<R: Lift + 'static>(
        &mut self,
        instance: &str,
        function: &str,
    ) -> wasmtime::Result<R> {
        let store = &mut self.store;
        let missing = || wasmtime::format_err!("{instance}#{function} is not exported");
        let (_, outer) =
            self.instance.get_export(&mut *store, None, instance).ok_or_else(missing)?;
        let (_, inner) =
            self.instance.get_export(&mut *store, Some(&outer), function).ok_or_else(missing)?;
        let function = self.instance.get_typed_func::<(), (R,)>(&mut *store, inner)?;
        Ok(function.call(store, ())?.0)
    }
}

impl ComponentInstanceState for State {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        function: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        match self.call::<WasmList<u8>>(instance, function) {
            Some(list) => contents(list.as_le_slice(&self.store)),
            None => contents(&[]),
        }
    }

    async fn call_func_ret_s32(&mut self, instance: &str, function: &str) -> i32 {
        self.call(instance, function).unwrap_or_default()
    }

    async fn call_func_ret_s64(&mut self, instance: &str, function: &str) -> i64 {
        self.call(instance, function).unwrap_or_default()
    }

    async fn call_func_ret_f32(&mut self, instance: &str, function: &str) -> u32 {
        self.call::<f32>(instance, function).unwrap_or_default().to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, function: &str) -> u64 {
        self.call::<f64>(instance, function).unwrap_or_default().to_bits()
    }
}
