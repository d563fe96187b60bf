//! The real binary, run to its end.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The `outpost` command.
#[derive(Debug)]
pub struct Outpost;

/// What a finished command left.
#[derive(Debug)]
pub struct Run {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Outpost {
    /// The binary beside the test's own, built with the same profile.
    ///
    /// It is built here once for each test process, so that plain `cargo test` never tests a stale one; when it is
    /// fresh this takes a moment. The selection is the Makefile's: another one would compile the world again. A path in
    /// `OUTPOST` names a binary that is taken as it is.
    pub fn path() -> &'static Path {
        static PATH: OnceLock<PathBuf> = OnceLock::new();
        PATH.get_or_init(|| {
            if let Some(path) = std::env::var_os("OUTPOST") {
                return PathBuf::from(path);
            }
            let mut folder = std::env::current_exe().expect("a process knows its program");
            folder.pop();
            if folder.ends_with("deps") {
                folder.pop();
            }
            let target = folder.parent().expect("a profile's folder lies in the target folder");
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--workspace", "--bins", "--examples", "--tests"]);
            build.current_dir(crate::root());
            // What cargo tells a test of the test's own crate would be news to build scripts that ask for it (that of
            // ring does), and they and everything above them would be built again.
            for (name, _) in std::env::vars_os() {
                let name = name.to_string_lossy();
                if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|of| name.starts_with(of)) {
                    build.env_remove(&*name);
                }
            }
            build.arg("--target-dir").arg(target);
            if folder.ends_with("release") {
                build.arg("--release");
            }
            let built = build.status().expect("cargo starts");
            assert!(built.success(), "`outpost` does not build");
            folder.join("outpost")
        })
    }

    /// The command with these arguments, in the top folder of the work tree and without the caller's `MLOPS_*` names.
    pub fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(Self::path());
        command.args(arguments).current_dir(crate::root()).stdin(std::process::Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MLOPS_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs the command to its end.
    pub fn run(arguments: &[&str]) -> Run {
        Run::of(Self::command(arguments).output().expect("the binary starts"))
    }

    /// Trains on the diabetes data.
    ///
    /// # Panics
    ///
    /// When the command fails.
    pub fn train(package: &Path, algorithm: &str, more: &[&str]) {
        let data = crate::diabetes();
        let mut arguments = vec!["train", text(&data), "--target", "Y", "--model", algorithm];
        arguments.extend_from_slice(more);
        arguments.extend_from_slice(&["-o", text(package)]);
        Self::run(&arguments).succeeded();
    }

    /// The README's package: ridge on the diabetes data, made once for each test process. Each makes the same bytes
    /// and puts them there whole, so the name may be shared.
    pub fn ridge() -> &'static Path {
        static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
        PACKAGE.get_or_init(|| {
            let folder = crate::root().join("target/tmp");
            std::fs::create_dir_all(&folder).expect("the target folder takes a folder");
            let package = folder.join("ridge.wasm");
            Self::train(&package, "ridge", &[]);
            package
        })
    }
}

impl Run {
    /// What a command left that has ended.
    ///
    /// # Panics
    ///
    /// When it did not write UTF-8.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            err: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }

    /// # Panics
    ///
    /// When the command did not end with 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    /// # Panics
    ///
    /// When the command did not end with this code, or said something else than this on standard error.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing in: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("paths of the tests are UTF-8")
}
