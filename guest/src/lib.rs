//! The stock scorer: one WebAssembly component, generic over the model that it is loaded with.
//!
//! **Constraints.** It imports nothing, not even WASI, so a host can link it with an empty linker: no
//! standard library, its own allocator, and a panic is a trap. It scores with the same code as the host
//! (`models`), so both sides give the same bits. Nothing that a caller sends makes it panic.
//!
//! **Operation.** The host that builds a package calls `load` once with the model's tables and takes a
//! snapshot of the memory. From then on the model is part of the memory that every instance starts with:
//! `describe` and `score` (`wit/world.wit`) answer at once, and `load` refuses.
//!
//! **Failure.** A batch that the model cannot score is declined, which is an answer; the instance stays good.
//! Running out of memory is a trap; the host throws the instance away.
//!
//! On any other target than `wasm32` this crate is empty: `engine/build.rs` builds it.
#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod platform;
#[cfg(target_arch = "wasm32")]
mod scorer;
