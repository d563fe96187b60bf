//! Many models on one gateway, and models that are swapped while it answers.

use super::two_models::{Pair, pair};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tests::{
    Gateway, Known, Outpost, PATIENCE, README_ROW, Run, Serve, Witness, hostile, marked_row,
    spooled, wait_until,
};

/// Puts a file in place of another one, whole.
fn put(from: &Path, to: &Path) {
    let half = to.with_extension("half");
    std::fs::copy(from, &half).unwrap();
    std::fs::rename(&half, to).unwrap();
}

fn digest(gateway: &Gateway, deployment: &str) -> Option<String> {
    let ready = gateway.get("/readyz").json();
    let all = ready["deployments"].as_array().unwrap();
    let one = all.iter().find(|one| one["id"] == deployment)?;
    one["model"].as_str().map(str::to_owned)
}

fn wait_for(gateway: &Gateway, deployment: &str, model: Option<&str>) {
    wait_until("a deployment's model", || {
        (digest(gateway, deployment).as_deref() == model).then_some(())
    });
}

#[test]
fn several_deployments_of_one_file_have_their_own_ways() {
    let Pair { ridge, linear } = pair();
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let toml = format!(
        "[[deployments]]\nid = \"first\"\nname = \"The first\"\nmodel = {:?}\n\
         [[deployments]]\nid = \"second\"\nmodel = {:?}\nunknown_fields = \"ignore\"\nmodel_id = \"two\"\n",
        ridge.file, linear.file
    );
    let gateway =
        Serve::settled(&toml, &folder.path().join("outbox")).durable().to_files(&spool).start();
    let ask = |target: &str, form: &str| {
        gateway
            .client()
            .send("POST", target, &[("Content-Type", "application/x-www-form-urlencoded")], form)
            .unwrap()
    };
    for (target, model) in [
        ("/predict", ridge),
        ("/deployments/first/predict", ridge),
        ("/deployments/second/predict", linear),
    ] {
        let answer = ask(target, README_ROW);
        assert_eq!(answer.predictions(), [model.says], "{target}");
        assert_eq!(answer.header("x-model-digest"), Some(&*model.digest), "{target}");
    }
    let more = format!("{README_ROW}&shoe=44");
    assert_eq!(ask("/deployments/first/predict", &more).status, 400);
    assert_eq!(ask("/deployments/second/predict", &more).status, 200);
    assert_eq!(ask("/deployments/third/predict", README_ROW).status, 404);
    assert_eq!(ask("/deployments/fir%73t/predict", README_ROW).status, 200);

    let records = wait_until("records", || {
        let records = spooled(&spool);
        let scored: Vec<_> = records.into_iter().filter(|it| it.is("PREDICTIONS_DATA")).collect();
        (scored.len() == 5).then_some(scored)
    });
    for record in &records {
        let model = if record.deployment == "first" { ridge } else { linear };
        assert_eq!(record.model_digest.as_deref(), Some(&*model.digest));
        assert_eq!(record.role, None, "a champion needs no word");
    }
    let metric = format!(
        "gateway_deployment_info{{deployment=\"second\",role=\"champion\",challenger=\"\",digest=\"{}\",model=\"two\"}} 1",
        linear.digest
    );
    assert!(gateway.get("/metrics").body.contains(&metric), "{}", gateway.get("/metrics").body);
}

#[test]
fn a_deployment_that_does_not_load_stops_the_start_and_names_its_file() {
    let Pair { ridge, linear } = pair();
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.wasm");
    std::fs::write(&bad, "nonsense").unwrap();
    let toml = format!(
        "[[deployments]]\nid = \"good\"\nmodel = {:?}\n[[deployments]]\nid = \"bad\"\nmodel = {bad:?}\n",
        ridge.file
    );
    let outbox = folder.path().join("outbox");
    Serve::settled(&toml, &outbox).refused().failed(65, &["bad.wasm", "not a WebAssembly file"]);
    let toml = format!("[[deployments]]\nid = \"not/good\"\nmodel = {:?}\n", ridge.file);
    Serve::settled(&toml, &outbox).refused().failed(64, &["not/good", "without `/`"]);
    // Its own limit, which the good one does not have.
    let toml = format!(
        "[[deployments]]\nid = \"good\"\nmodel = {:?}\n[[deployments]]\nid = \"small\"\nmodel = {:?}\n\
         [deployments.limits]\ndeclared_bytes_max = 65536\n",
        ridge.file, linear.file
    );
    let words = ["linear.wasm", "declares", "65536"];
    Serve::settled(&toml, &outbox).refused().failed(65, &words);
}

#[test]
fn a_folder_is_followed_and_no_request_is_lost_in_a_swap() {
    let Pair { ridge, linear } = pair();
    let folder = tempfile::tempdir().unwrap();
    let (models, spool) = (folder.path().join("models"), folder.path().join("spool"));
    std::fs::create_dir(&models).unwrap();
    let file = models.join("diabetes.wasm");
    std::fs::copy(&ridge.file, &file).unwrap();
    let gateway = Serve::folder(&models, folder.path()).durable().to_files(&spool).start();
    assert_eq!(digest(&gateway, "diabetes").as_deref(), Some(&*ridge.digest));

    let witness = Witness::start(gateway.port(), "/predict", README_ROW, 4, "swap");
    for model in [linear, ridge, linear] {
        witness.wait_for_more(50);
        put(&model.file, &file);
        wait_for(&gateway, "diabetes", Some(&model.digest));
    }
    witness.wait_for_more(50);
    // Copied in place, slowly: half a file is no package, and what serves goes on.
    let bytes = std::fs::read(&ridge.file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    wait_until("a word about half a file", || gateway.log().contains("no package").then_some(()));
    assert_eq!(digest(&gateway, "diabetes").as_deref(), Some(&*linear.digest));
    std::fs::write(&file, &bytes).unwrap();
    wait_for(&gateway, "diabetes", Some(&ridge.digest));
    witness.wait_for_more(50);
    let told = witness.finish();
    let count = told.answers.len();
    wait_until("all records", || {
        let seen: usize = spooled(&spool).iter().map(|record| record.associations().len()).sum();
        (seen >= count).then_some(())
    });
    let models_say = [(&*ridge.digest, ridge.says), (&*linear.digest, linear.says)];
    told.agree(&models_say, &spooled(&spool));
    // One swap a change: the first model, three renames and one copy.
    assert_eq!(gateway.log().matches("action=\"deploy\"").count(), 5, "{}", gateway.log());

    // Another file is another deployment, and a file that goes takes its deployment with it.
    put(&linear.file, &models.join("second.wasm"));
    wait_for(&gateway, "second", Some(&linear.digest));
    std::fs::remove_file(models.join("second.wasm")).unwrap();
    wait_for(&gateway, "second", None);
    assert_eq!(gateway.predict(README_ROW).status, 200);
}

#[test]
fn a_package_that_breaks_on_live_rows_is_taken_back_and_no_caller_notices() {
    let folder = tempfile::tempdir().unwrap();
    let (models, spool) = (folder.path().join("models"), folder.path().join("spool"));
    std::fs::create_dir(&models).unwrap();
    let good = Known::line(folder.path(), 2);
    let row = marked_row();

    let file = models.join("line.wasm");
    put(&good.file, &file);
    // A model that runs into its deadline is late, and costs each caller that time.
    let settings = "[engine]\ncall_time_max = 40\n";
    let serve = || Serve::folder(&models, folder.path()).settings(settings).to_files(&spool);
    let mut gateway = serve().durable().start();
    let bad: Vec<_> = ["unreachable", "endless-loop", "memory-bomb"]
        .map(|name| hostile().into_iter().find(|one| one.name == name).unwrap())
        .into();
    let mut seen = 0;
    for package in &bad {
        let witness = Witness::start(gateway.port(), "/predict", &row, 4, package.name);
        witness.wait_for_more(20);
        let half = models.join("half");
        std::fs::write(&half, &package.package).unwrap();
        std::fs::rename(&half, &file).unwrap();
        wait_until("an automatic rollback", || {
            gateway.log().contains("action=\"automatic-rollback\"").then_some(())
        });
        witness.wait_for_more(20);
        assert_eq!(digest(&gateway, "line").as_deref(), Some(&*good.digest));
        let told = witness.finish();
        seen += told.answers.len();
        wait_until("all records", || {
            let all: usize = spooled(&spool).iter().map(|it| it.associations().len()).sum();
            (all >= seen).then_some(())
        });
        told.agree(&[(&good.digest, good.says)], &spooled(&spool));
        // The bad file is still there, and a restart does not try it again.
        drop(gateway);
        gateway = serve().durable().start();
        assert_eq!(digest(&gateway, "line").as_deref(), Some(&*good.digest));
    }
}

#[test]
fn a_folder_may_be_empty_at_first() {
    let Pair { ridge, .. } = pair();
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let gateway = Serve::folder(&models, folder.path()).spawn();
    gateway.wait_for_readiness(503, "no deployment has a model");
    assert_eq!(gateway.predict(README_ROW).status, 404);
    // A name that can be no id is said, and changes nothing.
    put(&ridge.file, &models.join("not a name.wasm"));
    wait_until("a refusal", || gateway.log().contains("file must be 1 to 128").then_some(()));
    put(&ridge.file, &models.join("diabetes.wasm"));
    gateway.wait_for_readiness(200, &ridge.digest);
    assert_eq!(gateway.predict(README_ROW).predictions(), [ridge.says]);
}

/// How far a change has come when the gateway is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Asked,
    Stored,
    Written,
    Serving,
}

impl Moment {
    const ALL: [Self; 4] = [Self::Asked, Self::Stored, Self::Written, Self::Serving];

    /// Waits until the change to this package has come so far, as closely as a process beside it can see it.
    fn wait(self, state: &Path, gateway: &Gateway, digest: &str) {
        let package = format!("packages/{}.wasm", digest.trim_start_matches("sha256:"));
        let written =
            || std::fs::read_to_string(state.join("deployments.json")).unwrap_or_default();
        let started = Instant::now();
        loop {
            let is = match self {
                Self::Asked => true,
                Self::Stored => state.join(&package).exists(),
                Self::Written => written().contains(digest),
                Self::Serving => gateway.get("/readyz").body.contains(digest),
            };
            if is {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain for {self:?}");
            std::thread::yield_now();
        }
    }
}

/// Packages that give the same number and are not the same.
fn versions(folder: &Path, count: usize) -> Vec<Known> {
    let train = |version: usize| {
        let package = folder.join(format!("version-{version}.wasm"));
        Outpost::train(&package, "ridge", &["--model-version", &version.to_string()]);
        Known::by(package, README_ROW)
    };
    (0..count).map(train).collect()
}

#[test]
fn a_gateway_killed_in_the_middle_of_a_swap_comes_back_with_the_old_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let (models, state) = (folder.path().join("models"), folder.path().join("state"));
    std::fs::create_dir(&models).unwrap();
    let file = models.join("diabetes.wasm");
    let packages = versions(folder.path(), 1 + 2 * Moment::ALL.len());
    put(&packages[0].file, &file);
    let moments = Moment::ALL.iter().cycle();
    for ([old, new], moment) in packages.array_windows().zip(moments) {
        let gateway = Serve::folder(&models, folder.path()).start();
        assert_eq!(digest(&gateway, "diabetes").as_deref(), Some(&*old.digest), "{moment:?}");
        put(&new.file, &file);
        moment.wait(&state, &gateway, &new.digest);
        gateway.kill();
        // The file is the newer decision, so it is the new one that comes back (above, in the next round). What the state
        // knows by itself is the old one or the new one.
        let text = std::fs::read_to_string(state.join("deployments.json")).unwrap();
        assert!(text.contains(&old.digest) || text.contains(&new.digest), "{moment:?}: {text}");
    }
}

#[test]
fn a_newer_version_may_follow_and_an_older_one_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let train = |version: &str, algorithm: &str| {
        let package = folder.path().join(format!("v{version}.wasm"));
        Outpost::train(&package, algorithm, &["--model-version", version]);
        package
    };
    let (first, second) = (train("9", "ridge"), train("10", "linear"));
    let models = folder.path().join("models");
    std::fs::create_dir(&models).unwrap();
    let file = models.join("diabetes.wasm");
    put(&first, &file);
    let serve = || {
        let signing = "[signing]\nonly_newer = true\n";
        Serve::folder(&models, folder.path()).settings(signing)
    };
    let gateway = serve().start();
    let old = digest(&gateway, "diabetes");
    put(&second, &file);
    wait_until("version 10", || (digest(&gateway, "diabetes") != old).then_some(()));
    let new = digest(&gateway, "diabetes");
    put(&first, &file);
    wait_until("a refusal", || gateway.log().contains("older than").then_some(()));
    assert_eq!(digest(&gateway, "diabetes"), new);
    drop(gateway);
    // A restart forgets nothing: the old file is still refused, and what served serves.
    let gateway = serve().start();
    assert_eq!(digest(&gateway, "diabetes"), new);
    wait_until("a refusal", || gateway.log().contains("older than").then_some(()));
}

/// A gateway that serves ridge as `diabetes` and keeps all that it has in one folder, through kills and restarts.
struct Kept {
    folder: tempfile::TempDir,
}

impl Kept {
    fn start(&self) -> Gateway {
        let place = self.folder.path();
        let state = place.join("state");
        let settings = format!("[fleet]\nstate = {state:?}\n");
        Serve::ridge(&place.join("outbox"))
            .settings(&settings)
            .with(&["--admin", &self.admin()])
            .start()
    }

    fn admin(&self) -> String {
        format!("unix:{}", self.folder.path().join("admin.sock").display())
    }

    fn operate(&self, words: &[&str]) -> Run {
        Outpost::run(&[words, &["--admin", &self.admin()]].concat())
    }

    fn status(&self) -> serde_json::Value {
        let told = self.operate(&["status", "--json"]).succeeded();
        serde_json::from_str(&told.out).unwrap()
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_operators_have_decided_survives_a_kill() {
    let Pair { ridge, linear } = pair();
    let kept = Kept { folder: tempfile::tempdir().unwrap() };
    let gateway = kept.start();
    let file = path(&linear.file);
    for words in [
        &["deploy", "diabetes", file][..],
        &["rollback", "diabetes"],
        &["deploy", "diabetes", file, "--canary", "5%"],
        &["challenger", "add", "diabetes", file, "--name", "other"],
        &["deploy", "second", file],
        &["default", "second"],
    ] {
        kept.operate(words).succeeded();
    }
    let said = |status: &serde_json::Value| {
        let all = status["deployments"].as_array().unwrap();
        let one = |one: &serde_json::Value| {
            let digest = |place: &serde_json::Value| place["digest"].as_str().map(str::to_owned);
            let challengers = one["challengers"].as_array().unwrap();
            (
                one["id"].as_str().unwrap().to_owned(),
                digest(&one["champion"]),
                digest(&one["canary"]["package"]),
                one["canary"]["share"].as_f64(),
                challengers.iter().map(|it| digest(&it["package"])).collect::<Vec<_>>(),
                one["history"].clone(),
            )
        };
        (all.iter().map(one).collect::<Vec<_>>(), status["defaultDeployment"].clone())
    };
    let before = said(&kept.status());
    assert_eq!(before.0[0].1.as_deref(), Some(&*ridge.digest));
    gateway.kill();
    let gateway = kept.start();
    assert_eq!(said(&kept.status()), before);
    assert_eq!(gateway.predict(README_ROW).predictions(), [linear.says]);
    // What was kept can be gone back to and promoted, without its file.
    kept.operate(&["promote", "diabetes", "--challenger", "other"]).succeeded();
    gateway.kill();
    let _gateway = kept.start();
    kept.operate(&["rollback", "diabetes"]).succeeded();
    assert_eq!(said(&kept.status()).0[0].1.as_deref(), Some(&*ridge.digest));
}

#[test]
fn a_kill_in_the_middle_of_a_change_leaves_what_was_or_what_was_wanted() {
    let kept = Kept { folder: tempfile::tempdir().unwrap() };
    let state = kept.folder.path().join("state");
    let mut serving = pair().ridge.digest.clone();
    // Another version each time, so that its package is stored in that round and in none before.
    let packages = versions(kept.folder.path(), 1 + 3 * Moment::ALL.len());
    for (wanted, moment) in packages[1..].iter().zip(Moment::ALL.iter().cycle()) {
        let gateway = kept.start();
        let change = Outpost::command(&["deploy", "diabetes", path(&wanted.file)])
            .env("OUTPOST_ADMIN", kept.admin())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        let mut change = change.unwrap();
        moment.wait(&state, &gateway, &wanted.digest);
        gateway.kill();
        change.wait().unwrap();

        let gateway = kept.start();
        let found = digest(&gateway, "diabetes").unwrap();
        assert!(found == serving || found == wanted.digest, "{moment:?}: {found}");
        // What was written, and all the more what served, is there.
        if matches!(moment, Moment::Written | Moment::Serving) {
            assert_eq!(found, wanted.digest, "{moment:?}");
        }
        assert_eq!(gateway.predict(README_ROW).predictions(), [wanted.says], "{moment:?}");
        gateway.kill();
        serving = found;
    }
}

#[test]
fn a_package_that_is_gone_from_the_state_leaves_its_deployment_with_the_version_before() {
    let Pair { linear, .. } = pair();
    let kept = Kept { folder: tempfile::tempdir().unwrap() };
    let gateway = kept.start();
    kept.operate(&["deploy", "second", path(Outpost::ridge())]).succeeded();
    kept.operate(&["deploy", "second", path(&linear.file)]).succeeded();
    gateway.kill();
    let stored = |digest: &str| -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        kept.folder.path().join(format!("state/packages/{hex}.wasm"))
    };
    std::fs::write(stored(&linear.digest), "damaged").unwrap();
    let gateway = kept.start();
    assert_eq!(digest(&gateway, "second").as_deref(), Some(&*pair().ridge.digest));
    assert!(gateway.log().contains("not restarted"), "{}", gateway.log());
    gateway.kill();
    // Without any package the others go on, and it says why it does not.
    std::fs::write(stored(&pair().ridge.digest), "damaged").unwrap();
    let gateway = kept.start();
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let mut client = gateway.client();
    let answer = client.send("POST", "/deployments/second/predict", &form, README_ROW).unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("no-model"), "{}", answer.body);
    assert_eq!(gateway.predict(README_ROW).status, 200);
    gateway.wait_for_readiness(200, "deployment second: it has no model");
}
