//! The status page in a real browser, as a person sees it.

use super::two_models::pair;
use std::path::Path;
use tests::{Operated, Outpost, README_ROW, parts, python, token, wait_until};

/// What a browser must show, and never run.
const MARKUP: &str = "<img src=x onerror=alert(1)>";

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_page_shows_everything_at_every_width_and_runs_nothing_that_it_shows() {
    if !parts::program("chromium-headless-shell") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let odd = place.path().join("odd.wasm");
    Outpost::train(&odd, "lasso", &["--model-version", "7"]);
    let toml = format!("[[deployments]]\nid = \"ward-3\"\nname = {MARKUP:?}\nmodel = {odd:?}\n");
    let spool = place.path().join("spool");
    let operated = Operated::on_port(|serve| serve.settings(&toml).to_files(&spool));
    let linear = path(&pair().linear.file);
    let run = |words: &[&str]| operated.run_as("admin", words);
    run(&["deploy", "diabetes", linear, "--canary", "25%"]).succeeded();
    run(&["challenger", "add", "diabetes", path(&odd), "--name", "seven"]).succeeded();
    run(&["drain", "ward-3"]).succeeded();
    run(&["rollback", MARKUP]).failed(64, &["no deployment"]);
    wait_until("a comparison", || {
        operated.gateway.predict(README_ROW);
        let status = run(&["status", "diabetes", "--json"]).succeeded().out;
        let one: serde_json::Value = serde_json::from_str(&status).unwrap();
        (one["challengers"][0]["comparison"]["rows"].as_u64() > Some(0)).then_some(())
    });

    let shots = tests::root().join("target/tmp/status-page");
    std::fs::create_dir_all(&shots).unwrap();
    let url = operated.address().to_owned() + "/";
    let Some(visits) = python::look_at(&url, &token("read"), &shots) else { return };
    assert_eq!(visits.len(), 6);
    for visit in &visits {
        let name = visit["visit"].as_str().unwrap();
        let text = visit["text"].as_str().unwrap();
        let many = name.ends_with("many");
        for part in [
            "ready",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "errors",
            "records waiting",
            "champion, 75 %",
            "canary, 25 %",
            "challenger seven",
            "against the champion on",
            "filesystem",
            "Last events",
            "rollback",
            "by admin",
            "draining",
            "healthy",
            &pair().linear.digest[7..19],
        ] {
            assert!(text.contains(part), "{part:?} on {name}: {text}");
        }
        assert!(text.contains(MARKUP), "{name}: {text}");
        let elements: Vec<&str> =
            visit["elements"].as_array().unwrap().iter().filter_map(|one| one.as_str()).collect();
        assert!(!elements.contains(&"img") && elements.contains(&"article"), "{elements:?}");
        assert_eq!(visit["complaints"], serde_json::json!([]), "{name}");
        assert_eq!(visit["overflow"], 0, "{name}");
        assert_eq!(visit["tooFaint"], serde_json::json!([]), "{name}");
        assert_eq!(visit["nameless"], serde_json::json!([]), "{name}");
        assert_eq!(visit["lockedShows"], false, "{name}");
        assert_eq!(visit["address"], *url, "no token is in the address");
        let urls = visit["urls"].as_array().unwrap();
        let mine = |one: &serde_json::Value| one.as_str().is_some_and(|one| one.starts_with(&url));
        assert!(urls.len() >= 2 && urls.iter().all(mine), "{urls:?}");
        assert_eq!(visit["cards"], if many { 100 } else { 2 });
        assert_eq!(visit["filtered"], if many { 10 } else { 0 });
        assert_eq!(
            visit["filteredText"],
            if many { "Deployments 10 of 100" } else { "Deployments 0 of 2" }
        );
    }
}
