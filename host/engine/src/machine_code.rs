//! The one place where bytes become machine code.

use wasmtime::component::Component;

/// Takes machine code that this program made.
///
/// Whoever calls it vouches for the bytes. They come whole, and bound to this package, from one of two places that
/// nobody but this user can write to: a file of the cache (`cache.rs`), or the pipe from a compiler that this process
/// started from its own program (`compile.rs`).
pub(crate) fn take(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    #[expect(
        unsafe_code,
        reason = "the only place where machine code comes from outside this process"
    )]
    // SAFETY: the bytes were serialised by this user with this very program or its kin, and are whole, as said above;
    // wasmtime checks that its version, its settings and the processor's features are those of `engine`.
    unsafe {
        Component::deserialize(engine, code)
    }
}
