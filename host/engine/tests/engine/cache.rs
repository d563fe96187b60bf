//! The compile cache: what it saves, and what it does not trust.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use engine::{Engine, EngineError, EngineSettings};

use crate::guests::{Guest, limits, row};

fn engine(folder: &Path) -> Result<Engine, EngineError> {
    let cache = Some(folder.to_path_buf());
    Engine::new(EngineSettings { cache, pool_slots: 0, ..EngineSettings::default() })
}

/// Loads the usual guest and scores with it: (compiled, hits, refused).
fn load(folder: &Path) -> (u64, u64, u64) {
    let engine = engine(folder).unwrap();
    let scorer = Guest::default().load(&engine, limits()).unwrap();
    assert_eq!(scorer.score(row(&7.0)).unwrap(), [7.0]);
    let stats = engine.stats();
    (stats.compiled, stats.cache_hits, stats.cache_refused)
}

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn a_package_is_compiled_once() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("made/by/the/engine");
    assert_eq!(load(&folder), (1, 0, 0));
    assert_eq!(load(&folder), (0, 1, 0));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&only_file(&folder))), (0o700, 0o600));
}

#[test]
fn damaged_and_foreign_files_are_compiled_anew() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("cache");
    load(&folder);
    let file = only_file(&folder);
    let good = fs::read(&file).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for bad in [&flipped[..], &good[..good.len() - 1], &good[..40], &good[..10], b"", b"\x7fELF"] {
        fs::write(&file, bad).unwrap();
        assert_eq!(load(&folder), (1, 0, 1));
        assert_eq!(load(&folder), (0, 1, 0), "the bad file was replaced");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(load(&folder), (1, 0, 1), "others could read it");
    let elsewhere = place.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    assert_eq!(load(&folder), (1, 0, 1), "it is a link");
    assert_eq!(load(&folder), (0, 1, 0));
}

#[test]
fn a_file_of_another_package_is_not_taken() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("cache");
    load(&folder);
    let other = Guest { fields: "(global i32 (i32.const 1))", ..Guest::default() };
    let engine = engine(&folder).unwrap();
    other.load(&engine, limits()).unwrap();
    let stats = engine.stats();
    assert_eq!((stats.compiled, stats.cache_hits), (1, 0));
}

#[test]
fn a_folder_that_others_can_open_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("cache");
    fs::create_dir(&folder).unwrap();
    for mode in [0o755, 0o710, 0o707] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        let error = engine(&folder).unwrap_err().to_string();
        assert!(error.contains("chmod 700"), "{error}");
    }
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(engine(&file), Err(EngineError::Cache { .. })));
    let link = place.path().join("link");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    assert!(matches!(engine(&link), Err(EngineError::Cache { .. })));
}

#[test]
fn the_oldest_files_go_when_there_are_many() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("cache");
    let engine = engine(&folder).unwrap();
    for old in 0..600 {
        fs::write(folder.join(format!("{old:03}.machine")), "").unwrap();
    }
    fs::write(folder.join("notes.txt"), "").unwrap();
    Guest::default().load(&engine, limits()).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 512 + 1);
    assert!(folder.join("notes.txt").exists(), "a stranger's file is left alone");
    Guest::default().load(&engine, limits()).unwrap();
    assert_eq!(engine.stats().cache_hits, 1, "the newest file stayed");
}
