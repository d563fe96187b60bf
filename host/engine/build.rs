//! Compiles the stock guest that the engine embeds, with the cargo and the rustc that build the engine.
//!
//! The guest is built in a target folder of its own under `OUT_DIR`. Nothing that is meant for the native build
//! leaks into it: flags, wrappers and clippy's driver are taken out of its environment. Nor does the builder's home
//! folder, which panic messages would name: the same sources make the same guest wherever they lie.

use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs};

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "guest";

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(variable("OUT_DIR")).join("guest");
    println!("cargo::rerun-if-changed=build.rs");
    for path in ["Cargo.toml", "Cargo.lock", "guest", "models/Cargo.toml", "wit"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    require_target();
    build(&root, &out);

    let artifacts = out.join(TARGET).join(PROFILE);
    let component = artifacts.join("guest.wasm");
    if !component.is_file() {
        fail(&format!("cargo built the guest but left no {}", component.display()));
    }
    println!("cargo::rustc-env=GUEST_WASM={}", component.display());
    watch_sources(&artifacts.join("guest.d"));
}

/// The standard library of the target must be there; cargo's own message does not tell how to get it.
fn require_target() {
    let printed = Command::new(variable("RUSTC"))
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let found = printed
        .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir());
    if !found {
        fail(&format!("the guest needs the Rust target {TARGET}; run: rustup target add {TARGET}"));
    }
}

fn build(root: &Path, out: &Path) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .current_dir(root)
        .args(["build", "--locked", "--package", "guest", "--lib"])
        .args(["--target", TARGET, "--profile", PROFILE, "--target-dir"])
        .arg(out)
        .env("CARGO_ENCODED_RUSTFLAGS", flags().join("\x1f"));
    for foreign in [
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_RUSTC_WRAPPER",
        "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_BUILD_BUILD_DIR",
        "CLIPPY_ARGS",
        "CLIPPY_CONF_DIR",
    ] {
        cargo.env_remove(foreign);
    }
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("cargo could not build the guest ({status}); see above")),
        Err(error) => fail(&format!("cargo did not start for the guest: {error}")),
    }
}

fn flags() -> Vec<String> {
    let mut flags = vec!["-Ctarget-feature=+simd128".to_owned()];
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
        // Of several that fit, rustc takes the last.
        for registry in fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten() {
            flags.push(format!("--remap-path-prefix={}=crates", registry.path().display()));
        }
    }
    flags
}

/// Reruns this script when a source of the guest changes, and only then: rustc wrote down what it read.
fn watch_sources(dep_info: &Path) {
    let Ok(text) = fs::read_to_string(dep_info) else {
        fail(&format!("cargo left no {}", dep_info.display()));
    };
    let Some((_, sources)) = text.lines().next().and_then(|line| line.split_once(": ")) else {
        fail(&format!("{} has an unknown form", dep_info.display()));
    };
    for source in sources.replace("\\ ", "\0").split(' ') {
        println!("cargo::rerun-if-changed={}", source.replace('\0', " "));
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}")))
}

fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    exit(1)
}
