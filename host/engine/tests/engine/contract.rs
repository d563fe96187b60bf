//! What a package must be, and what each thing that it is not is called.

use engine::{LoadError, ScoreError};

use crate::guests::{Guest, engine, limits, manifest, row, with_manifest};

#[test]
fn the_usual_guest_scores() {
    let scorer = Guest::default().load(&engine(), limits()).unwrap();
    assert_eq!(scorer.score(row(&2.5)).unwrap(), [2.5]);
    assert_eq!(scorer.manifest(), &manifest());
}

#[test]
fn an_import_is_refused_by_name() {
    let guest = Guest {
        wit: "package test:bad; world asks { include outpost:model/scorer@0.1.0; import ask: func() -> u32; }",
        world: "test:bad/asks",
        imports: r#"(import "$root" "ask" (func (result i32)))"#,
        ..Guest::default()
    };
    let error = guest.load(&engine(), limits()).unwrap_err();
    assert!(matches!(&error, LoadError::Import(name) if name == "ask"), "{error:?}");
}

#[test]
fn a_missing_export_is_named() {
    let guest = Guest {
        wit: "package test:bad; world other { export run: func(); }",
        world: "test:bad/other",
        module: Some(r#"(module (func (export "run")))"#),
        ..Guest::default()
    };
    let error = guest.load(&engine(), limits()).unwrap_err();
    assert!(
        matches!(&error, LoadError::Export(name) if name == "outpost:model/scoring@0.1.0"),
        "{error:?}"
    );
}

#[test]
fn a_missing_function_is_named() {
    let contract = "package outpost:model@0.1.0; interface scoring { describe: func(); }
        world scorer { export scoring; }";
    let guest = Guest {
        contract: Some(contract.to_string()),
        module: Some(r#"(module (func (export "outpost:model/scoring@0.1.0#describe")))"#),
        ..Guest::default()
    };
    let error = guest.load(&engine(), limits()).unwrap_err();
    assert!(
        matches!(&error, LoadError::Export(name) if name == "outpost:model/scoring@0.1.0#score"),
        "{error:?}"
    );
}

#[test]
fn exports_of_other_types_are_refused() {
    let contract = "package outpost:model@0.1.0;
        interface scoring { describe: func(); score: func(); } world scorer { export scoring; }";
    let guest = Guest {
        contract: Some(contract.to_string()),
        module: Some(
            r#"(module (func (export "outpost:model/scoring@0.1.0#describe"))
                (func (export "outpost:model/scoring@0.1.0#score")))"#,
        ),
        ..Guest::default()
    };
    let error = guest.load(&engine(), limits()).unwrap_err();
    assert!(matches!(error, LoadError::Types(_)), "{error:?}");
}

#[test]
fn another_version_of_the_contract_is_told_apart() {
    let contract = "package outpost:model@9.0.0; interface scoring { score: func(); }
        world scorer { export scoring; }";
    let guest = Guest {
        contract: Some(contract.to_string()),
        world: "outpost:model/scorer@9.0.0",
        module: Some(r#"(module (func (export "outpost:model/scoring@9.0.0#score")))"#),
        ..Guest::default()
    };
    let error = guest.load(&engine(), limits()).unwrap_err();
    assert!(
        matches!(&error, LoadError::Contract(name) if name == "outpost:model/scoring@9.0.0"),
        "{error:?}"
    );
}

#[test]
fn features_of_webassembly_that_are_off_are_refused() {
    for fields in [
        "(memory i64 1)",
        "(memory 1)",
        "(memory 1 1 shared)",
        "(tag)",
        "(func (result i32) (return_call 0))",
        "(type (struct))",
        "(func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))",
    ] {
        // The encoder validates, so the module goes into a component by hand, and the check is the engine's.
        let text = format!("(component (core module {fields}))");
        let json = manifest().to_json();
        let package =
            engine::Package::parse(with_manifest(wat::parse_str(text).unwrap(), &json)).unwrap();
        let error = engine().load(&package, limits()).unwrap_err();
        // One memory is no crime; without another one it fails only for want of exports.
        let single = fields == "(memory 1)";
        assert_eq!(matches!(error, LoadError::Export(_)), single, "{fields}: {error:?}");
        assert_eq!(matches!(error, LoadError::Invalid(_)), !single, "{fields}: {error:?}");
    }
}

#[test]
fn two_memories_are_refused() {
    let text = "(component (core module (memory 1) (memory 1)))";
    let bytes = with_manifest(wat::parse_str(text).unwrap(), &manifest().to_json());
    let package = engine::Package::parse(bytes).unwrap();
    assert!(matches!(engine().load(&package, limits()), Err(LoadError::Invalid(_))));
}

#[test]
fn a_manifest_that_disagrees_with_the_code_is_refused() {
    let load = |change: &dyn Fn(&mut models::manifest::Manifest)| {
        let mut manifest = manifest();
        change(&mut manifest);
        let bytes = with_manifest(Guest::default().component(), &manifest.to_json());
        engine().load(&engine::Package::parse(bytes).unwrap(), limits()).unwrap_err().to_string()
    };
    assert!(load(&|m| m.target = "z".to_string()).contains("target is y in the code and z"));
    assert!(load(&|m| m.features[0].name = "w".to_string()).contains("feature is x"));
    let error = load(&|m| {
        m.features[0].kind = models::Kind::Categorical(vec!["a".to_string()]);
        m.golden.clear();
        m.baseline.features[0] = models::manifest::Distribution::Categorical {
            missing: 0,
            levels: vec![("a".to_string(), 1)],
            other: 0,
        };
    });
    assert!(error.contains("kind of feature x is numeric"), "{error}");
    let error = load(&|m| {
        m.features.push(models::Feature { name: "w".to_string(), ..m.features[0].clone() });
        m.baseline.features.push(m.baseline.features[0].clone());
        m.golden.clear();
    });
    assert!(error.contains("number of features is 1 in the code and 2"), "{error}");
}

#[test]
fn golden_rows_are_compared_bit_for_bit() {
    let mut manifest = manifest();
    let want = f64::from_bits(1.5f64.to_bits() + 1);
    manifest.golden[0].prediction = want;
    let bytes = with_manifest(Guest::default().component(), &manifest.to_json());
    let error = engine().load(&engine::Package::parse(bytes).unwrap(), limits()).unwrap_err();
    assert!(matches!(error, LoadError::Golden { row: 0, .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("0x3ff8000000000000") && text.contains("0x3ff8000000000001"), "{text}");
}

#[test]
fn limits_of_zero_are_refused_by_name() {
    let limits = engine::Limits { instances: 0, ..limits() };
    let error = Guest::default().load(&engine(), limits).unwrap_err();
    assert!(error.to_string().contains("instances must be more than 0"));
}

#[test]
fn a_batch_of_the_wrong_shape_is_declined() {
    let scorer = Guest::default().load(&engine(), limits()).unwrap();
    for (rows, numbers) in [(0, [].as_slice()), (1, &[]), (1, &[1.0, 2.0]), (u32::MAX, &[1.0])] {
        match scorer.score(engine::Batch { rows, numbers }) {
            Err(ScoreError::Declined(decline)) => assert_eq!(decline.code, "wrong-shape"),
            other => panic!("{other:?}"),
        }
    }
}
