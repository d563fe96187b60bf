use std::collections::BTreeMap;

use super::*;
use crate::{
    Feature, Missing, Unknown,
    manifest::{Baseline, Golden, Provenance},
};

fn manifest() -> Manifest {
    let numbers = Distribution::of_numbers(&[1.0, 2.0]);
    let levels = vec!["a".to_owned(), "b".to_owned()];
    Manifest {
        format: MANIFEST_FORMAT,
        name: "diabetes-2.ridge".into(),
        version: "1".into(),
        prediction_type: "regression".into(),
        target: "Y".into(),
        features: vec![
            Feature {
                name: "x".into(),
                kind: Kind::Numeric,
                missing: Missing::Keep,
                unknown: Unknown::Refuse,
            },
            Feature {
                name: "c".into(),
                kind: Kind::Categorical(levels.clone()),
                missing: Missing::Replace(1.0),
                unknown: Unknown::Other,
            },
        ],
        baseline: Baseline {
            rows: 2,
            features: vec![numbers.clone(), Distribution::of_codes(&[0.0, 1.0], &levels)],
            target: numbers.clone(),
            predictions: numbers,
            importance: vec![1.0, 0.25],
        },
        metrics: BTreeMap::from([("cv_r2".into(), 0.1)]),
        golden: vec![Golden { row: vec![Some(0.1 + 0.2), None], prediction: 1.0 / 3.0 }],
        provenance: Provenance {
            source: "csv".into(),
            data_sha256: "00".into(),
            data_rows: 2,
            algorithm: "ridge".into(),
            parameters: BTreeMap::new(),
            seed: u64::MAX,
            tools: BTreeMap::new(),
        },
    }
}

/// The field that is named when a manifest is changed.
fn wrong(change: impl FnOnce(&mut Manifest)) -> String {
    let mut manifest = manifest();
    change(&mut manifest);
    match manifest.validate().expect_err("a broken rule") {
        ManifestError::Invalid { field, .. } => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_manifest_survives_its_json_to_the_last_bit() {
    assert_eq!(
        Manifest::from_json(&manifest().to_json()).expect("what was written can be read"),
        manifest()
    );
}

#[test]
fn unknown_keys_are_ignored_and_newer_formats_told_apart() {
    let text = String::from_utf8(manifest().to_json()).expect("JSON is text");
    let more = text.replacen('{', "{\"colour\": \"blue\",", 1);
    assert_eq!(
        Manifest::from_json(more.as_bytes()).expect("an unknown key is no error"),
        manifest()
    );
    // A newer format may have changed anything else.
    assert!(matches!(
        Manifest::from_json(b"{\"format\": 2}"),
        Err(ManifestError::Newer { found: 2 })
    ));
    assert!(matches!(Manifest::from_json(b"{\"format\": 1}"), Err(ManifestError::Json(_))));
    assert!(matches!(Manifest::from_json(b"{"), Err(ManifestError::Json(_))));
}

#[test]
fn every_rule_names_its_field() {
    assert_eq!(wrong(|m| m.format = 0), "format");
    for bad in ["", "Diabetes", "-x", "a b", "ä", &"x".repeat(NAME_BYTES_MAX + 1)] {
        assert_eq!(wrong(|m| m.name = bad.into()), "name", "{bad}");
    }
    assert!(name(&"x".repeat(NAME_BYTES_MAX)).is_ok());
    for bad in ["", "1 2", &"1".repeat(VERSION_BYTES_MAX + 1)] {
        assert_eq!(wrong(|m| m.version = bad.into()), "version", "{bad}");
    }
    assert!(version(&"1".repeat(VERSION_BYTES_MAX)).is_ok());
    assert_eq!(wrong(|m| m.prediction_type = "binary".into()), "prediction_type");
    assert_eq!(wrong(|m| m.target.clear()), "target");
    assert_eq!(wrong(|m| m.baseline.importance.truncate(1)), "baseline.importance");
    for bad in [-0.1, 1.1, f64::NAN] {
        assert_eq!(wrong(|m| m.baseline.importance[1] = bad), "baseline.importance[1]");
    }
    assert_eq!(wrong(|m| m.features.clear()), "features[0]");
    assert_eq!(wrong(|m| m.features[1].name = "x".into()), "features[1]");
    assert_eq!(
        wrong(|m| {
            m.baseline.features.pop();
        }),
        "baseline.features"
    );
    assert_eq!(wrong(|m| m.baseline.features.swap(0, 1)), "baseline.features[0]");
    assert_eq!(
        wrong(|m| {
            m.metrics.insert("r".into(), f64::NAN);
        }),
        "metrics.r"
    );
    assert_eq!(
        wrong(|m| {
            m.golden[0].row.pop();
        }),
        "golden[0].row"
    );
    assert_eq!(wrong(|m| m.golden[0].row[0] = Some(f64::INFINITY)), "golden[0].row");
    assert_eq!(wrong(|m| m.golden[0].row[1] = Some(2.0)), "golden[0].row");
    assert_eq!(wrong(|m| m.golden[0].prediction = f64::NAN), "golden[0].prediction");
}
