//! temp
use engine::*;
use models::manifest::*;
use models::regressor::*;
use models::*;
use std::time::{Duration, Instant};

fn time(n: u32, mut f: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..7 {
        let t = Instant::now();
        for _ in 0..n {
            f();
        }
        best = best.min(t.elapsed() / n);
    }
    best
}
fn main() {
    let features: Vec<Feature> = (0..10)
        .map(|i| Feature {
            name: format!("f{i}"),
            kind: Kind::Numeric,
            missing: Missing::Refuse,
            unknown: Unknown::Refuse,
        })
        .collect();
    let columns: Vec<Column> = (0..10).map(|feature| Column::Number { feature }).collect();
    let mut seed = 1u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 11) as f64 / (1u64 << 53) as f64
    };
    let lin =
        Regressor::Linear(Linear { weights: (0..10).map(|_| next()).collect(), intercept: 3.0 });
    let ker = Regressor::Kernel(Kernel {
        function: KernelFunction::Rbf { gamma: 0.1 },
        vectors: (0..4420).map(|_| next()).collect(),
        weights: (0..442).map(|_| next()).collect(),
        bias: 1.0,
    });
    let knn = Regressor::Neighbours(Neighbours {
        k: 5,
        weighting: Weighting::Uniform,
        metric: Metric::Euclidean,
        points: (0..4420).map(|_| next()).collect(),
        targets: (0..442).map(|_| next()).collect(),
    });
    // 100 trees depth 6
    use models::regressor::trees::*;
    let inputs: Vec<Input> = (0..10)
        .map(|column| {
            let mut t: Vec<f64> = (0..200).map(|_| next()).collect();
            t.sort_by(f64::total_cmp);
            Input { column, thresholds: Thresholds::F64(t) }
        })
        .collect();
    let tests = (0..10).map(|input| Test::Rank { input, missing: MissingGoes::Left }).collect();
    let (mut nodes, mut leaves, mut roots) = (vec![], vec![], vec![]);
    for tree in 0..100u32 {
        let first = tree * 63;
        roots.push(Child::Node(first));
        for place in 0..63u32 {
            let child = |s: u32| match place * 2 + 1 + s {
                i if i < 63 => Child::Node(first + i),
                l => Child::Leaf(tree * 64 + l - 63),
            };
            nodes.push(Node {
                test: (next() * 10.0) as u32,
                threshold: (next() * 200.0) as u32,
                left: child(0),
                right: child(1),
            });
        }
        leaves.extend((0..64).map(|_| next()));
    }
    let trees = Regressor::Trees(Trees {
        inputs,
        tests,
        nodes,
        leaves,
        roots,
        sum: Sum { width: Width::F64, start: 0.0, divisor: 100.0, scale: 1.0, bias: 0.0 },
        link: Link::Identity,
    });
    let num = || Distribution::Numeric {
        missing: 0,
        min: 0.0,
        max: 0.0,
        mean: 0.0,
        std: 0.0,
        counts: vec![1],
    };
    let dir = std::env::temp_dir().join(format!("measure-{}", std::process::id()));
    let cached =
        Engine::new(EngineSettings { cache: Some(dir.clone()), ..Default::default() }).unwrap();
    let engine = Engine::new(EngineSettings::default()).unwrap();
    println!("placement {:?}", engine.placement());
    for (name, regressor) in
        [("linear", lin), ("trees100x6", trees), ("rbf442", ker), ("knn442", knn)]
    {
        let model = Model {
            target: "y".into(),
            features: features.clone(),
            columns: columns.clone(),
            regressor,
        };
        let manifest = Manifest {
            format: 1,
            name: "m".into(),
            version: "1".into(),
            prediction_type: "regression".into(),
            target: "y".into(),
            features: features.clone(),
            baseline: Baseline {
                rows: 1,
                features: (0..10).map(|_| num()).collect(),
                target: num(),
                predictions: num(),
            },
            metrics: Default::default(),
            golden: vec![],
            provenance: Provenance {
                source: "csv".into(),
                data_sha256: "00".repeat(32),
                data_rows: 1,
                algorithm: "x".into(),
                parameters: Default::default(),
                seed: 0,
                tools: Default::default(),
            },
        };
        let t = Instant::now();
        let bytes = engine.build_package(&model, &manifest).unwrap();
        let build = t.elapsed();
        let package = Package::parse(bytes).unwrap();
        let t = Instant::now();
        let scorer = engine
            .load(&package, Limits { call_deadline: Duration::from_secs(60), ..Default::default() })
            .unwrap();
        let load = t.elapsed();
        cached.load(&package, Limits::default()).unwrap();
        let cload = time(20, || {
            cached.load(&package, Limits::default()).unwrap();
        });
        let fresh =
            engine.load(&package, Limits { mode: Mode::Fresh, ..Default::default() }).unwrap();
        let row: Vec<f64> = (0..10).map(|_| next()).collect();
        let fresh_row = time(200, || {
            fresh.score(Batch { rows: 1, numbers: &row }).unwrap();
        });
        let warm_row = time(20000, || {
            scorer.score(Batch { rows: 1, numbers: &row }).unwrap();
        });
        let mut native = model.clone().scorer().unwrap();
        let mut out = Vec::new();
        let native_row = time(20000, || {
            native.score(1, &row, &mut out).unwrap();
        });
        let rows: Vec<f64> = (0..100_000).map(|_| next()).collect();
        let mut sandbox_best = Duration::MAX;
        let mut native_best = Duration::MAX;
        let n = if name == "linear" { 200 } else { 3 };
        for _ in 0..5 {
            sandbox_best = sandbox_best.min(time(n, || {
                scorer.score(Batch { rows: 10_000, numbers: &rows }).unwrap();
            }));
            native_best = native_best.min(time(n, || {
                native.score(10_000, &rows, &mut out).unwrap();
            }));
        }
        println!(
            "{name}: size {} build {build:?} load {load:?} cached {cload:?} fresh+row {fresh_row:?} warm row {warm_row:?} native row {native_row:?} | 10k sandbox {sandbox_best:?} native {native_best:?} ratio {:.2}",
            package.bytes().len(),
            sandbox_best.as_secs_f64() / native_best.as_secs_f64()
        );
    }
    std::fs::remove_dir_all(dir).unwrap();
}
