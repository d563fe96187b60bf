//! `outpost check` and `outpost seal` on what people give them.

use std::path::Path;

use tests::{Outpost, parts};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_package_of_our_own_keeps_to_the_contract() {
    let checked = Outpost::run(&["check", path(Outpost::ridge())]).succeeded();
    for line in ["ok    imports          none\n", "ok    golden rows", "keeps to the contract"] {
        assert!(checked.out.contains(line), "{line}: {}", checked.out);
    }
    assert!(!checked.out.contains("FAIL"), "{}", checked.out);
}

#[test]
fn the_report_is_there_as_json() {
    let checked = Outpost::run(&["check", path(Outpost::ridge()), "--json"]).succeeded();
    let report: serde_json::Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!(report["passed"], true);
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 19);
    assert!(findings.iter().all(|finding| finding["verdict"] != "fail"), "{}", checked.out);
    assert!(report["figures"]["start_seconds"].as_f64().unwrap() > 0.0);
    assert!(report["figures"]["memory_bytes"].as_u64().unwrap() > 65536);
}

#[test]
fn what_is_no_component_fails_with_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.wasm");
    // Words, a module without a component type, and a package with a byte changed in its code.
    std::fs::write(&file, "model").unwrap();
    let words = Outpost::run(&["check", path(&file)]);
    assert_eq!(words.code, Some(65));
    assert!(words.out.contains("FAIL  component"), "{}", words.out);
    assert!(words.out.contains("not a WebAssembly file"), "{}", words.out);

    std::fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let module = Outpost::run(&["check", path(&file), "--json"]);
    assert_eq!(module.code, Some(65));
    let report: serde_json::Value = serde_json::from_str(&module.out).unwrap();
    assert_eq!(report["passed"], false);
    assert!(module.out.contains("component type"), "{}", module.out);
    let sealed = Outpost::run(&["seal", path(&file), "-o", path(&folder.path().join("y.wasm"))]);
    sealed.failed(65, &["x.wasm", "component type"]);
}

#[test]
fn rows_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.csv");
    std::fs::write(&rows, "age,bmi\n30,fat\n").unwrap();
    let checked = Outpost::run(&["check", path(Outpost::ridge()), "--rows", path(&rows)]);
    assert_eq!(checked.code, Some(65));
    assert!(checked.out.contains("FAIL  rows"), "{}", checked.out);
    assert!(checked.out.contains("line 2") && checked.out.contains("bmi"), "{}", checked.out);

    let Some(component) = parts::custom("c") else { return };
    let package = folder.path().join("package.wasm");
    let seal = |more: &[&str]| {
        let seal = ["seal", path(&component), "-o", path(&package)];
        Outpost::run(&[&seal, more].concat())
    };
    seal(&["--rows", path(&rows)]).failed(65, &["rows.csv", "line 2", "bmi"]);
    std::fs::write(&rows, "age,bmi\n30,23\n").unwrap();
    seal(&["--rows", path(&rows)]).failed(65, &["rows.csv", "line 2", "sex: a value is missing"]);
    seal(&["--name", "Not A Name"]).failed(64, &["--name", "lower-case"]);
    seal(&["--name", "x", "--manifest", path(&rows)]).failed(64, &["cannot be used with"]);
    seal(&["--manifest", path(&rows)]).failed(65, &["rows.csv", "manifest"]);
    assert!(!package.exists());
}

#[test]
fn what_a_package_wrote_before_it_broke_is_told() {
    let Some(component) = parts::custom("nothing") else { return };
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.csv");
    std::fs::write(&rows, "attempt,with\n104,7\n").unwrap();
    let checked = Outpost::run(&["check", path(&component), "--rows", path(&rows)]);
    assert_eq!(checked.code, Some(65));
    assert!(checked.out.contains("FAIL  rows"), "{}", checked.out);
    assert!(
        checked.out.contains("it wrote:") && checked.out.contains("the row says 7"),
        "{}",
        checked.out
    );
}

/// A manifest that somebody wrote holds as it is, and is proven: here the one that another sealing made.
#[test]
fn a_manifest_can_be_given_and_is_proven() {
    let Some(component) = parts::custom("c") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (first, second, manifest) = (file("1.wasm"), file("2.wasm"), file("manifest.json"));
    let data = tests::diabetes();
    let seal = ["seal", path(&component), "--rows", path(&data), "-o", path(&first)];
    Outpost::run(&[&seal[..], &["--name", "c", "--model-version", "7"]].concat()).succeeded();
    let shown = Outpost::run(&["inspect", path(&first), "--json"]).succeeded();
    let mut json: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(json["manifest"]["version"], "7");
    assert_eq!(
        json["manifest"]["baseline"]["target"]["numeric"]["counts"].as_array().unwrap().len(),
        10
    );
    let write =
        |json: &serde_json::Value| std::fs::write(&manifest, json["manifest"].to_string()).unwrap();
    write(&json);
    let seal = ["seal", path(&component), "--manifest", path(&manifest), "-o", path(&second)];
    Outpost::run(&seal).succeeded();
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());

    let again = ["seal", path(&first), "-o", path(&second)];
    Outpost::run(&again).failed(65, &["1.wasm", "has a manifest already"]);
    json["manifest"]["golden"][3]["prediction"] = 1.0.into();
    write(&json);
    Outpost::run(&seal).failed(65, &["golden row 3"]);
    json["manifest"]["target"] = "Z".into();
    write(&json);
    Outpost::run(&seal).failed(65, &["target is Y in the code and Z in the manifest"]);
}
