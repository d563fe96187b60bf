//! What an engine and a scorer may be told, with defaults.

use std::path::PathBuf;
use std::time::Duration;

use crate::compile::Compiler;

/// Memory that a package may start with: its code's own and the model.
pub const DECLARED_BYTES: u64 = 256 << 20;
/// Memory that an instance may add to what it starts with.
pub const WORKING_BYTES: u64 = 16 << 20;
/// Elements of all tables of an instance together.
pub const TABLE_ELEMENTS: usize = 20_000;
/// Longest time for one batch.
pub const CALL_DEADLINE: Duration = Duration::from_secs(1);
/// Longest time for a package to start.
pub const START_DEADLINE: Duration = Duration::from_secs(1);
/// Bytes that one call may hand from the guest to the host.
pub const OUTPUT_BYTES: usize = 4 << 20;
/// Numbers that one call hands to the guest; a larger batch is cut into several calls.
pub const CALL_NUMBERS: usize = 1 << 17;
/// Instances of one package at a time.
pub const INSTANCES: usize = 32;
/// As [`WORKING_BYTES`], for a package that imports WASI.
pub const WASI_WORKING_BYTES: u64 = 64 << 20;
/// As [`START_DEADLINE`], for a package that imports WASI.
pub const WASI_START_DEADLINE: Duration = Duration::from_secs(5);
/// As [`CALL_NUMBERS`], for a package that imports WASI: an interpreter makes an object of each number.
pub const WASI_CALL_NUMBERS: usize = 1 << 14;
/// As [`INSTANCES`], for a package that imports WASI.
pub const WASI_INSTANCES: usize = 4;
/// Longest wait for an instance to come free.
pub const WAIT: Duration = Duration::from_millis(100);
/// Things that the host keeps for one instance at a time: pollables, streams, resources of its own.
pub const HANDLES: usize = 1000;
/// Slots of the pooling allocator: instances of all packages together.
pub const POOL_SLOTS: u32 = 128;
/// Stack of a guest.
pub const STACK_BYTES: usize = 256 << 10;
/// How exact deadlines are.
pub const TICK: Duration = Duration::from_millis(2);

/// Processor time that compiling one package may take, in a child process. The stock scorer takes a fraction of a
/// second and a whole interpreter of Python eight; a small board is several times slower.
pub const COMPILE_CPU: Duration = Duration::from_secs(60);
/// Memory that compiling one package may take, in a child process. It holds a model a few times over.
pub const COMPILE_BYTES: u64 = 1 << 30;
/// Time that compiling one package may take, in a child process. On a busy machine it is much more than the processor
/// time, because compiling gives way to everything else.
pub const COMPILE_TIME: Duration = Duration::from_secs(300);

/// What an [`crate::Engine`] is told.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Folder for machine code of packages seen before. It is made when it does not exist, and must belong to
    /// this user alone. None compiles each package anew.
    pub cache: Option<PathBuf>,
    /// The child process that makes machine code. None makes it in this process, without any limit: for packages that
    /// one has made oneself.
    pub compiler: Option<Compiler>,
    /// Slots of the pooling allocator, for instances of all packages together; 0 does without. Each slot takes 4 GiB
    /// of address space (not of memory); where that is short the engine does without by itself.
    pub pool_slots: u32,
    /// Stack of every guest, in bytes. The threads that score need about 1 MiB more than this.
    pub stack_bytes: usize,
    /// How exact deadlines are.
    pub tick: Duration,
}

/// How instances are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An instance scores batch after batch until it breaks. A scorer is a pure function, so nothing shows.
    Warm,
    /// Each batch gets an instance of its own, which is thrown away after it.
    Fresh,
}

/// What one package may use.
///
/// A package may start with up to `declared_bytes` of memory (a large model is large), and each of its instances may
/// add `working_bytes` to that; what a batch needs does not grow with the model.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Memory that the package may start with, in bytes.
    pub declared_bytes: u64,
    /// Memory that an instance may add, in bytes.
    pub working_bytes: u64,
    /// Elements of all tables of an instance together.
    pub table_elements: usize,
    /// Longest time for one batch.
    pub call_deadline: Duration,
    /// Longest time for an instance to start.
    pub start_deadline: Duration,
    /// Bytes that one call may hand from the guest to the host.
    pub output_bytes: usize,
    /// Numbers that one call hands to the guest; a larger batch is cut into several calls, at row ends.
    pub call_numbers: usize,
    /// Instances at a time.
    pub instances: usize,
    /// Longest wait for an instance to come free.
    pub wait: Duration,
    /// How instances are used.
    pub mode: Mode,
}

/// [`Limits`] as somebody wrote them down: what is not given gets the default that fits the package. A package that
/// imports WASI carries the runtime of its language, which wants more room and more time than the stock scorer.
#[derive(Clone, Debug, Default)]
pub struct LimitSettings {
    /// See [`Limits::declared_bytes`].
    pub declared_bytes: Option<u64>,
    /// See [`Limits::working_bytes`].
    pub working_bytes: Option<u64>,
    /// See [`Limits::table_elements`].
    pub table_elements: Option<usize>,
    /// See [`Limits::call_deadline`].
    pub call_deadline: Option<Duration>,
    /// See [`Limits::start_deadline`].
    pub start_deadline: Option<Duration>,
    /// See [`Limits::output_bytes`].
    pub output_bytes: Option<usize>,
    /// See [`Limits::call_numbers`].
    pub call_numbers: Option<usize>,
    /// See [`Limits::instances`].
    pub instances: Option<usize>,
    /// See [`Limits::wait`].
    pub wait: Option<Duration>,
    /// See [`Limits::mode`].
    pub mode: Option<Mode>,
}

impl LimitSettings {
    /// The limits of a package, by whether it imports WASI.
    #[must_use]
    pub fn over(&self, wasi: bool) -> Limits {
        let fitting = if wasi { Limits::for_wasi() } else { Limits::default() };
        Limits {
            declared_bytes: self.declared_bytes.unwrap_or(fitting.declared_bytes),
            working_bytes: self.working_bytes.unwrap_or(fitting.working_bytes),
            table_elements: self.table_elements.unwrap_or(fitting.table_elements),
            call_deadline: self.call_deadline.unwrap_or(fitting.call_deadline),
            start_deadline: self.start_deadline.unwrap_or(fitting.start_deadline),
            output_bytes: self.output_bytes.unwrap_or(fitting.output_bytes),
            call_numbers: self.call_numbers.unwrap_or(fitting.call_numbers),
            instances: self.instances.unwrap_or(fitting.instances),
            wait: self.wait.unwrap_or(fitting.wait),
            mode: self.mode.unwrap_or(fitting.mode),
        }
    }
}

impl From<Limits> for LimitSettings {
    fn from(limits: Limits) -> Self {
        Self {
            declared_bytes: Some(limits.declared_bytes),
            working_bytes: Some(limits.working_bytes),
            table_elements: Some(limits.table_elements),
            call_deadline: Some(limits.call_deadline),
            start_deadline: Some(limits.start_deadline),
            output_bytes: Some(limits.output_bytes),
            call_numbers: Some(limits.call_numbers),
            instances: Some(limits.instances),
            wait: Some(limits.wait),
            mode: Some(limits.mode),
        }
    }
}

impl Limits {
    /// The defaults of a package that imports WASI. Python is the largest that was measured.
    #[must_use]
    pub fn for_wasi() -> Self {
        Self {
            working_bytes: WASI_WORKING_BYTES,
            start_deadline: WASI_START_DEADLINE,
            call_numbers: WASI_CALL_NUMBERS,
            instances: WASI_INSTANCES,
            ..Self::default()
        }
    }
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            cache: None,
            compiler: None,
            pool_slots: POOL_SLOTS,
            stack_bytes: STACK_BYTES,
            tick: TICK,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            declared_bytes: DECLARED_BYTES,
            working_bytes: WORKING_BYTES,
            table_elements: TABLE_ELEMENTS,
            call_deadline: CALL_DEADLINE,
            start_deadline: START_DEADLINE,
            output_bytes: OUTPUT_BYTES,
            call_numbers: CALL_NUMBERS,
            instances: INSTANCES,
            wait: WAIT,
            mode: Mode::Warm,
        }
    }
}
