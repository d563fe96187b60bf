//! What a gateway knows of people, and what of it stays behind.

use std::os::unix::fs::PermissionsExt as _;
use tests::{Outpost, README_ROW, Serve};

/// Values that nothing but the row itself holds.
const AGE: &str = "31.415926535";
const BMI: &str = "27.182818284";
const VISIT: &str = "canary-visit";
const WRONG: &str = "canary-value";

fn row() -> String {
    README_ROW.replace("age=30", &format!("age={AGE}")).replace("bmi=23", &format!("bmi={BMI}"))
        + &format!("&associationId={VISIT}")
}

fn config(folder: &std::path::Path, privacy: &str) -> String {
    let key = folder.join("privacy.key");
    std::fs::write(&key, "canary-key-0123456789\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let file = folder.join("gateway.toml");
    let text = format!(
        "[deployment]\nassociation_ids = \"hash\"\nprivacy_key_file = \"{}\"\n{privacy}",
        key.display()
    );
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn what_is_private_reaches_no_disk_and_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let spool = folder.path().join("spool");
    let rules = "[[deployment.privacy]]\nfeature = \"age\"\naction = \"bucket\"\nwidth = 10\n\
                 [[deployment.privacy]]\nfeature = \"bmi\"\naction = \"hash\"\n\
                 [[deployment.privacy]]\nfeature = \"s6\"\naction = \"drop\"\n";
    let config = config(folder.path(), rules);
    let plain = Serve::ridge(&folder.path().join("plain")).start();
    let serve = Serve::ridge(&outbox).durable().to_files(&spool);
    let gateway = serve.with(&["--config", &config, "--log", "trace"]).start();

    let answer = gateway.predict(&row());
    assert_eq!(answer.predictions(), plain.predict(&row()).predictions());
    assert!(answer.body.contains(VISIT), "{}", answer.body);
    assert_eq!(gateway.get(&format!("/predict?{}", row())).status, 200);
    assert_eq!(gateway.predict(&format!("age={WRONG}")).status, 400);
    assert_eq!(gateway.predict(&format!("{WRONG}=1")).status, 400);

    let records = super::files::records(&spool, 6);
    let data = &records.iter().find(|record| record.is("PREDICTIONS_DATA")).unwrap().data;
    assert_eq!(data["features"]["age"][0], "[30,40)");
    assert_eq!(data["features"]["bmi"][0].as_str().unwrap().len(), 32);
    assert_eq!(data["features"].get("s6"), None);
    assert_eq!(data["features"]["s5"][0], 3.0);
    assert_eq!(data["associationIds"][0].as_str().unwrap().len(), 32);

    let log = gateway.log();
    assert!(log.contains("Serving"), "the log has nothing to look through");
    let metrics = gateway.get("/metrics").body;
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    let mut everything = vec![("the log", log.into_bytes()), ("/metrics", metrics.into_bytes())];
    for dir in [&outbox, &spool] {
        for entry in std::fs::read_dir(dir).unwrap() {
            everything.push(("a file", std::fs::read(entry.unwrap().path()).unwrap()));
        }
    }
    let numbers = [AGE, BMI].map(|text| text.parse::<f64>().unwrap().to_le_bytes());
    let texts = [AGE, BMI, VISIT, WRONG, "canary-key"].map(str::as_bytes);
    for (place, bytes) in &everything {
        for canary in texts.iter().copied().chain(numbers.iter().map(|number| &number[..])) {
            let found = bytes.windows(canary.len()).any(|window| window == canary);
            assert!(!found, "{} is in {place}", String::from_utf8_lossy(canary));
        }
    }
}

#[test]
fn a_feature_that_there_is_none_of_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        config(folder.path(), "[[deployment.privacy]]\nfeature = \"aeg\"\naction = \"drop\"\n");
    let model = Outpost::ridge().to_str().unwrap();
    let outbox = folder.path().join("outbox");
    let arguments =
        ["serve", "--model", model, "--config", &config, "--outbox", outbox.to_str().unwrap()];
    Outpost::run(&arguments).failed(64, &["\"aeg\"", "age, sex, bmi"]);
}
