//! The image and the compose file: what is in them, and that the program in the image works as a container's runtime runs it.

use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::{Outpost, README_ROW, Run, Serve, parts, python, root, spooled, wait_until};

/// The user of the image.
const USER: u32 = 65532;

/// The unpacked image, built from the Dockerfile around the binary of these tests.
struct Image {
    folder: tempfile::TempDir,
}

impl Image {
    /// None when the story has to be skipped.
    fn build() -> Option<Self> {
        if !parts::root("the root folder of an image") || !parts::program("buildah") {
            return None;
        }
        let folder = tempfile::tempdir_in(root().join("target")).unwrap();
        let mut script = Command::new(root().join("tests/setup/image.sh"));
        let built = script.arg(Outpost::path()).arg(folder.path()).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let image = Self { folder };
        std::fs::create_dir(image.data()).unwrap();
        std::fs::write(image.data().join("hosts"), "127.0.0.1 localhost gateway\n").unwrap();
        chown(image.data(), Some(USER), Some(USER)).unwrap();
        Some(image)
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// What is mounted at `/data`.
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn config(&self) -> Value {
        let text = std::fs::read(self.folder.path().join("config.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()["OCIv1"]["config"].take()
    }

    /// What goes before a command line so that it runs in the image.
    fn words(&self) -> [String; 3] {
        let script = root().join("tests/setup/contained.sh");
        [script, self.root(), self.data()].map(|path| path.to_str().unwrap().to_owned())
    }

    /// Runs the program of the image to its end.
    fn run(&self, arguments: &[&str]) -> Run {
        let [script, words @ ..] = self.words();
        let mut command = Command::new(script);
        Run::of(command.args(words).arg("outpost").args(arguments).output().unwrap())
    }
}

/// Every file below a folder, with its mode.
fn files(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = path.symlink_metadata().unwrap();
        if about.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path, about.permissions().mode()));
        }
    }
    found
}

#[test]
fn the_image_holds_the_program_and_no_other_and_serves_from_a_root_that_is_read_only() {
    let Some(image) = Image::build() else { return };
    let config = image.config();
    assert_eq!(config["User"], format!("{USER}:{USER}"), "{config}");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/outpost"]), "{config}");
    assert!(config["ExposedPorts"]["9091/tcp"].is_object(), "{config}");
    for (path, mode) in files(&image.root()) {
        let name = path.strip_prefix(image.root()).unwrap().to_str().unwrap();
        let library = name.starts_with("lib") && name.contains(".so");
        assert!(name == "outpost" || library || mode & 0o111 == 0, "{name} can be run");
        assert!(
            mode & 0o7022 == 0,
            "{name} can be changed, or makes its user another one: {mode:o}"
        );
    }
    let version = image.run(&["--version"]).succeeded().out;
    assert!(version.starts_with("outpost "), "{version}");

    std::fs::copy(Outpost::ridge(), image.data().join("diabetes.wasm")).unwrap();
    let words = image.words();
    let gateway = Serve::package(Path::new("/data/diabetes.wasm"), Path::new("/data/outbox"))
        .to_files(Path::new("/data/spool"))
        .under(&words.each_ref().map(String::as_str))
        .start();
    let answer = gateway.predict(&format!("{README_ROW}&associationId=row-1"));
    let number = answer.predictions()[0];
    assert!((number / super::readme::documented_number() - 1.0).abs() < 1e-6, "{answer:?}");
    assert_eq!(gateway.tell("associationId=row-1&actualValue=151").json()["accepted"], 1);
    wait_until("records in the volume", || {
        let records = spooled(&image.data().join("spool"));
        records.iter().any(|record| record.is("ACTUALS_DATA")).then_some(())
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let own = format!("Uid:\t{USER}\t{USER}\t{USER}\t{USER}\n");
    assert!(status.contains(&own), "{status}");

    // The health check of the compose file, which finds a service by its name.
    let port = gateway.port();
    let at = |path: &str| format!("http://gateway:{port}{path}");
    image.run(&["health", &at("/healthz")]).succeeded();
    image.run(&["health", &at("/nothing")]).failed(69, &["404"]);
    image.run(&["health", "https://gateway/"]).failed(64, &["http://HOST:PORT/PATH"]);
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    image.run(&["health", &at("/healthz")]).failed(69, &["good health", "refused"]);

    // Nothing else can be written.
    let serve = ["serve", "--model", "/data/diabetes.wasm", "--listen", "127.0.0.1:0"];
    let refused = image.run(&[&serve[..], &["--outbox", "/outbox"]].concat());
    refused.failed(69, &["Read-only file system"]);
}

/// Each command line runs in this program up to where it shows its help, so every argument of it is understood.
#[test]
fn every_command_of_the_compose_file_is_understood() {
    let Some(compose) = python::compose(&root().join("compose.yaml"), "kafka") else { return };
    for name in ["gateway", "agent", "mlops"] {
        let command = compose["services"][name]["command"].as_array().unwrap();
        let words = command.iter().map(|word| word.as_str().unwrap()).chain(["--help"]);
        Outpost::run(&words.collect::<Vec<_>>()).succeeded();
    }
}

#[test]
fn the_compose_file_starts_what_there_is_and_names_what_it_starts() {
    let file = root().join("compose.yaml");
    for broker in ["kafka", "rabbitmq"] {
        let Some(compose) = python::compose(&file, broker) else { return };
        let services = compose["services"].as_object().unwrap();
        let names: BTreeSet<&str> = services.keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["agent", broker, "gateway", "mlops"]));
        assert_eq!(services["gateway"]["ports"], serde_json::json!(["80:9091"]));
        for name in ["gateway", "agent", "mlops"] {
            let service = &services[name];
            assert_eq!(
                (&service["image"], &service["read_only"]),
                (&"outpost".into(), &true.into())
            );
            assert_eq!(service["healthcheck"]["test"][1], "/outpost", "{service}");
            assert_eq!(service["healthcheck"]["test"][2], "health", "{service}");
        }
        for (name, service) in services {
            let volumes = service["volumes"].as_array().unwrap().iter();
            for volume in volumes.map(|it| it.as_str().unwrap()) {
                let (from, to) = volume.split_once(':').unwrap();
                if !from.starts_with('.') {
                    assert!(compose["volumes"].get(from).is_some(), "{volume}");
                } else if from != "./packages" {
                    assert!(root().join(from).is_file(), "{volume} of {name}");
                }
                assert!(to.starts_with('/'), "{volume}");
            }
            for other in service["depends_on"].as_object().into_iter().flatten() {
                let known = services.contains_key(other.0) || other.1["required"] == false;
                assert!(known, "{name} waits for {}, which is not there", other.0);
            }
        }
        // What the gateway is told of the broker is about the broker that is there, under its service's name.
        let environment = services["gateway"]["environment"].as_object().unwrap();
        assert_eq!(environment["MLOPS_SPOOLER_TYPE"], broker);
        let address = format!(
            "MLOPS_{}_{}",
            broker.to_uppercase(),
            match broker {
                "kafka" => "BOOTSTRAP_SERVERS",
                _ => "QUEUE_URL",
            }
        );
        assert!(environment[&address].as_str().unwrap().contains(&format!("{broker}:")));
        let folder = tempfile::tempdir().unwrap();
        let mut serve = Serve::ridge(&folder.path().join("outbox"));
        for (name, value) in environment {
            serve = serve.env(name, value.as_str().unwrap());
        }
        let gateway = serve.spawn();
        assert!(gateway.log().contains(&format!("spooler=\"{broker}\"")), "{}", gateway.log());
    }
}
