//! The stock scorer: what it imports, what its packages hold, and that it scores like the host, bit for bit.

use engine::{Batch, BuildError, Engine, Limits, Package, ScoreError};
use models::manifest::{Distribution, Golden, Manifest};
use models::regressor::{
    Kernel, KernelFunction, Linear, Metric, Neighbours, Trees, Weighting,
    trees::{Child, Input, Link, MissingGoes, Node, Sum, Test, Thresholds, Width},
};
use models::train::{Algorithm, CsvOptions, Settings, Table};
use models::{Column, Feature, Kind, Missing, Model, Regressor, Unknown};
use wasmparser::{Parser, Payload};

use crate::guests;

/// Numbers that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64 * 4.0 - 2.0
    }

    fn list(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Two numbers, one that may be missing, and a category of three levels.
fn model(regressor: Regressor) -> Model {
    let number = |name: &str, missing| Feature {
        name: name.to_string(),
        kind: Kind::Numeric,
        missing,
        unknown: Unknown::Refuse,
    };
    let levels = ["red", "green", "blue"].map(str::to_string).to_vec();
    Model {
        target: "y".to_string(),
        features: vec![
            number("a", Missing::Refuse),
            number("b", Missing::Replace(0.25)),
            Feature {
                name: "colour".to_string(),
                kind: Kind::Categorical(levels),
                missing: Missing::Replace(1.0),
                unknown: Unknown::Refuse,
            },
        ],
        columns: vec![
            Column::Number { feature: 0 },
            Column::Number { feature: 1 },
            Column::Level { feature: 2, code: 0 },
            Column::Level { feature: 2, code: 2 },
        ],
        regressor,
    }
}

fn linear() -> Model {
    let weights = vec![0.1, -7.3, 1e-3, 4.0];
    model(Regressor::Linear(Linear { weights, intercept: 152.13 }))
}

fn kernel(function: KernelFunction) -> Model {
    let mut numbers = Numbers(3);
    let (vectors, weights) = (numbers.list(4 * 50), numbers.list(50));
    model(Regressor::Kernel(Kernel { function, vectors, weights, bias: 0.7 }))
}

fn neighbours(weighting: Weighting, metric: Metric) -> Model {
    let mut numbers = Numbers(4);
    let (points, targets) = (numbers.list(4 * 80), numbers.list(80));
    model(Regressor::Neighbours(Neighbours { k: 5, weighting, metric, points, targets }))
}

/// Full trees of depth 3 over the two numbers.
fn trees(width: Width, link: Link) -> Model {
    let mut numbers = Numbers(5);
    let mut thresholds = || {
        let mut list = numbers.list(20);
        list.sort_by(f64::total_cmp);
        match width {
            Width::F32 => Thresholds::F32(list.iter().map(|t| *t as f32).collect()),
            Width::F64 => Thresholds::F64(list),
        }
    };
    let inputs = [0, 1].map(|column| Input { column, thresholds: thresholds() }).to_vec();
    let tests = [MissingGoes::Left, MissingGoes::Zero]
        .into_iter()
        .zip(0..)
        .map(|(missing, input)| Test::Rank { input, missing })
        .collect();
    let (mut nodes, mut leaves, mut roots) = (Vec::new(), Vec::new(), Vec::new());
    for tree in 0..30u32 {
        let first = tree * 7;
        roots.push(Child::Node(first));
        for place in 0..7u32 {
            let child = |side: u32| match place * 2 + 1 + side {
                inner @ 0..7 => Child::Node(first + inner),
                leaf => Child::Leaf(tree * 8 + leaf - 7),
            };
            let threshold = (tree * 3 + place * 5) % 20;
            let (left, right) = (child(0), child(1));
            nodes.push(Node { test: (tree + place) % 2, threshold, left, right });
        }
        leaves.extend((0..8).map(|_| f64::from(numbers.next() as f32)));
    }
    let sum = Sum { width, start: 0.5, divisor: 30.0, scale: 1.0, bias: 0.0 };
    model(Regressor::Trees(Trees { inputs, tests, nodes, leaves, roots, sum, link }))
}

fn all() -> Vec<Model> {
    vec![
        linear(),
        trees(Width::F64, Link::Identity),
        trees(Width::F32, Link::Exp),
        kernel(KernelFunction::Linear),
        kernel(KernelFunction::Rbf { gamma: 0.3 }),
        kernel(KernelFunction::Polynomial { gamma: 0.3, coef0: 2.0, degree: 3.0 }),
        kernel(KernelFunction::Sigmoid { gamma: 0.3, coef0: 0.1 }),
        neighbours(Weighting::Uniform, Metric::Euclidean),
        neighbours(Weighting::Distance, Metric::Manhattan),
        neighbours(Weighting::Distance, Metric::Minkowski { p: 3.0 }),
    ]
}

/// Rows of [`model`]: now and then something is missing.
fn rows(count: usize) -> Vec<f64> {
    let mut numbers = Numbers(count as u64);
    (0..count)
        .flat_map(|row| {
            let [a, b] = [numbers.next(), numbers.next()];
            let level = (row % 3) as f64;
            [
                a,
                if row % 7 == 0 { f64::NAN } else { b },
                if row % 5 == 0 { f64::NAN } else { level },
            ]
        })
        .collect()
}

fn native(model: &Model, numbers: &[f64]) -> Vec<f64> {
    let mut out = Vec::new();
    let rows = numbers.len() / model.features.len();
    model.clone().scorer().unwrap().score(rows, numbers, &mut out).unwrap();
    out
}

/// A manifest for a model, with three golden rows that the host has scored.
fn manifest(model: &Model) -> Manifest {
    let numbers = rows(3);
    let predictions = native(model, &numbers);
    let golden = numbers.chunks(3).zip(predictions).map(|(row, prediction)| Golden {
        row: row.iter().map(|value| (!value.is_nan()).then_some(*value)).collect(),
        prediction,
    });
    let mut manifest = guests::manifest();
    let number = manifest.baseline.features[0].clone();
    let category = Distribution::Categorical { missing: 0, levels: Vec::new(), other: 0 };
    manifest.features = model.features.clone();
    manifest.baseline.features = vec![number.clone(), number, category];
    manifest.golden = golden.collect();
    manifest
}

fn build(engine: &Engine, model: &Model) -> Package {
    Package::parse(engine.build_package(model, &manifest(model)).unwrap()).unwrap()
}

#[test]
fn a_package_names_no_folder_of_the_machine_that_built_it() {
    let package = build(&guests::engine(), &linear());
    let text = String::from_utf8_lossy(package.bytes());
    assert!(text.contains("crates/dlmalloc"), "panic messages name sources");
    for folder in [".cargo", "registry/src", concat!(env!("CARGO_MANIFEST_DIR"), "/")] {
        assert!(!text.contains(folder), "{folder}");
    }
}

#[test]
fn a_package_of_the_stock_scorer_imports_nothing() {
    let package = build(&guests::engine(), &linear());
    let mut modules = 0;
    for payload in Parser::new(0).parse_all(package.bytes()) {
        match payload.unwrap() {
            Payload::ComponentImportSection(section) => {
                // The shim that names the exports imports the functions from the component around it, never from outside.
                let outside = section.range().start > 0 && modules == 0;
                assert!(!outside, "an import before any module comes from outside");
            }
            Payload::ImportSection(section) => {
                assert_eq!(section.count(), 0, "the core module imports something");
            }
            Payload::ModuleSection { .. } => modules += 1,
            _ => {}
        }
    }
    assert_eq!(modules, 1);
    let engine = wasmtime::Engine::default();
    let component = wasmtime::component::Component::new(&engine, package.bytes()).unwrap();
    let imports: Vec<_> =
        component.component_type().imports(&engine).map(|(name, _)| name.to_string()).collect();
    assert_eq!(imports, Vec::<String>::new());
}

#[test]
fn the_same_model_makes_the_same_bytes() {
    for model in [linear(), trees(Width::F64, Link::Identity)] {
        let first = build(&guests::engine(), &model);
        let second = build(&guests::engine(), &model);
        assert_eq!(first.digest(), second.digest());
        assert_eq!(first.bytes(), second.bytes());
    }
}

#[test]
fn sandbox_and_host_agree_bit_for_bit() {
    let engine = guests::engine();
    for model in all() {
        let scorer = engine.load(&build(&engine, &model), Limits::default()).unwrap();
        for count in [1, 2, 63, 64, 65, 1000] {
            let numbers = rows(count);
            let batch = Batch { rows: count as u32, numbers: &numbers };
            let sandbox: Vec<u64> =
                scorer.score(batch).unwrap().into_iter().map(f64::to_bits).collect();
            let host: Vec<u64> = native(&model, &numbers).into_iter().map(f64::to_bits).collect();
            assert_eq!(sandbox, host, "{count} rows of {:?}", model.regressor);
        }
    }
}

#[test]
fn trained_models_come_through_with_their_golden_rows() {
    // Building checks the golden rows bit for bit; here rows that no manifest holds are added.
    let mut numbers = Numbers(9);
    let mut csv = String::from("a,b,colour,y\n");
    for row in 0..60 {
        let [a, b] = [numbers.next(), numbers.next()];
        let b_text = if row % 9 == 0 { String::new() } else { b.to_string() };
        let colour = ["red", "green", "blue"][row % 3];
        csv += &format!("{a},{b_text},{colour},{}\n", 3.0 * a - b + (row % 3) as f64);
    }
    let table = Table::read_csv(csv.as_bytes(), &CsvOptions::default()).unwrap();
    let engine = guests::engine();
    for algorithm in Algorithm::ALL {
        let settings = Settings { algorithm: Some(algorithm), ..Settings::new("y", "colours") };
        let trained = models::train::train(&table, &settings, &mut |_| {}).unwrap();
        assert!(!trained.manifest.golden.is_empty());
        let bytes = engine.build_package(&trained.model, &trained.manifest).unwrap();
        let package = Package::parse(bytes).unwrap();
        let scorer = engine.load(&package, Limits::default()).unwrap();
        // No colour is missing in the training data, so the models refuse a row without one.
        let mut numbers = rows(200);
        numbers.iter_mut().skip(2).step_by(3).filter(|x| x.is_nan()).for_each(|x| *x = 0.0);
        let sandbox = scorer.score(Batch { rows: 200, numbers: &numbers }).unwrap();
        let host = native(&trained.model, &numbers);
        let bits = |list: &[f64]| list.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&sandbox), bits(&host), "{algorithm:?}");
    }
}

#[test]
fn a_large_model_has_room_and_a_too_large_one_says_so() {
    let engine = guests::engine();
    let mut numbers = Numbers(1);
    let mut of = |points: usize| {
        let (points, targets) = (numbers.list(4 * points), numbers.list(points));
        let (weighting, metric) = (Weighting::Uniform, Metric::Euclidean);
        model(Regressor::Neighbours(Neighbours { k: 1, weighting, metric, points, targets }))
    };
    // 20 MB of tables: more than the working memory, which does not count the model.
    let large = of(500_000);
    let package = build(&engine, &large);
    let size = package.bytes().len();
    assert!(size < 24 << 20, "the tables are in the package once, not twice: {size}");
    let too_large = of(8_000_000);
    let error = engine.build_package(&too_large, &manifest(&linear())).unwrap_err();
    assert!(matches!(error, BuildError::Broke(engine::Broke::Memory)), "{error:?}");
}

#[test]
fn a_decline_names_row_and_feature_and_keeps_the_instance() {
    let engine = guests::engine();
    let package = build(&engine, &linear());
    let limits = Limits { call_numbers: 2 * 3, ..guests::limits() };
    let scorer = engine.load(&package, limits).unwrap();
    let created = engine.stats().instances_created;
    // Cut into calls of two rows; the one to blame is in the third call.
    let mut numbers = rows(8);
    let good = numbers.clone();
    numbers[5 * 3] = f64::NAN;
    let decline = |numbers: &[f64]| match scorer.score(Batch { rows: 8, numbers }) {
        Err(ScoreError::Declined(decline)) => decline,
        other => panic!("{other:?}"),
    };
    let missing = decline(&numbers);
    assert_eq!((missing.code.as_str(), missing.row), ("missing-value", Some(5)));
    assert_eq!(missing.feature.as_deref(), Some("a"));
    numbers.copy_from_slice(&good);
    numbers[2 * 3 + 2] = -1.0;
    let unknown = decline(&numbers);
    assert_eq!((unknown.code.as_str(), unknown.row), ("unknown-level", Some(2)));
    assert_eq!(unknown.feature.as_deref(), Some("colour"));
    assert_eq!(scorer.score(Batch { rows: 8, numbers: &good }).unwrap().len(), 8);
    let stats = engine.stats();
    assert_eq!((stats.declined, stats.instances_created), (2, created));
}

#[test]
fn model_and_manifest_must_agree() {
    let engine = guests::engine();
    let model = linear();
    let refuse = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = manifest(&model);
        change(&mut manifest);
        engine.build_package(&model, &manifest).unwrap_err()
    };
    let error = refuse(&|m| m.target = "z".to_string());
    assert!(matches!(error, BuildError::Disagree("the targets")), "{error:?}");
    // A policy does not show in the contract's signature.
    let error = refuse(&|m| m.features[0].missing = Missing::Replace(0.0));
    assert!(matches!(error, BuildError::Disagree("the features")), "{error:?}");
    let error = refuse(&|m| m.golden[1].prediction += 1e-9);
    assert!(
        matches!(&error, BuildError::Check(engine::LoadError::Golden { row: 1, .. })),
        "{error:?}"
    );
    let error = refuse(&|m| m.name = "Not A Name".to_string());
    assert!(matches!(error, BuildError::Manifest(_)), "{error:?}");
    let mut unsound = linear();
    unsound.columns.pop();
    let error = engine.build_package(&unsound, &manifest(&model)).unwrap_err();
    assert!(matches!(error, BuildError::Model(_)), "{error:?}");
}

/// The stock scorer spoken to without the engine between.
mod direct {
    use super::*;
    use wasmtime::component::{Component, Linker};
    use wasmtime::{Engine, Store};

    wasmtime::component::bindgen!({
        path: ["../../wit", "../../guest/wit"],
        world: "outpost:stock/stock",
    });
    use exports::outpost::model::scoring::Batch;

    fn start(component: &[u8]) -> (Store<()>, Stock) {
        let engine = Engine::default();
        let component = Component::new(&engine, component).unwrap();
        let mut store = Store::new(&engine, ());
        let stock = Stock::instantiate(&mut store, &component, &Linker::new(&engine)).unwrap();
        (store, stock)
    }

    #[test]
    fn a_scorer_without_a_model_declines() {
        let (mut store, stock) = start(include_bytes!(env!("GUEST_WASM")));
        let scoring = stock.outpost_model_scoring();
        assert!(scoring.call_describe(&mut store).unwrap().features.is_empty());
        let batch = Batch { rows: 1, numbers: vec![1.0], texts: vec![] };
        let decline = scoring.call_score(&mut store, &batch).unwrap().unwrap_err();
        assert_eq!(decline.code, "no-model");
        let why = stock.call_load(&mut store, b"\x01nonsense").unwrap().unwrap_err();
        assert!(!why.is_empty());
        stock.call_load(&mut store, &linear().encode()).unwrap().unwrap();
    }

    #[test]
    fn a_package_refuses_another_model() {
        let (mut store, stock) = start(build(&guests::engine(), &linear()).bytes());
        let why = stock.call_load(&mut store, &linear().encode()).unwrap().unwrap_err();
        assert!(why.contains("already"), "{why}");
    }

    #[test]
    fn no_batch_breaks_the_scorer() {
        let (mut store, stock) = start(build(&guests::engine(), &linear()).bytes());
        let scoring = stock.outpost_model_scoring();
        let lists: [&[f64]; 5] = [&[], &[1.0], &[f64::NAN; 3], &[f64::INFINITY; 3], &[1e308; 6]];
        for rows in [0, 1, 2, u32::MAX / 3, u32::MAX] {
            for numbers in lists {
                for texts in [vec![], vec![None], vec![Some("a".to_string())]] {
                    let numbers = numbers.to_vec();
                    let batch = Batch { rows, numbers, texts };
                    let decline = scoring.call_score(&mut store, &batch).unwrap().unwrap_err();
                    assert!(!decline.code.is_empty() && !decline.message.is_empty());
                }
            }
        }
        let good = Batch { rows: 1, numbers: vec![1.0, 1.0, 1.0], texts: vec![] };
        assert_eq!(scoring.call_score(&mut store, &good).unwrap().unwrap().values.len(), 1);
    }
}
