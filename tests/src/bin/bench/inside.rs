//! The sandbox against the same tables run natively, in this process.

use engine::{Batch, Engine, EngineSettings, Limits, Mode, Package, Scorer};
use models::Model;
use models::manifest::Manifest;
use models::train::{CsvOptions, Settings, Table};
use std::hint::black_box;
use std::time::{Duration, Instant};

const MANY: u32 = 10_000;
const REPEATS_ONE: usize = 2001;
const REPEATS_MANY: usize = 51;
const REPEATS_LOAD: usize = 11;

/// What is measured: the report's name, the algorithm, its parameters.
pub(crate) type Subject = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// One of each kind of table.
pub(crate) const MODELS: [Subject; 4] = [
    ("ridge", "ridge", &[]),
    ("random forest, 100 trees", "random-forest", &[("n_estimators", "100")]),
    ("SVR", "svr", &[]),
    ("k nearest neighbours", "knn", &[]),
];

/// The figures of one model.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) package_bytes: usize,
    pub(crate) compile: Duration,
    pub(crate) load: Duration,
    pub(crate) fresh: Duration,
    pub(crate) one: Pair,
    pub(crate) many: Pair,
}

/// The same work on both sides.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) sandbox: Duration,
    pub(crate) native: Duration,
}

impl Pair {
    /// How many times longer the sandbox takes.
    pub(crate) fn ratio(&self) -> f64 {
        self.sandbox.as_secs_f64() / self.native.as_secs_f64()
    }
}

/// Trains, packages and measures one model.
pub(crate) fn measure(subject: &Subject) -> Figures {
    let &(name, algorithm, parameters) = subject;
    println!("inside the sandbox: {name}");
    let data = std::fs::read(tests::diabetes()).expect("the data are there");
    let (model, manifest) = train(&data, algorithm, parameters);
    let bytes = plain().build_package(&model, &manifest).expect("a package");
    let package = Package::parse(bytes).expect("the package was just made");
    let folder = tempfile::tempdir().expect("a scratch folder");
    let cached = Some(folder.path().join("cache"));

    let compile = median(REPEATS_LOAD, || load(&plain(), &package, Mode::Warm));
    let engine = Engine::new(EngineSettings { cache: cached, ..EngineSettings::default() })
        .expect("an engine");
    load(&engine, &package, Mode::Warm);
    let cached = median(REPEATS_LOAD, || load(&engine, &package, Mode::Warm));
    let (fresh, warm) = (load(&engine, &package, Mode::Fresh), load(&engine, &package, Mode::Warm));

    let numbers = rows(&manifest);
    let one = &numbers[..manifest.features.len()];
    let score = |scorer: &Scorer, rows: u32, numbers: &[f64]| {
        scorer.score(Batch { rows, numbers }).expect("a scored batch")
    };
    let mut native = model.scorer().expect("tables that were just sealed");
    let mut out = Vec::new();
    let mut natively = |rows: u32, numbers: &[f64]| {
        native.score(rows as usize, numbers, &mut out).expect("a scored batch");
        black_box(&out);
    };
    Figures {
        name,
        package_bytes: package.bytes().len(),
        compile,
        load: cached,
        fresh: median(REPEATS_ONE, || score(&fresh, 1, one)),
        one: Pair {
            sandbox: median(REPEATS_ONE, || score(&warm, 1, one)),
            native: median(REPEATS_ONE, || natively(1, one)),
        },
        many: Pair {
            sandbox: median(REPEATS_MANY, || score(&warm, MANY, &numbers)),
            native: median(REPEATS_MANY, || natively(MANY, &numbers)),
        },
    }
}

fn train(data: &[u8], algorithm: &str, parameters: &[(&str, &str)]) -> (Model, Manifest) {
    let table = Table::read_csv(data, &CsvOptions::default()).expect("the data are a table");
    let mut settings = Settings::new("Y", "bench");
    settings.algorithm = Some(algorithm.parse().expect("a known algorithm"));
    settings.folds = 2;
    let parameters = parameters.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    settings.parameters = parameters.collect();
    let trained = models::train::train(&table, &settings, &mut |_| {}).expect("a model");
    (trained.model, trained.manifest)
}

fn plain() -> Engine {
    Engine::new(EngineSettings::default()).expect("an engine")
}

fn load(engine: &Engine, package: &Package, mode: Mode) -> Scorer {
    engine.load(package, Limits { mode, ..Limits::default() }).expect("a loaded package")
}

/// The golden rows over and over, with numbers that differ from row to row.
fn rows(manifest: &Manifest) -> Vec<f64> {
    let rows = manifest.golden.iter().cycle().zip(0..MANY);
    rows.flat_map(|(golden, number)| {
        let shift = f64::from(number) / f64::from(MANY);
        golden.row.iter().map(move |value| value.map_or(f64::NAN, |value| value + shift))
    })
    .collect()
}

/// The median time of some work.
fn median<T>(repeats: usize, mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..repeats)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .collect();
    times.sort();
    times[repeats / 2]
}
