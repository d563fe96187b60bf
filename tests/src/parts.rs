//! What `tests/setup/` brought to this machine, and what happens when it did not.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The broker's jars, or none when the story has to be skipped.
pub fn kafka() -> Option<PathBuf> {
    part("kafka", "Apache Kafka")
}

/// The interpreter of the virtual environment with the public library and scikit-learn, or none when the story has
/// to be skipped.
pub fn python() -> Option<PathBuf> {
    Some(part("python", "Python")?.join("bin/python"))
}

/// The folder of RabbitMQ's own scripts, or none when the story has to be skipped. The programs on the PATH will not
/// do: they change the user, and refuse what this one owns.
pub fn rabbitmq() -> Option<PathBuf> {
    let scripts = PathBuf::from("/usr/lib/rabbitmq/bin");
    if scripts.join("rabbitmq-server").is_file() {
        return Some(scripts);
    }
    skip("RabbitMQ is not installed (`make test` does it)");
    None
}

/// The jar of the public monitoring agent, or none when the story has to be skipped.
pub fn agent() -> Option<PathBuf> {
    Some(part("agent", "the monitoring agent")?.join("agent.jar"))
}

/// The component of a hand-written model (`models/custom/`) or of a guest of the tests (`tests/guests/`), built from what
/// lies there now; none when the story has to be skipped.
pub fn custom(name: &str) -> Option<PathBuf> {
    static BUILT: OnceLock<bool> = OnceLock::new();
    let script = crate::root().join("tests/setup/custom.sh");
    let built = *BUILT.get_or_init(|| {
        let mut command = Command::new(script);
        command.stdout(std::process::Stdio::null());
        command.status().expect("bash starts").success()
    });
    assert!(built, "hand-written models do not build");
    let path = crate::root().join("target/parts/custom").join(name).with_extension("wasm");
    if path.is_file() {
        return Some(path);
    }
    skip(&format!("what makes the package in {name} is not installed (`make test` does it)"));
    None
}

/// Whether the story may do what only root can; if not, it is skipped.
pub fn root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip(&format!("{what} needs root"));
    }
    root
}

/// Whether a program is installed; if not, the story is skipped.
pub fn program(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| folder.join(name).is_file());
    if !found {
        skip(&format!("{name} is not installed (`make test` does it)"));
    }
    found
}

fn part(folder: &str, name: &str) -> Option<PathBuf> {
    let path = crate::root().join("target/parts").join(folder);
    if path.join(".ready").is_file() {
        return Some(path);
    }
    skip(&format!("{name} is not set up (`make test` does it)"));
    None
}

/// Says that this story is skipped, and why.
///
/// # Panics
///
/// With `CI=true`: there nothing may be skipped.
pub fn skip(why: &str) {
    let story = std::thread::current().name().unwrap_or("a story").to_owned();
    let line = format!("!! SKIPPED: {story}: {why}\n");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}");
    // Past the test runner, which hides what a passing test prints.
    std::io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
}
