//! A loaded package that scores.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use models::manifest::Manifest;
use wasmtime::component::Component;

use crate::engine::Shared;
use crate::error::{Broke, Decline, LoadError, ScoreError};
use crate::instance::{Instance, StartError, Template};
use crate::package::Digest;
use crate::pool::Pool;
use crate::settings::{Limits, Mode};
use crate::stats::count;

/// An instance that has left less than this part of the memory that it may add is not used again.
const NEARLY_FULL: u64 = 8;

/// Rows to score: row by row, one number for each feature in the manifest's order. A level is given by its code, NaN
/// is missing, -1 an unknown level.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// How many rows, at least 1.
    pub rows: u32,
    /// `rows` times as many numbers as the manifest has features.
    pub numbers: &'a [f64],
}

/// A loaded package. Cheap to clone; every clone scores with the same instances, from any thread.
#[derive(Clone)]
pub struct Scorer {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    manifest: Manifest,
    digest: Digest,
    template: Template,
    pool: Arc<Pool>,
    /// Held so that a package loaded again finds its machine code.
    _component: Arc<Component>,
    limits: Limits,
    call_ticks: u64,
    start_ticks: u64,
    rows_a_call: u32,
}

impl Scorer {
    /// Puts a scorer together and proves it: signature, golden rows, first instances.
    pub(crate) fn new(
        shared: Arc<Shared>,
        manifest: Manifest,
        digest: Digest,
        component: Arc<Component>,
        template: Template,
        limits: Limits,
    ) -> Result<Self, LoadError> {
        let width = manifest.features.len().max(1);
        let inner = Inner {
            call_ticks: shared.ticker.ticks(limits.call_deadline),
            start_ticks: shared.ticker.ticks(limits.start_deadline),
            rows_a_call: u32::try_from((limits.call_numbers / width).max(1)).unwrap_or(u32::MAX),
            pool: Pool::new(limits.instances, &shared.crowd),
            _component: component,
            shared,
            manifest,
            digest,
            template,
            limits,
        };
        inner.prove()?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the package says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// What is served: the digest of the package's bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// Whether the package imports WASI: then it is somebody's own code with the runtime of a language, and may take much
    /// longer for a row than the stock scorer. Do not call it on a thread that others wait for.
    #[must_use]
    pub fn imports_wasi(&self) -> bool {
        self.inner.template.imports_wasi()
    }

    /// How many calls run at once; one more waits ([`Limits::instances`]).
    #[must_use]
    pub fn instances(&self) -> usize {
        self.inner.limits.instances
    }

    /// Throws the idle instances away, for a package that is kept and not used. The next call makes a new one, which
    /// takes it a fraction of a millisecond.
    pub fn release_idle(&self) {
        self.inner.pool.clear();
    }

    /// Scores a batch: one finite prediction for each row, or none at all.
    ///
    /// Blocks the calling thread, for microseconds when the batch is small and an instance is warm. The thread needs
    /// 1 MiB of stack more than the guest ([`crate::EngineSettings::stack_bytes`]).
    ///
    /// # Errors
    ///
    /// [`ScoreError::Declined`] when the model does not score the batch; a batch whose numbers do not fit its rows is
    /// declined without asking the model. [`ScoreError::Broke`] when the model's code broke: its instance is thrown
    /// away, and the next call gets another. [`ScoreError::Busy`] when no instance came free in time, of this package
    /// or, where the slots of the engine are fewer, of any. [`ScoreError::Host`] when the runtime failed.
    pub fn score(&self, batch: Batch<'_>) -> Result<Vec<f64>, ScoreError> {
        let answer = self.inner.score(batch);
        let counters = &self.inner.shared.counters;
        count(match &answer {
            Ok(_) => &counters.scored,
            Err(ScoreError::Declined(_)) => &counters.declined,
            Err(ScoreError::Broke(broke)) => &counters.discarded[broke.index()],
            Err(ScoreError::Busy { .. }) => &counters.busy,
            Err(ScoreError::Host(_)) => &counters.host_failures,
        });
        answer
    }
}

impl Inner {
    fn score(&self, batch: Batch<'_>) -> Result<Vec<f64>, ScoreError> {
        self.check_shape(batch)?;
        let Some(taken) = self.pool.take(self.limits.wait) else {
            return Err(ScoreError::Busy { instances: self.pool.places() });
        };
        if taken.waited {
            count(&self.shared.counters.waited);
        }
        let mut instance = match taken.instance {
            Some(instance) => instance,
            None => self.start()?,
        };
        let answer = self.score_on(&mut instance, batch);
        let good = matches!(answer, Ok(_) | Err(ScoreError::Declined(_)));
        if good && self.limits.mode == Mode::Warm && !self.is_nearly_full(&instance) {
            taken.place.keep(instance);
        }
        answer
    }

    /// Whether an instance has taken nearly all the memory that it may. Some runtimes keep a little of each call, and the
    /// one after the last that fits would break; a new instance begins with nothing.
    fn is_nearly_full(&self, instance: &Instance) -> bool {
        let budget = self.template.budget();
        let left = budget.memory_bytes.saturating_sub(instance.memory_bytes(budget));
        left < self.limits.working_bytes / NEARLY_FULL
    }

    fn check_shape(&self, batch: Batch<'_>) -> Result<(), ScoreError> {
        let (rows, width) = (batch.rows as usize, self.manifest.features.len());
        if rows > 0 && rows.checked_mul(width) == Some(batch.numbers.len()) {
            return Ok(());
        }
        Err(ScoreError::Declined(Decline {
            code: "wrong-shape".to_string(),
            message: format!("{} numbers are not {rows} rows of {width}", batch.numbers.len()),
            row: None,
            feature: None,
        }))
    }

    /// Cuts a large batch at row ends, so that what a guest needs does not grow with it.
    fn score_on(&self, instance: &mut Instance, batch: Batch<'_>) -> Result<Vec<f64>, ScoreError> {
        if batch.rows <= self.rows_a_call {
            return instance.score(self.call_ticks, batch);
        }
        let width = self.manifest.features.len();
        let started = Instant::now();
        let mut values = Vec::with_capacity(batch.rows as usize);
        while (values.len() as u32) < batch.rows {
            let first = values.len();
            let rows = (batch.rows - first as u32).min(self.rows_a_call);
            let numbers = &batch.numbers[first * width..(first + rows as usize) * width];
            let left = self.limits.call_deadline.saturating_sub(started.elapsed());
            if left == Duration::ZERO {
                return Err(ScoreError::Broke(Broke::Deadline));
            }
            let part = instance.score(self.shared.ticker.ticks(left), Batch { rows, numbers });
            values.extend(part.map_err(|error| from_row(error, first as u32))?);
        }
        Ok(values)
    }

    fn start(&self) -> Result<Instance, ScoreError> {
        self.start_in_a_slot().map_err(|error| match error {
            StartError::Types(cause) | StartError::Full(cause) => ScoreError::Host(cause),
            StartError::Score(error) => error,
        })
    }

    /// Makes an instance. When there is no slot for it, an idle instance of some scorer makes room, and when none is
    /// idle the first that comes free.
    fn start_in_a_slot(&self) -> Result<Instance, StartError> {
        match self.template.start(self.start_ticks) {
            Err(StartError::Full(_)) => {}
            other => return other,
        }
        let Shared { crowd, counters, .. } = &*self.shared;
        let until = Instant::now() + self.limits.wait;
        let mut waiter = crowd.waiter();
        loop {
            let reclaimed = crowd.reclaim();
            match self.template.start(self.start_ticks) {
                Err(StartError::Full(_)) => {}
                other => {
                    count(&counters.reclaimed);
                    return other;
                }
            }
            // Somebody else was faster when one was reclaimed.
            if (reclaimed || waiter.wait(until)) && Instant::now() < until {
                continue;
            }
            let instances = self.shared.slots as usize;
            return Err(StartError::Score(ScoreError::Busy { instances }));
        }
    }

    /// Everything that must hold before the package serves.
    fn prove(&self) -> Result<(), LoadError> {
        let mut instance = self.start_in_a_slot().map_err(|error| match error {
            StartError::Types(cause) => LoadError::Types(cause),
            StartError::Full(cause) => LoadError::FirstCall(ScoreError::Host(cause)),
            StartError::Score(error) => LoadError::FirstCall(error),
        })?;
        let signature = instance.signature(self.call_ticks).map_err(LoadError::FirstCall)?;
        signature.agrees(&self.manifest).map_err(LoadError::Signature)?;
        for (row, golden) in self.manifest.golden.iter().enumerate() {
            let numbers: Vec<f64> =
                golden.row.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
            let batch = Batch { rows: 1, numbers: &numbers };
            self.check_shape(batch).map_err(LoadError::FirstCall)?;
            let got = self.score_on(&mut instance, batch).map_err(LoadError::FirstCall)?[0];
            let want = golden.prediction;
            if got.to_bits() != want.to_bits() {
                return Err(LoadError::Golden { row, want, got });
            }
        }
        self.warm(instance)
    }

    /// Makes an instance for each processor, so that the first requests find them warm. One that carries a language's
    /// runtime is large; others of its kind are made when there is work for them.
    fn warm(&self, first: Instance) -> Result<(), LoadError> {
        if self.limits.mode == Mode::Fresh {
            return Ok(());
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        // A fair share of the slots, where there are some; the first one is always kept.
        let scorers = self.shared.crowd.scorers().max(1);
        let share = match self.shared.slots as usize {
            0 => usize::MAX,
            slots => slots / scorers,
        };
        let mut ready = vec![first];
        let warm = if self.template.imports_wasi() { 1 } else { processors };
        for _ in 1..warm.min(self.limits.instances).min(share) {
            match self.template.start(self.start_ticks) {
                Ok(instance) => ready.push(instance),
                // Warmth is not worth another scorer's instance.
                Err(StartError::Full(_)) => break,
                Err(StartError::Types(cause)) => return Err(LoadError::Types(cause)),
                Err(StartError::Score(error)) => return Err(LoadError::FirstCall(error)),
            }
        }
        self.pool.fill(ready);
        Ok(())
    }
}

/// Counts a decline's row from the start of the whole batch.
fn from_row(error: ScoreError, first: u32) -> ScoreError {
    match error {
        ScoreError::Declined(mut decline) => {
            decline.row = decline.row.and_then(|row| row.checked_add(first));
            ScoreError::Declined(decline)
        }
        other => other,
    }
}

impl fmt::Debug for Scorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scorer")
            .field("name", &self.inner.manifest.name)
            .field("digest", &self.inner.digest)
            .finish_non_exhaustive()
    }
}
