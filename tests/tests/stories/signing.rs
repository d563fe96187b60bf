//! Signed packages: keys, signatures, and a gateway that takes no others.

use std::path::{Path, PathBuf};
use std::process::Command;
use tests::{Outpost, README_ROW, Serve};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A key pair and a package of its own.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        Outpost::run(&["keygen", path(&scene.file("ours"))]).succeeded();
        std::fs::copy(Outpost::ridge(), scene.file("model.wasm")).unwrap();
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sign(&self, more: &[&str]) {
        let (model, key) = (self.file("model.wasm"), self.file("ours.key"));
        let sign = [&["sign", path(&model), "--key", path(&key)], more].concat();
        Outpost::run(&sign).succeeded();
    }

    fn verify(&self) -> tests::Run {
        let (model, key) = (self.file("model.wasm"), self.file("ours.pub"));
        Outpost::run(&["verify", path(&model), "--key", path(&key)])
    }

    fn serve(&self, only_signed: bool) -> Serve {
        let key = self.file("ours.pub");
        let settings = format!("[signing]\nkeys = [{key:?}]\nonly_signed = {only_signed}");
        Serve::package(&self.file("model.wasm"), &self.file("outbox")).settings(&settings)
    }
}

#[test]
fn a_package_is_signed_verified_and_served() {
    let scene = Scene::new();
    scene.verify().failed(65, &["model.wasm", "not signed"]);
    scene.serve(true).refused().failed(65, &["model.wasm", "not signed"]);
    drop(scene.serve(false).start());

    scene.sign(&[]);
    let verified = scene.verify().succeeded();
    assert!(verified.out.contains("signed by key"), "{}", verified.out);
    let shown = Outpost::run(&["inspect", path(&scene.file("model.wasm"))]).succeeded();
    assert!(shown.out.contains("signatures  1"), "{}", shown.out);
    let gateway = scene.serve(true).start();
    assert_eq!(gateway.predict(README_ROW).status, 200);
    assert!(gateway.log().contains("signed_by"), "{}", gateway.log());
}

#[test]
fn a_changed_package_is_served_nowhere_that_knows_keys() {
    let scene = Scene::new();
    scene.sign(&[]);
    let mut bytes = std::fs::read(scene.file("model.wasm")).unwrap();
    // In the version in the manifest: a package all the same.
    let at = bytes
        .windows(12)
        .rposition(|it| it == b"\"version\": \"")
        .unwrap_or_else(|| bytes.windows(11).rposition(|it| it == b"\"version\":\"").unwrap() - 1);
    bytes[at + 12] = b'7';
    std::fs::write(scene.file("model.wasm"), bytes).unwrap();
    Outpost::run(&["inspect", path(&scene.file("model.wasm"))]).succeeded();
    for only_signed in [true, false] {
        let refused = scene.serve(only_signed).refused();
        refused.failed(65, &["model.wasm", "none of the 1 pinned keys"]);
    }
}

/// Both directions: their signature with our key, and ours with theirs.
#[test]
fn keys_and_signatures_are_those_of_openssl() {
    let scene = Scene::new();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().expect("openssl starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let model = scene.file("model.wasm");
    scene.sign(&["--detached"]);
    let signature = scene.file("model.wasm.sig");
    let public = scene.file("ours.pub");
    openssl(&[
        "pkeyutl",
        "-verify",
        "-rawin",
        "-pubin",
        "-inkey",
        path(&public),
        "-in",
        path(&model),
        "-sigfile",
        path(&signature),
    ]);
    scene.verify().succeeded();

    let (theirs, their_public) = (scene.file("theirs.key"), scene.file("theirs.pub"));
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", path(&theirs)]);
    openssl(&["pkey", "-in", path(&theirs), "-pubout", "-out", path(&their_public)]);
    openssl(&[
        "pkeyutl",
        "-sign",
        "-rawin",
        "-inkey",
        path(&theirs),
        "-in",
        path(&model),
        "-out",
        path(&signature),
    ]);
    Outpost::run(&["verify", path(&model), "--key", path(&their_public)]).succeeded();
    scene.verify().failed(65, &["none of the 1 pinned keys"]);
}

#[test]
fn keys_are_kept_from_being_lost_shown_or_mixed_up() {
    let scene = Scene::new();
    let name = scene.file("ours");
    Outpost::run(&["keygen", path(&name)]).failed(64, &["ours.key exists"]);
    let (model, secret, public) =
        (scene.file("model.wasm"), scene.file("ours.key"), scene.file("ours.pub"));
    let sign = |key: &Path| Outpost::run(&["sign", path(&model), "--key", path(key)]);
    sign(&scene.file("missing.key")).failed(74, &["missing.key"]);
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(&public, mode(0o600)).unwrap();
    sign(&public).failed(65, &["ours.pub", "no Ed25519 private key"]);
    std::fs::set_permissions(&secret, mode(0o640)).unwrap();
    sign(&secret).failed(65, &["ours.key", "chmod 600"]);
    let verify = ["verify", path(&model), "--key", path(&secret)];
    Outpost::run(&verify).failed(65, &["ours.key", "no Ed25519 public key"]);
    let only =
        Serve::package(&model, &scene.file("outbox")).settings("[signing]\nonly_signed = true");
    only.refused().failed(64, &["signing.only_signed", "signing.keys"]);
}
