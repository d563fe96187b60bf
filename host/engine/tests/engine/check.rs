//! The conformance test finds what is wrong, and names it; each guest here breaks one rule.

use std::time::Duration;

use engine::{LimitSettings, Report, Verdict};

use crate::guests::{Guest, engine, manifest, with_manifest};

/// Declines for the sake of the feature `x`.
const DECLINE: &str = "(func $decline (result i32)
    (i32.store8 (i32.const 256) (i32.const 1))
    (i32.store (i32.const 260) (i32.const 16)) (i32.store (i32.const 264) (i32.const 2))
    (i32.store (i32.const 268) (i32.const 16)) (i32.store (i32.const 272) (i32.const 2))
    (i32.store8 (i32.const 276) (i32.const 1)) (i32.store (i32.const 280) (i32.const 0))
    (i32.store8 (i32.const 284) (i32.const 1)) (i32.store (i32.const 288) (global.get $blamed))
    (i32.store (i32.const 292) (i32.const 1))
    (i32.const 256))";
/// What a guest needs for its misdeeds: calls are counted, and `x` (at 16) is blamed.
const FIELDS: &str = "(global $calls (mut i32) (i32.const 0)) (global $blamed i32 (i32.const 16))";
/// What a good guest does: declines wrong shapes and what is missing in the first row.
const SHAPE: &str = "(if (i32.ne (local.get 2) (local.get $rows)) (then (return (call $decline))))";
const MISSING: &str = "(if (local.get $rows) (then
    (if (f64.ne (f64.load (local.get $numbers)) (f64.load (local.get $numbers))) (then (return (call $decline))))))";
const COUNT: &str = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))";
/// Another answer for the first row.
const MORE: &str =
    "(f64.store (local.get $numbers) (f64.add (f64.load (local.get $numbers)) (f64.const 1)))";

fn limits() -> LimitSettings {
    LimitSettings {
        call_deadline: Some(Duration::from_millis(200)),
        start_deadline: Some(Duration::from_millis(200)),
        ..LimitSettings::default()
    }
}

fn check(bytes: Vec<u8>) -> Report {
    engine().check(bytes, &limits(), &|_| Ok(Vec::new()))
}

/// The component of a good guest that does this too.
fn guest(fields: &str, before: &str, change: impl Fn(String) -> String) -> Vec<u8> {
    let fields = format!("{FIELDS} {DECLINE} {fields}");
    let before = format!("{COUNT} {before}");
    // Room for the largest batch.
    let text = Guest { memory: "32", fields: &fields, before: &before, ..Guest::default() }.text();
    let text = change(text);
    Guest { module: Some(&text), ..Guest::default() }.component()
}

fn failed(report: &Report) -> Vec<&'static str> {
    let failed = report.findings.iter().filter(|finding| finding.verdict == Verdict::Failed);
    failed.map(|finding| finding.check).collect()
}

/// What the only failed check says.
#[track_caller]
fn only(report: &Report, check: &str) -> String {
    assert_eq!(failed(report), [check], "{report:#?}");
    let finding = report.findings.iter().find(|finding| finding.check == check).unwrap();
    finding.detail.clone()
}

#[track_caller]
fn misdeed(check_name: &str, before: &str) -> String {
    let before = format!("{SHAPE} {MISSING} {before}");
    only(&check(guest("", &before, |text| text)), check_name)
}

#[test]
fn a_good_guest_passes_bare_and_sealed() {
    let good = guest("", &format!("{SHAPE} {MISSING}"), |text| text);
    let bare = check(good.clone());
    assert!(bare.passed(), "{bare:#?}");
    let skipped = bare.findings.iter().filter(|finding| finding.verdict == Verdict::Skipped);
    let skipped: Vec<&str> = skipped.map(|finding| finding.check).collect();
    assert_eq!(skipped, ["manifest", "manifest agrees", "golden rows", "unknown levels"]);
    let sealed = check(with_manifest(good.clone(), &manifest().to_json()));
    assert!(sealed.passed(), "{sealed:#?}");
    assert_eq!(sealed.findings.len(), bare.findings.len());

    let mut lying = manifest();
    lying.golden[0].prediction = 2.0;
    let report = check(with_manifest(good.clone(), &lying.to_json()));
    assert!(only(&report, "golden rows").contains("golden row 0"));
    lying.target = "z".to_string();
    let report = check(with_manifest(good, &lying.to_json()));
    assert!(only(&report, "manifest agrees").contains("target is y in the code and z"));
}

#[test]
fn answers_that_depend_on_more_than_the_row_are_found() {
    let neighbours = format!("(if (i32.eq (local.get $rows) (i32.const 2)) (then {MORE}))");
    let told = misdeed("batches", &neighbours);
    assert!(told.starts_with("a batch of 2: row 0 gets 2, and 1 when"), "{told}");
    // The first call of an instance, when it is not the row that is asked first of all.
    let fresh = format!(
        "(if (i32.and (i32.eq (global.get $calls) (i32.const 1)) (f64.ne (f64.load (local.get $numbers)) (f64.const 1)))
            (then {MORE}))"
    );
    assert!(misdeed("fresh instance", &fresh).contains("the first row of a fresh instance"));
    // In the call after the rows were found and batches and order checked; not when it comes round again with one row.
    let state = format!(
        "(if (i32.and (i32.eq (global.get $calls) (i32.const 103)) (i32.gt_u (local.get $rows) (i32.const 1)))
            (then {MORE}))"
    );
    assert!(misdeed("repeated", &state).contains("the same batch again"));
}

#[test]
fn traps_and_wrong_blame_are_found() {
    let extreme =
        "(if (f64.gt (f64.load (local.get $numbers)) (f64.const 1e300)) (then (unreachable)))";
    let told = misdeed("extreme values", extreme);
    assert!(told.contains("x = 1") && told.contains("trapped"), "{told}");

    let report = check(guest("", SHAPE, |text| text));
    assert!(only(&report, "missing values").contains("NaN for row 0"));
    let blame = |text: String| {
        text.replace("(global $blamed i32 (i32.const 16))", "(global $blamed i32 (i32.const 17))")
    };
    let report = check(guest("", &format!("{SHAPE} {MISSING}"), blame));
    assert_eq!(only(&report, "missing values"), "x = missing: the decline blames y");

    let report = check(guest("", MISSING, |text| text));
    assert!(only(&report, "wrong shapes").contains("4294967295 rows with 1 numbers"));
}

#[test]
fn memory_that_grows_and_batches_that_take_too_long_are_found() {
    let leak = "(if (i32.eqz (i32.rem_u (global.get $calls) (i32.const 500)))
        (then (drop (memory.grow (i32.const 1)))))";
    let memory = |text: String| text;
    let report = check(guest("", &format!("{SHAPE} {MISSING} {leak}"), memory));
    let told = only(&report, "memory");
    assert!(told.contains("grows with every call"), "{told}");
    let slow = "(if (i32.gt_u (local.get $rows) (i32.const 1000)) (then (loop $on (br $on))))";
    assert!(misdeed("time", slow).contains("deadline"));
}

#[test]
fn a_guest_that_starts_or_describes_badly_is_found() {
    let report = check(guest("(func $on (loop $l (br $l))) (start $on)", "", |text| text));
    assert!(only(&report, "start").contains("deadline"));
    let changing = |text: String| {
        let count =
            "(i32.store8 (i32.const 16) (i32.add (i32.load8_u (i32.const 16)) (i32.const 1)))";
        text.replace(
            r#"#describe") (result i32) (i32.const 128))"#,
            &format!(r#"#describe") (result i32) {count} (i32.const 128))"#),
        )
    };
    let report = check(guest("", SHAPE, changing));
    assert!(only(&report, "describe").contains("another answer"));
    let report = check(guest("", SHAPE, |text| text.replace("\"numeric\"", "\"integer\"")));
    assert_eq!(only(&report, "describe"), "feature x is `integer`, not `numeric` or `categorical`");
    let report = check(guest("", SHAPE, |text| text.replace("\"regression\"", "\"regressing\"")));
    assert!(only(&report, "describe").contains("`regressing`, not `regression`"));
}

#[test]
fn levels_that_nobody_knows_must_not_break_it() {
    let levels = r#"(data (i32.const 512) "categorical")
        (data (i32.const 528) "\10\00\00\00\01\00\00\00\11\00\00\00\01\00\00\00")"#;
    let categorical = |text: String| {
        text.replace(
            r"\12\00\00\00\07\00\00\00\00\00\00\00\00\00\00\00",
            r"\00\02\00\00\0b\00\00\00\10\02\00\00\02\00\00\00",
        )
    };
    let good = check(guest(levels, &format!("{SHAPE} {MISSING}"), categorical));
    assert!(good.passed(), "{good:#?}");
    let told = good.findings.iter().find(|finding| finding.check == "unknown levels").unwrap();
    assert_eq!((told.verdict, told.detail.as_str()), (Verdict::Passed, "scored"));
    let trap = "(if (f64.lt (f64.load (local.get $numbers)) (f64.const 0)) (then (unreachable)))";
    let report = check(guest(levels, &format!("{SHAPE} {MISSING} {trap}"), categorical));
    assert!(only(&report, "unknown levels").contains("x = -1"));
}

#[test]
fn a_model_that_takes_no_row_is_told_to_be_asked_otherwise() {
    let report = check(guest("", "(return (call $decline))", |text| text));
    assert!(only(&report, "rows").contains("--rows"));
}

#[test]
fn rows_of_the_caller_come_first() {
    // It scores 77 alone.
    let only_one = "(if (local.get $rows) (then
        (if (f64.ne (f64.load (local.get $numbers)) (f64.const 77)) (then (return (call $decline))))))";
    let component = guest("", &format!("{SHAPE} {only_one}"), |text| text);
    let report = engine().check(component.clone(), &limits(), &|_| Ok(vec![77.0]));
    assert!(report.passed(), "{report:#?}");
    let report = engine().check(component, &limits(), &|_| Err("no such file".to_string()));
    assert_eq!(only(&report, "rows"), "no such file");
}
