//! Packages built for every released version of the contract load and score for ever. The files in `tests/released` are
//! never made again: a version of `wit/` that is released adds its own.

use std::path::Path;

use engine::{Batch, Engine, EngineSettings, LimitSettings, Package};

#[test]
fn packages_of_every_released_contract_load_and_score() {
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released");
    let mut versions = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let package = Package::open(&path).unwrap();
        let scorer = engine.load(&package, LimitSettings::default()).unwrap();
        assert!(!scorer.manifest().golden.is_empty(), "{name}");
        for golden in &scorer.manifest().golden {
            let row: Vec<f64> = golden.row.iter().map(|it| it.unwrap_or(f64::NAN)).collect();
            let scored = scorer.score(Batch { rows: 1, numbers: &row }).unwrap();
            assert_eq!(scored[0].to_bits(), golden.prediction.to_bits(), "{name}");
        }
        versions.push(name);
    }
    versions.sort();
    let kept =
        ["custom-c", "custom-wasi", "ridge", "trees"].map(|it| format!("contract-0.1.0-{it}"));
    assert_eq!(versions, kept);
}
