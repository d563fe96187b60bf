//! What can go wrong, by whose fault. "The guest declined", "the guest broke" and "the host failed" are
//! different types; the caller turns them into answers.

use std::{fmt, io, path::PathBuf, time::Duration};

use models::TableError;

/// An error of the WebAssembly runtime, as a source.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A setting makes no sense.
    #[error("use the engine's settings: {name} {rule}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The WebAssembly runtime refused its configuration, also without a pool.
    #[error("start the WebAssembly runtime")]
    Runtime(#[source] Cause),
    /// The operating system gave no thread for the clock that ends late calls.
    #[error("start the deadline clock")]
    Clock(#[source] io::Error),
    /// The folder of the compile cache cannot be used.
    #[error("use the compile cache {path}: {why}", path = path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A file is not a model package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The file cannot be read.
    #[error("read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Larger than a package may be.
    #[error("take the package: it has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Not WebAssembly at all.
    #[error("take the package: it is not a WebAssembly file")]
    NotWasm,
    /// A core module.
    #[error(
        "take the package: it is a WebAssembly core module, a package is a component; `outpost seal` makes one of it"
    )]
    CoreModule,
    /// WebAssembly of a layer or version that is unknown here.
    #[error(
        "take the package: it is neither a WebAssembly module nor a component of a known version"
    )]
    Layer,
    /// The component cannot be read.
    #[error("read the package: the file is damaged")]
    Damaged(#[source] Cause),
    /// A component without a manifest.
    #[error(
        "read the package: it has no manifest; `outpost train` writes one, `outpost seal` adds one"
    )]
    NoManifest,
    /// More than one manifest.
    #[error("read the package: it has more than one manifest")]
    TwoManifests,
    /// The manifest cannot be read.
    #[error("read the package's manifest")]
    Manifest(#[source] models::manifest::ManifestError),
    /// A section that should be a signature is none.
    #[error("read the package: a signature in it does not have 64 bytes")]
    Signature,
    /// Something that nobody signed lies behind a signature.
    #[error("read the package: something follows its signature")]
    BehindSignature,
    /// More signatures than anybody needs.
    #[error("read the package: it has {count} signatures, the limit is {limit}")]
    Signatures {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

/// A model cannot be made into a package.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The tables are not a model.
    #[error("build the package: the model is not sound")]
    Model(#[source] TableError),
    /// The manifest cannot be written.
    #[error("build the package: the manifest is not sound")]
    Manifest(#[source] models::manifest::ManifestError),
    /// Model and manifest describe different models.
    #[error("build the package: {0} differ between the model and the manifest")]
    Disagree(&'static str),
    /// The stock scorer refused the tables.
    #[error("build the package: the stock scorer refused the model: {0}")]
    Refused(String),
    /// The memory of the stock scorer with its model cannot be made into a component.
    #[error("build the package: the snapshot failed")]
    Snapshot(#[source] Cause),
    /// The stock scorer broke while it took the model.
    #[error("build the package: the stock scorer broke while it took the model")]
    Broke(#[source] Broke),
    /// The package is larger than a package may be.
    #[error("build the package")]
    Package(#[source] PackageError),
    /// The finished package does not load, or does not give its golden predictions.
    #[error("build the package: it does not pass its own check")]
    Check(#[source] LoadError),
}

/// A component cannot be made into a package.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not WebAssembly, too large, or damaged.
    #[error(transparent)]
    Package(PackageError),
    /// A core module that does not say of which world it is, or asks for what a component gets in another way.
    #[error(
        "make a component of the core module; it must carry its component type (wit-bindgen writes it) and import \
         nothing: {0}"
    )]
    Module(String),
    /// It is a package already.
    #[error("seal the component: it has a manifest already")]
    Sealed,
    /// What it says about itself is nothing that this program can serve.
    #[error("seal the component: what it says in `describe` cannot be served: {0}")]
    Description(String),
    /// The manifest is not sound.
    #[error("seal the component")]
    Manifest(#[source] models::manifest::ManifestError),
    /// It does not keep to the contract, or does not do what the manifest says.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// A package cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A limit makes no sense.
    #[error("use the limits: {name} {rule}")]
    Limit {
        /// The limit's name.
        name: &'static str,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// Not valid WebAssembly, or it uses a feature that is switched off.
    #[error("load the package: its code is not valid here")]
    Invalid(#[source] Cause),
    /// Not compiled within the limits.
    #[error("load the package: compile it")]
    Compile(#[source] CompileError),
    /// Imports a part of WASI that is not there.
    #[error(
        "load the package: it imports {0}; of WASI a package may import cli, clocks, filesystem, io, random and sockets \
         in version 0.2, and finds them empty"
    )]
    Wasi(String),
    /// Imports something that no host has.
    #[error("load the package: it imports {0}, which no host provides")]
    Import(String),
    /// Lacks a part of the contract.
    #[error("load the package: it does not export {0}")]
    Export(String),
    /// Built for a version of the contract that is unknown here.
    #[error(
        "load the package: it exports {0}, this program speaks {interface}",
        interface = crate::contract::INTERFACE
    )]
    Contract(String),
    /// Exports have other types than the contract.
    #[error("load the package: its exports do not have the types of the contract")]
    Types(#[source] Cause),
    /// Declares more memory than a package may.
    #[error("load the package: it declares {bytes} bytes of memory, the limit is {limit}")]
    Declared {
        /// The memory that it starts with.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Code and manifest describe different models.
    #[error("load the package: {0}")]
    Signature(String),
    /// A golden row gives another prediction.
    #[error(
        "load the package: golden row {row} gives {got} ({got_bits:#018x}) instead of {want} ({want_bits:#018x})",
        got_bits = got.to_bits(),
        want_bits = want.to_bits()
    )]
    Golden {
        /// Which golden row, from 0.
        row: usize,
        /// What the manifest says.
        want: f64,
        /// What the code says.
        got: f64,
    },
    /// The code does not answer a golden row, or broke while it started.
    #[error("load the package: it failed its first call")]
    FirstCall(#[source] ScoreError),
}

/// The child process gave no machine code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler does not start.
    #[error("start the compiler {program}", program = program.display())]
    Start {
        /// What was started.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It took too much processor time.
    #[error(
        "it took more than {limit:?} of processor time; when the package is to be trusted, raise compile_cpu_max"
    )]
    CpuTime {
        /// The limit.
        limit: Duration,
    },
    /// It took too much memory.
    #[error(
        "it took more than {limit} bytes of memory; when the package is to be trusted, raise compile_bytes_max"
    )]
    Memory {
        /// The limit.
        limit: u64,
    },
    /// It took too long.
    #[error(
        "it took longer than {limit:?}; when the package is to be trusted or the machine is busy, raise compile_time_max"
    )]
    WallTime {
        /// The limit.
        limit: Duration,
    },
    /// The compiler ended without an answer.
    #[error("the compiler broke off ({status}), and said: {said}")]
    Died {
        /// How it ended.
        status: String,
        /// The last line that it wrote.
        said: String,
    },
    /// The compiler's answer is none.
    #[error("the compiler's answer cannot be used: {wrong}; it said: {said}")]
    Answer {
        /// What is wrong with it.
        wrong: &'static str,
        /// The last line that it wrote.
        said: String,
    },
    /// The code is not valid. Callers see [`LoadError::Invalid`].
    #[error("the code is not valid: {0}")]
    Invalid(String),
}

/// A batch was not scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// The model does not score this batch. An answer, not a failure.
    #[error("score the batch: the model declined")]
    Declined(#[source] Decline),
    /// The model's code broke; its instance is gone.
    #[error("score the batch: the model broke")]
    Broke(#[source] Broke),
    /// Every instance is in use and none came free in time.
    #[error("score the batch: all {instances} instances are busy")]
    Busy {
        /// How many there may be.
        instances: usize,
    },
    /// The runtime failed.
    #[error("score the batch: the runtime failed")]
    Host(#[source] Cause),
}

/// Why a model does not score a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Decline {
    /// A short stable word: `missing-value`, `unknown-level`, `wrong-shape`, `not-finite` or the model's own.
    pub code: String,
    /// A sentence for the person who sent the row.
    pub message: String,
    /// The first row (from 0) to blame.
    pub row: Option<u32>,
    /// The name of the feature to blame.
    pub feature: Option<String>,
}

/// How a guest broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broke {
    /// Did not finish in time.
    #[error("it ran past its deadline")]
    Deadline,
    /// Wanted more memory or table than it may have, and gave up.
    #[error("it ran out of memory")]
    Memory,
    /// Called too deep.
    #[error("it ran out of stack")]
    Stack,
    /// Trapped; the runtime's word for it.
    #[error("it trapped: {0}")]
    Trap(String),
    /// Answered, but not with what the contract says.
    #[error("it gave a wrong answer: {0}")]
    Output(String),
}

impl Broke {
    /// Every kind, as used in metrics, in the order of [`Broke::index`].
    pub const KINDS: [&'static str; 5] = ["deadline", "memory", "stack", "trap", "output"];

    /// Where this kind is in [`Broke::KINDS`].
    #[must_use]
    pub fn index(&self) -> usize {
        match self {
            Self::Deadline => 0,
            Self::Memory => 1,
            Self::Stack => 2,
            Self::Trap(_) => 3,
            Self::Output(_) => 4,
        }
    }
}

/// The runtime's error with its whole chain, in one line.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    chain.join(": ")
}

/// Makes the runtime's error a source.
pub(crate) fn cause(error: wasmtime::Error) -> Cause {
    error.into_boxed_dyn_error()
}

impl fmt::Display for crate::Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
