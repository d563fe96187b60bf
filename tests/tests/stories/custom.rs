//! Hand-written packages: three languages on the way from a component to an answer, and a package that tries to get hold of
//! what it must not have.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use tests::{Outpost, README_ROW, Serve, parts, wait_until};

#[path = "../../guests/nothing/src/attempts.rs"]
mod attempts;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Seals a component into this folder.
fn sealed(component: &Path, folder: &Path, more: &[&str]) -> PathBuf {
    let package = folder.join("package.wasm");
    let seal = ["seal", path(component), "--name", "custom", "-o", path(&package)];
    Outpost::run(&[&seal, more].concat()).succeeded();
    package
}

/// What the README of the hand-written models does.
fn checked_sealed_and_served(language: &str) {
    let Some(component) = parts::custom(language) else { return };
    let data = tests::diabetes();
    let checked = Outpost::run(&["check", path(&component), "--rows", path(&data)]).succeeded();
    assert!(checked.out.contains("0 failed"), "{}", checked.out);

    let folder = tempfile::tempdir().unwrap();
    let package = sealed(&component, folder.path(), &["--rows", path(&data)]);
    let checked = Outpost::run(&["check", path(&package)]).succeeded();
    assert!(checked.out.contains("20 predictions, bit for bit"), "{}", checked.out);
    let stories = folder.path();
    let gateway = Serve::package(&package, &stories.join("outbox")).start();
    let stock = Serve::ridge(&stories.join("stock")).start();
    let (ours, theirs) = (gateway.predict(README_ROW), stock.predict(README_ROW));
    let expected = crate::stories::readme::scikit_learns_number();
    for answer in [&ours, &theirs] {
        let prediction = answer.predictions()[0];
        assert!((prediction - expected).abs() < 1e-9, "{prediction} is not {expected}");
    }

    // The same rows in one batch, and a row that the model declines.
    let csv = std::fs::read_to_string(data).unwrap();
    let ask = |gateway: &tests::Gateway| {
        let csv = csv.lines().map(|line| line.rsplit_once(',').unwrap().0);
        let body = csv.collect::<Vec<_>>().join("\n");
        gateway.client().send("POST", "/predict", &[("Content-Type", "text/csv")], &body).unwrap()
    };
    let (ours, theirs) = (ask(&gateway).predictions(), ask(&stock).predictions());
    assert_eq!((ours.len(), theirs.len()), (442, 442));
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() < 1e-9, "{ours} is not {theirs}");
    }
    let declined = gateway.predict(&README_ROW.replace("bmi=23", "bmi="));
    assert_eq!(declined.status, 422, "{}", declined.body);
    assert_eq!(declined.json()["field"], "bmi");
}

#[test]
fn a_model_in_python_is_checked_sealed_and_served() {
    checked_sealed_and_served("python");
}

#[test]
fn a_model_in_c_is_checked_sealed_and_served() {
    checked_sealed_and_served("c");
}

#[test]
fn a_model_in_rust_is_checked_sealed_and_served() {
    checked_sealed_and_served("rust");
}

/// Asks the guest that tries things; one answer a row, each in one process.
fn tried(rows: &[(usize, u16)]) -> Option<Vec<f64>> {
    let folder = tempfile::tempdir().unwrap();
    let package = sealed(&parts::custom("nothing")?, folder.path(), &[]);
    let lines = rows.iter().map(|(attempt, with)| format!("{attempt},{with}\n"));
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, format!("attempt,with\n{}", lines.collect::<String>())).unwrap();
    let scored = Outpost::run(&["score", path(&package), path(&file)]).succeeded();
    let answers = scored.out.lines().skip(1);
    Some(answers.map(|line| line.rsplit_once(',').unwrap().1.parse().unwrap()).collect())
}

#[test]
fn a_package_gets_hold_of_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let rows: Vec<(usize, u16)> = (0..attempts::ATTEMPTS.len()).map(|at| (at, port)).collect();
    let Some(got) = tried(&rows) else { return };
    for ((at, _), got) in rows.into_iter().zip(got) {
        let outside = attempts::attempt(at, port);
        assert!(outside > 0, "{}: it would work nowhere", attempts::ATTEMPTS[at]);
        assert_eq!(got, 0.0, "{}", attempts::ATTEMPTS[at]);
    }
}

/// Nothing to read, output that is taken and dropped (4 MiB of it), and an hour of sleep that takes no time.
#[test]
fn input_is_empty_output_is_dropped_and_time_stands_still() {
    let Some(got) = tried(&[(100, 0), (101, 2048), (102, 0)]) else { return };
    assert_eq!(got, [0.0, 4096.0, 0.0]);
}

#[test]
fn random_numbers_are_the_same_in_every_process() {
    let (Some(one), Some(other)) = (tried(&[(106, 0)]), tried(&[(106, 0)])) else { return };
    assert_eq!(one, other);
    assert!(one[0] > 0.0);
    assert_ne!(attempts::draw(), attempts::draw());
}

#[test]
fn a_package_that_breaks_costs_its_own_call_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let Some(component) = parts::custom("nothing") else { return };
    let package = sealed(&component, folder.path(), &[]);
    let serve = Serve::package(&package, &folder.path().join("outbox"));
    let gateway = serve.settings("[engine]\ncall_time_max = 200").start();
    for (attempt, status) in [(103, 500), (104, 500), (105, 504), (103, 500)] {
        let broken = gateway.predict(&format!("attempt={attempt}&with=7"));
        assert_eq!(broken.status, status, "{}", broken.body);
        assert_eq!(gateway.predict("attempt=0&with=7").predictions(), [0.0]);
    }
    // What it writes, perhaps a row, is in no log.
    assert!(!gateway.log().contains("the row says"), "{}", gateway.log());
}

/// The blocks of commands under a heading of the README of the hand-written models.
fn blocks(heading: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(tests::root().join("models/custom/README.md")).unwrap();
    let (_, section) = readme.split_once(&format!("### {heading}\n")).unwrap();
    let section = section.split("\n#").next().unwrap();
    let mut blocks = vec![String::new()];
    for line in section.lines() {
        match line.strip_prefix("    ") {
            Some(command) => *blocks.last_mut().unwrap() += &format!("{command}\n"),
            None if blocks.last().is_some_and(|block| !block.is_empty()) => {
                blocks.push(String::new())
            }
            None => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// Does what the README says, with the example where it says to write a model.
fn from_an_empty_folder(heading: &str, example: &str, file: &str) {
    let root = tests::root();
    let folder = tempfile::tempdir().unwrap();
    let [prepare, build] = blocks(heading).try_into().unwrap();
    let check = blocks("Check, seal, serve").remove(0);
    let sealed: Vec<&str> =
        check.lines().filter(|line| !line.contains("serve") && !line.contains("curl")).collect();
    assert_eq!(sealed.len(), 2, "{check}");
    let script = format!(
        "set -e\n{prepare}\ncp '{root}/models/custom/{example}' {file}\n{build}\n\
         cp '{root}/models/diabetes/diabetes.csv' rows.csv\n{}\n",
        sealed.join("\n"),
        root = root.display()
    );
    let script = script.replace('…', &root.display().to_string());
    let mut command = std::process::Command::new("bash");
    let programs = Outpost::path().parent().unwrap().display().to_string();
    let search = std::env::var("PATH").unwrap();
    command.args(["-c", &script]).current_dir(folder.path());
    command.env("PATH", format!("{programs}:{search}"));
    command.env_remove("CARGO_TARGET_DIR");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{script}\n{}\n{said}",
        String::from_utf8_lossy(&output.stdout)
    );
    let package = folder.path().join("my-model/package.wasm");
    let shown = Outpost::run(&["inspect", path(&package)]).succeeded();
    assert!(shown.out.starts_with("my-model 1\n"), "{}", shown.out);
}

#[test]
fn the_readme_leads_to_a_package_in_c() {
    if parts::custom("c").is_some() {
        from_an_empty_folder("C", "c/diabetes.c", "model.c");
    }
}

#[test]
fn the_readme_leads_to_a_package_in_python() {
    if parts::custom("python").is_some() {
        from_an_empty_folder("Python", "python/app.py", "app.py");
    }
}

#[test]
fn the_readme_leads_to_a_package_in_rust() {
    if parts::custom("rust").is_some() {
        from_an_empty_folder("Rust", "rust/src/lib.rs", "src/lib.rs");
    }
}

/// Two calls that never end hold both of their package's instances; whoever asks another deployment does not notice.
#[test]
fn a_slow_package_never_holds_up_another_deployment() {
    let folder = tempfile::tempdir().unwrap();
    let Some(component) = parts::custom("nothing") else { return };
    let slow = sealed(&component, folder.path(), &[]);
    let good = Outpost::ridge();
    let toml = format!(
        "[[deployments]]\nid = \"good\"\nmodel = {good:?}\n[[deployments]]\nid = \"slow\"\nmodel = {slow:?}\n\
         [deployments.limits]\ncall_time_max = 600000\ninstances_max = 2\n[fleet]\ndefault = \"good\"\n"
    );
    let gateway = Serve::settled(&toml, &folder.path().join("outbox")).start();
    let ask = |attempt: usize| {
        let mut client = gateway.client();
        let target = format!("/deployments/slow/predict?attempt={attempt}&with=1");
        move || client.send("GET", &target, &[], "").map(|answer| answer.status)
    };
    assert_eq!(ask(0)().unwrap(), 200);
    let calls = [ask(105), ask(105)].map(std::thread::spawn);
    wait_until("a package without a free instance", || (ask(0)().unwrap() == 503).then_some(()));
    for _ in 0..50 {
        assert_eq!(gateway.predict(README_ROW).status, 200);
    }
    assert!(calls.iter().all(|call| !call.is_finished()), "the calls were to go on");
    gateway.kill();
    for call in calls {
        assert!(call.join().unwrap().is_err(), "an answer of a gateway that is gone");
    }
}
