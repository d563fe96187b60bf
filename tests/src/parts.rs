//! What `tests/setup/` brought to this machine, and what happens when it did not.

use std::io::Write as _;
use std::path::PathBuf;

/// The broker's jars, or none when the story has to be skipped.
pub fn kafka() -> Option<PathBuf> {
    part("kafka", "Apache Kafka")
}

/// The interpreter of the virtual environment with the public library and scikit-learn, or none when the story has
/// to be skipped.
pub fn python() -> Option<PathBuf> {
    Some(part("python", "Python")?.join("bin/python"))
}

/// # Panics
///
/// With `CI=true`, when the part is missing: there nothing may be skipped.
fn part(folder: &str, name: &str) -> Option<PathBuf> {
    let path = crate::root().join("target/parts").join(folder);
    if path.join(".ready").is_file() {
        return Some(path);
    }
    let story = std::thread::current().name().unwrap_or("a story").to_owned();
    let line = format!("!! SKIPPED: {story}: {name} is not set up (`make test` does it)\n");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}");
    // Past the test runner, which hides what a passing test prints.
    std::io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
    None
}
