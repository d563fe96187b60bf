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

/// A section of a component that holds a module of functions, each of which adds many times.
fn nested(functions: u32) -> Vec<u8> {
    // No locals; 60 times `i32.const 7, i32.const 7, i32.add, drop`; end.
    let body = [&[0][..], &[0x41, 7, 0x41, 7, 0x6a, 0x1a].repeat(60), &[0x0b]].concat();
    let body = [leb(body.len() as u32), body].concat();
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    let list = |each: &[u8]| [leb(functions), each.repeat(functions as usize)].concat();
    // One type without parameters and results, functions of it, their bodies.
    for (id, content) in [(1, vec![1, 0x60, 0, 0]), (3, list(&[0])), (10, list(&body))] {
        module.push(id);
        module.extend(leb(content.len() as u32));
        module.extend(content);
    }
    [vec![1], leb(module.len() as u32), module].concat()
}

fn leb(mut value: u32) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
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
