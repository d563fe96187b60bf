//! Packages are compiled in a process of their own, within limits.

use std::path::{Path, PathBuf};
use tests::{Outpost, README_ROW, Serve};

/// The README's package with a nested module behind it that nobody uses, of so many functions: valid code that takes long
/// to compile and changes nothing.
fn heavy(folder: &Path, functions: u32) -> PathBuf {
    let sealed = std::fs::read(Outpost::ridge()).unwrap();
    let path = folder.join("heavy.wasm");
    std::fs::write(&path, [sealed, nested(functions)].concat()).unwrap();
    path
}

/// A section of a component that holds such a module.
fn nested(functions: u32) -> Vec<u8> {
    let module = tests::functions(functions);
    // The length in five groups of seven bits.
    let length = (0..5).map(|at| (module.len() >> (7 * at)) as u8 & 0x7f | u8::from(at < 4) << 7);
    std::iter::once(1).chain(length).chain(module.iter().copied()).collect()
}

#[test]
fn what_compiling_may_use_has_limits_and_each_names_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    let package = heavy(folder.path(), 20_000);
    let outbox = folder.path().join("outbox");
    for (limit, setting) in [
        ("compile_cpu_max = 1", "compile_cpu_max"),
        ("compile_bytes_max = 33554432", "compile_bytes_max"),
        ("compile_time_max = 1", "compile_time_max"),
    ] {
        let serve = Serve::package(&package, &outbox).settings(&format!("[engine]\n{limit}"));
        serve.refused().failed(65, &["heavy.wasm", "compile it", setting]);
    }
    // It is the limit that keeps it out: the same section, smaller, is served.
    let package = heavy(folder.path(), 2);
    let gateway = Serve::package(&package, &outbox).start();
    assert_eq!(gateway.predict(README_ROW).status, 200);
}

#[test]
fn the_compilers_command_is_not_for_people() {
    Outpost::run(&["compile-package"]).failed(70, &["for `outpost serve` alone"]);
    let help = Outpost::run(&["--help"]).succeeded().out;
    assert!(!help.contains("compile-package"), "{help}");
}
