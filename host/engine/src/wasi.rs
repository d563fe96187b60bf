//! WASI with nothing in it.
//!
//! # Constraints
//!
//! An ordinary toolchain makes components that import WASI, also when the model needs none of it: the language's runtime
//! does, to start. Such a package must run, and must stay what every package is: a pure function that reaches nothing.
//! So what is linked here answers for a machine on which there is nothing, and holds no code that could open, read, send
//! or wait for anything. That is why it is written here: a whole WASI would bring an async runtime, file and socket code
//! into the program, only to be told to do nothing.
//!
//! # Operation
//!
//! The linker is made from what the component imports, so any 0.2 release of WASI fits:
//!
//! - no folders, no environment, no arguments; standard input is at its end; there are no terminals;
//! - sockets and names are refused with an error (`access-denied`), like everything that a guest could only ask of a
//!   thing that it cannot have;
//! - output is taken and dropped, except its last [`SAID_BYTES`], which explain why a package broke;
//! - clocks stand still ([`SECONDS`], [`NANOSECONDS`]) and whoever sleeps wakes up at once;
//! - random numbers begin with the same one at the start and at every call, so that an answer cannot depend on what was
//!   asked before.
//!
//! # Failure
//!
//! A call that has no answer here, and `exit`, break the package, as a trap does. How many things a guest holds at a time
//! is limited for its whole store ([`crate::HANDLES`]), how many bytes it gets in one call by [`RANDOM_BYTES`].

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{
    Component, ComponentType, Linker, LinkerInstance, Lower, ResourceDynamic, ResourceType, Type,
    Val, WasmList,
};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::error::LoadError;
use crate::instance::Host;

/// The parts of WASI that are there.
const PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
/// Their version: this and whatever follows in its line.
const VERSION: &str = "0.2.";
/// What a guest can hold. The place in this list tells types apart.
const RESOURCES: [&str; 4] = ["input-stream", "output-stream", "pollable", "network"];
/// Bytes that an output takes at a time.
const WRITE_BYTES: u64 = 64 << 10;
/// Most random bytes in one call.
pub(crate) const RANDOM_BYTES: u64 = 64 << 10;
/// How much of the last output is kept.
pub(crate) const SAID_BYTES: usize = 4 << 10;
/// What the clock on the wall shows, in seconds since 1970.
const SECONDS: u64 = 0;
/// What the other clock shows. Not 0, because programs go back from now.
const NANOSECONDS: u64 = 3_600_000_000_000;
/// Words for "you may not" in the order in which they are looked for.
const DENIALS: [&str; 4] = ["access-denied", "access", "not-permitted", "not-supported"];

/// What WASI knows of one store.
#[derive(Debug, Default)]
pub(crate) struct Nothing {
    random: u64,
    said: Vec<u8>,
}

/// A call that has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(String);

/// How an output fails.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "nothing that is dropped can fail")]
    Failed(ResourceDynamic),
    #[component(name = "closed")]
    #[expect(dead_code, reason = "an output takes everything")]
    Closed,
}

type Answer =
    fn(&mut StoreContextMut<'_, Host>, &ComponentFunc, &[Val]) -> wasmtime::Result<Option<Val>>;

impl Nothing {
    /// A call begins.
    pub(crate) fn begin(&mut self) {
        self.random = 0;
        self.said.clear();
    }

    /// The end of what the guest wrote in this call.
    pub(crate) fn said(&self) -> &[u8] {
        &self.said
    }

    fn hear(&mut self, bytes: &[u8]) {
        let tail = &bytes[bytes.len().saturating_sub(SAID_BYTES)..];
        let over = (self.said.len() + tail.len()).saturating_sub(SAID_BYTES);
        self.said.drain(..over);
        self.said.extend_from_slice(tail);
    }

    /// SplitMix64, which is even enough for hash seeds.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        if count > RANDOM_BYTES {
            return refuse(format!(
                "it asked for {count} random bytes, the limit is {RANDOM_BYTES}"
            ));
        }
        let words = (0..count.div_ceil(8)).flat_map(|_| self.random().to_le_bytes());
        Ok(words.take(count as usize).collect())
    }
}

/// Whether an import is a part of WASI that is there.
pub(crate) fn provides(import: &str) -> bool {
    let Some((package, version)) = import.strip_prefix("wasi:").and_then(|it| it.split_once('@'))
    else {
        return false;
    };
    let package = package.split('/').next().unwrap_or_default();
    PACKAGES.contains(&package) && version.starts_with(VERSION)
}

/// A linker that has all that the component imports, which is WASI and nothing else.
pub(crate) fn linker(component: &Component) -> Result<Linker<Host>, LoadError> {
    let engine = component.engine();
    let mut linker = Linker::new(engine);
    let mut resources: Vec<String> = RESOURCES.map(String::from).to_vec();
    for (import, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else {
            return Err(LoadError::Import(import.to_string()));
        };
        let failed = |error| LoadError::Types(crate::error::cause(error));
        let mut instance = linker.instance(import).map_err(failed)?;
        let interface_name = short(import);
        for (name, item) in interface.exports(engine) {
            match item.ty {
                ComponentItem::Resource(_) => resource(&mut instance, name, &mut resources),
                ComponentItem::ComponentFunc(_) => function(&mut instance, interface_name, name),
                ComponentItem::Type(_) => Ok(()),
                _ => return Err(LoadError::Import(format!("{import}#{name}"))),
            }
            .map_err(failed)?;
        }
    }
    Ok(linker)
}

/// `io/streams` of `wasi:io/streams@0.2.6`.
fn short(import: &str) -> &str {
    let name = import.strip_prefix("wasi:").unwrap_or(import);
    name.split('@').next().unwrap_or(name)
}

fn resource(
    instance: &mut LinkerInstance<'_, Host>,
    name: &str,
    known: &mut Vec<String>,
) -> wasmtime::Result<()> {
    let place = known.iter().position(|it| it == name).unwrap_or(known.len());
    if place == known.len() {
        known.push(name.to_string());
    }
    instance.resource(name, ResourceType::host_dynamic(place as u32), |_, _| Ok(()))
}

fn function(
    instance: &mut LinkerInstance<'_, Host>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    match (interface, name) {
        // What may be large has a type, so that it is not taken apart byte by byte.
        (
            "io/streams",
            "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush",
        ) => instance.func_wrap(name, |mut store, (_, bytes): (ResourceDynamic, WasmList<u8>)| {
            let tail = bytes.as_le_slice(&store);
            let tail = tail[tail.len().saturating_sub(SAID_BYTES)..].to_vec();
            store.data_mut().wasi().hear(&tail);
            Ok((Ok::<(), StreamError>(()),))
        }),
        ("random/random", "get-random-bytes")
        | ("random/insecure", "get-insecure-random-bytes") => instance
            .func_wrap(name, |mut store, (count,): (u64,)| {
                Ok((store.data_mut().wasi().bytes(count)?,))
            }),
        _ => {
            let answer = answer(interface, name);
            let full = format!("{interface}#{name}");
            instance.func_new(name, move |mut store, ty, arguments, results| {
                let value = match answer {
                    Some(answer) => answer(&mut store, &ty, arguments),
                    None => deny(&full, &ty),
                }?;
                arguments.iter().try_for_each(|argument| give_back(&mut store, argument))?;
                if let (Some(place), Some(value)) = (results.first_mut(), value) {
                    *place = value;
                }
                Ok(())
            })
        }
    }
}

/// The functions that have something to say.
fn answer(interface: &str, name: &str) -> Option<Answer> {
    Some(match (interface, name) {
        ("cli/environment", "get-environment" | "get-arguments")
        | ("filesystem/preopens", "get-directories") => |_, _, _| Ok(Some(Val::List(Vec::new()))),
        ("cli/environment", "initial-cwd")
        | ("cli/terminal-stdin", "get-terminal-stdin")
        | ("cli/terminal-stdout", "get-terminal-stdout")
        | ("cli/terminal-stderr", "get-terminal-stderr")
        | ("filesystem/types", "filesystem-error-code") => |_, _, _| Ok(Some(Val::Option(None))),
        ("cli/exit", _) => |_, _, _| refuse("it called exit".to_string()),

        ("cli/stdin", "get-stdin") => |store, _, _| open(store, "input-stream"),
        ("cli/stdout", "get-stdout") | ("cli/stderr", "get-stderr") => {
            |store, _, _| open(store, "output-stream")
        }
        ("sockets/instance-network", "instance-network") => |store, _, _| open(store, "network"),
        ("io/streams", "[method]input-stream.subscribe" | "[method]output-stream.subscribe")
        | ("clocks/monotonic-clock", "subscribe-duration" | "subscribe-instant") => {
            |store, _, _| open(store, "pollable")
        }

        ("io/streams", "[method]output-stream.check-write") => {
            |_, _, _| Ok(Some(Val::Result(Ok(Some(Box::new(Val::U64(WRITE_BYTES)))))))
        }
        (
            "io/streams",
            "[method]output-stream.flush"
            | "[method]output-stream.blocking-flush"
            | "[method]output-stream.write-zeroes"
            | "[method]output-stream.blocking-write-zeroes-and-flush",
        ) => |_, _, _| Ok(Some(Val::Result(Ok(None)))),

        ("io/poll", "[method]pollable.ready") => |_, _, _| Ok(Some(Val::Bool(true))),
        ("io/poll", "[method]pollable.block") => |_, _, _| Ok(None),
        ("io/poll", "poll") => |_, _, arguments| match arguments {
            [Val::List(waiting)] if !waiting.is_empty() => {
                Ok(Some(Val::List((0..waiting.len()).map(|at| Val::U32(at as u32)).collect())))
            }
            _ => refuse("it waits for nothing at all".to_string()),
        },

        ("clocks/monotonic-clock", "now") => |_, _, _| Ok(Some(Val::U64(NANOSECONDS))),
        ("clocks/monotonic-clock", "resolution") => |_, _, _| Ok(Some(Val::U64(1))),
        ("clocks/wall-clock", "now") => |_, _, _| Ok(Some(seconds(SECONDS))),
        ("clocks/wall-clock", "resolution") => |_, _, _| Ok(Some(seconds(1))),

        ("random/random", "get-random-u64") | ("random/insecure", "get-insecure-random-u64") => {
            |store, _, _| Ok(Some(Val::U64(store.data_mut().wasi().random())))
        }
        ("random/insecure-seed", "insecure-seed") => |store, _, _| {
            let wasi = store.data_mut().wasi();
            Ok(Some(Val::Tuple(vec![Val::U64(wasi.random()), Val::U64(wasi.random())])))
        },
        _ => return None,
    })
}

/// An error of the function's own type, when it has one that says no.
fn deny(name: &str, ty: &ComponentFunc) -> wasmtime::Result<Option<Val>> {
    let error = match ty.results().next() {
        Some(Type::Result(result)) => result.err().and_then(|error| denial(&error)),
        _ => None,
    };
    match error {
        Some(error) => Ok(Some(Val::Result(Err(Some(Box::new(error)))))),
        None => refuse(format!("it called {name}, which is not there")),
    }
}

fn denial(error: &Type) -> Option<Val> {
    match error {
        Type::Enum(error) => {
            let word = DENIALS.iter().find(|word| error.names().any(|name| name == **word))?;
            Some(Val::Enum((*word).to_string()))
        }
        Type::Variant(error) => error
            .cases()
            .any(|case| case.name == "closed" && case.ty.is_none())
            .then(|| Val::Variant("closed".to_string(), None)),
        _ => None,
    }
}

fn open(store: &mut StoreContextMut<'_, Host>, name: &str) -> wasmtime::Result<Option<Val>> {
    let place = RESOURCES.iter().position(|it| *it == name).unwrap_or(RESOURCES.len());
    let resource = ResourceDynamic::new_own(0, place as u32);
    Ok(Some(Val::Resource(resource.try_into_resource_any(store.as_context_mut())?)))
}

/// Ends the loan of what came as an argument.
fn give_back(store: &mut StoreContextMut<'_, Host>, argument: &Val) -> wasmtime::Result<()> {
    match argument {
        Val::Resource(resource) => resource.resource_drop(store.as_context_mut()),
        Val::List(items) => items.iter().try_for_each(|item| give_back(store, item)),
        _ => Ok(()),
    }
}

fn seconds(seconds: u64) -> Val {
    Val::Record(vec![
        ("seconds".to_string(), Val::U64(seconds)),
        ("nanoseconds".to_string(), Val::U32(0)),
    ])
}

fn refuse<T>(why: String) -> wasmtime::Result<T> {
    Err(Refused(why).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_0_2_of_six_packages_is_there() {
        for import in ["wasi:cli/exit@0.2.0", "wasi:io/streams@0.2.12", "wasi:sockets/tcp@0.2.3"] {
            assert!(provides(import), "{import}");
        }
        for import in [
            "wasi:cli/exit@0.3.0",
            "wasi:cli/exit",
            "wasi:http/types@0.2.0",
            "wasi:clip/exit@0.2.0",
            "other:cli/exit@0.2.0",
        ] {
            assert!(!provides(import), "{import}");
        }
    }

    #[test]
    fn random_numbers_begin_again_with_every_call() {
        let mut wasi = Nothing::default();
        let first = wasi.bytes(20).unwrap();
        let second = wasi.bytes(20).unwrap();
        assert_ne!(first, second);
        wasi.begin();
        assert_eq!(wasi.bytes(20).unwrap(), first);
        assert_eq!(wasi.bytes(RANDOM_BYTES).unwrap().len() as u64, RANDOM_BYTES);
        assert!(wasi.bytes(RANDOM_BYTES + 1).is_err());
    }

    #[test]
    fn the_end_of_the_output_is_kept() {
        let mut wasi = Nothing::default();
        wasi.hear(b"lost");
        wasi.hear(&[b'a'; SAID_BYTES - 1]);
        wasi.hear(b"z");
        assert_eq!(wasi.said().len(), SAID_BYTES);
        assert!(wasi.said().starts_with(b"aa") && wasi.said().ends_with(b"az"));
        wasi.hear(&[b'b'; SAID_BYTES + 7]);
        assert_eq!(wasi.said(), [b'b'; SAID_BYTES]);
        wasi.begin();
        assert!(wasi.said().is_empty());
    }
}
