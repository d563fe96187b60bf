//! The only room that knows wasmtime: it builds model packages, loads them, and scores with them inside limits.
//!
//! # Constraints
//!
//! - A package is somebody else's code. Whatever it does (endless loops, memory bombs, wrong answers), it can cost
//!   its own call and nothing else: not the process, not another package, not the next call.
//! - Scoring a row takes microseconds, so it happens on the thread that has the request; nothing here is async.
//! - Machine code comes from this process, from a child that is this program too (`compile.rs`), or from a cache that only
//!   this user can write (`cache.rs`).
//!
//! # Format
//!
//! A package is one WebAssembly component with a manifest in a custom section (`package.rs`), signed or not (`signature.rs`). The stock scorer is
//! compiled by this crate's build script and embedded; [`Engine::build_package`] hands it a model's tables and
//! snapshots its memory (`snapshot.rs`), so that an instance starts with the model in place.
//!
//! # Operation
//!
//! [`Engine::load`] compiles (in a child with limits, or finds machine code in the cache), checks the contract (`contract.rs`), and proves the
//! package on its golden rows, bit for bit. The [`Scorer`] that comes out keeps instances warm (`pool.rs`), as long as
//! no other scorer needs their room more (`crowd.rs`). A package that is loaded twice has its machine code once. Each call
//! has a deadline (`ticker.rs`), each instance a budget of memory and a store of its own (`instance.rs`).
//!
//! A package may be written by hand and import WASI: it is linked with one that has nothing in it (`wasi.rs`), and has other
//! limits where none are given ([`LimitSettings`]). [`Engine::check`] is the conformance test for such components,
//! [`Subject::seal`] makes packages of them.
//!
//! # Failure
//!
//! "The model declined" is an answer and keeps the instance. Anything else throws the instance away, and the next
//! call gets a new one. The runtime's features that the contract does not need are switched off or not compiled in.
//! Where address space is too short for a pool of instances the engine does without, and says so once.

mod cache;
mod check;
mod compile;
mod contract;
mod crowd;
mod engine;
mod error;
mod instance;
mod machine_code;
mod package;
mod pool;
mod runtime;
mod scorer;
mod settings;
mod signature;
mod snapshot;
mod stats;
mod subject;
mod ticker;
mod wasi;

pub use check::{Figures, Finding, Report, RowsFor, Verdict};
pub use compile::{CompileLimits, Compiler, CompilerError, compile_package};
pub use contract::{Input, Signature, SignatureFault};
pub use engine::Engine;
pub use error::{
    Broke, BuildError, Cause, CompileError, Decline, EngineError, LoadError, PackageError,
    ScoreError, SealError,
};
pub use package::{Digest, MANIFEST_SECTION, PACKAGE_BYTES, Package};
pub use runtime::Placement;
pub use scorer::{Batch, Scorer};
pub use settings::{
    CALL_DEADLINE, CALL_NUMBERS, COMPILE_BYTES, COMPILE_CPU, COMPILE_TIME, DECLARED_BYTES,
    EngineSettings, HANDLES, INSTANCES, LimitSettings, Limits, Mode, OUTPUT_BYTES, POOL_SLOTS,
    STACK_BYTES, START_DEADLINE, TABLE_ELEMENTS, TICK, WAIT, WASI_CALL_NUMBERS, WASI_INSTANCES,
    WASI_START_DEADLINE, WASI_WORKING_BYTES, WORKING_BYTES,
};
pub use signature::{
    KeyError, PublicKey, SIGNATURE_BYTES, SIGNATURE_SECTION, SIGNATURES, SecretKey, SignatureError,
    verify,
};
pub use stats::Stats;
pub use subject::{Linked, Probe, Subject};
