//! Packages that mean harm, on a gateway that serves a good one: what they cost is theirs alone.

use std::path::Path;
use tests::{End, Gateway, Hostile, MARK, README_ROW, Serve, Witness, hostile, wait_until};

/// A gateway that follows a folder with the README's model in it, and clients that ask that one.
struct Place {
    folder: tempfile::TempDir,
    gateway: Gateway,
    witness: Witness,
}

impl Place {
    fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        std::fs::create_dir(&models).unwrap();
        let ridge = &super::two_models::pair().ridge;
        std::fs::copy(&ridge.file, models.join("good.wasm")).unwrap();
        // Without it, which file serves `/predict` would be a matter of the alphabet.
        let settings = format!("{settings}\n[fleet]\ndefault = \"good\"\n");
        let gateway = Serve::folder(&models, folder.path()).settings(&settings).start();
        let target = "/deployments/good/predict";
        let witness = Witness::start(gateway.port(), target, README_ROW, 2, "good");
        witness.wait_for_more(10);
        Self { folder, gateway, witness }
    }

    /// Puts a package into the folder, whole.
    fn put(&self, package: &Hostile) {
        let path = self.folder.path().join("models").join(package.name);
        std::fs::write(path.with_extension("half"), &package.package).unwrap();
        std::fs::rename(path.with_extension("half"), path.with_extension("wasm")).unwrap();
    }

    /// Every answer of the good model was its number.
    fn end(self) {
        self.witness.wait_for_more(10);
        let told = self.witness.finish();
        assert!(told.failures.is_empty(), "{:?}", told.failures.first());
        let ridge = &super::two_models::pair().ridge;
        for (id, (number, digest)) in &told.answers {
            assert_eq!((number, digest), (&ridge.says, &ridge.digest), "{id}");
        }
    }
}

fn ask(gateway: &Gateway, deployment: &str, x: f64) -> tests::Answer {
    let target = format!("/deployments/{deployment}/predict?x={x}");
    gateway.client().send("GET", &target, &[], "").unwrap()
}

#[test]
fn packages_that_break_in_a_call_cost_that_call() {
    let place = Place::start("");
    for package in hostile() {
        let End::Breaks { status, kind } = package.end else { continue };
        place.put(&package);
        let name = package.name;
        wait_until(name, || (ask(&place.gateway, name, 1.0).status == 200).then_some(()));
        let metric = format!("engine_instances_discarded_total{{reason=\"{kind}\"");
        let before = place.gateway.metric(&metric);
        let answer = ask(&place.gateway, name, MARK);
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        assert!(place.gateway.metric(&metric) > before, "{name} broke in another way than {kind}");
        assert_eq!(ask(&place.gateway, name, 2.5).predictions(), [2.5], "{name}");
        place.witness.wait_for_more(5);
    }
    place.end();
}

#[test]
fn packages_that_are_refused_say_why_and_what_serves_goes_on() {
    let place = Place::start("[engine]\ncompile_cpu_max = 1\n");
    let mut refused = 0;
    for package in hostile() {
        let End::Refused(words) = package.end else { continue };
        place.put(&package);
        let file = format!("{}.wasm", package.name);
        wait_until(&format!("a word about {file}"), || {
            let log = place.gateway.log();
            let about = |line: &&str| words.iter().all(|word| line.contains(word));
            log.lines().any(|line| about(&line)).then_some(())
        });
        assert_eq!(ask(&place.gateway, package.name, 1.0).status, 404, "{file}");
        place.witness.wait_for_more(5);
        refused += 1;
    }
    assert!(refused > 5);
    place.end();
}

#[test]
fn a_gateway_that_is_started_with_one_of_them_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let ridge = &super::two_models::pair().ridge;
    for package in hostile() {
        let End::Refused(words) = package.end else { continue };
        let file = folder.path().join(package.name).with_extension("wasm");
        std::fs::write(&file, &package.package).unwrap();
        let words = [&[package.name][..], words].concat();
        start_with(&ridge.file, &file, &folder.path().join("outbox")).failed(65, &words);
    }
}

fn start_with(good: &Path, bad: &Path, outbox: &Path) -> tests::Run {
    let toml = format!(
        "[[deployments]]\nid = \"good\"\nmodel = {good:?}\n[[deployments]]\nid = \"bad\"\nmodel = {bad:?}\n\
         [engine]\ncompile_cpu_max = 1\n"
    );
    Serve::settled(&toml, outbox).refused()
}
