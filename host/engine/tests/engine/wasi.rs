//! Packages that import WASI: what is there, what is not, and that it gives nothing away.

use engine::{Broke, HANDLES, LimitSettings, Limits, LoadError, Mode, ScoreError};

use crate::guests::{Guest, engine, limits, row};

/// A guest that imports one function of WASI as `$f`, with what it does before it answers.
struct Asks<'a> {
    /// The package and its version.
    package: &'a str,
    version: &'a str,
    interface: &'a str,
    /// The interface's body.
    wit: &'a str,
    /// The function's name and its type as a core function.
    name: &'a str,
    ty: &'a str,
    before: &'a str,
}

impl Asks<'_> {
    fn with<T>(&self, test: impl FnOnce(Guest<'_>) -> T) -> T {
        let Self { package, version, interface, wit, name, ty, before } = self;
        let full = format!("{package}/{interface}@{version}");
        let wit = format!(
            "package {package}@{version}; interface {interface} {{ {wit} }}
            --- package test:asks; world asks {{ include outpost:model/scorer@0.1.0; import {full}; }}"
        );
        let imports = format!(r#"(import "{full}" "{name}" (func $f {ty}))"#);
        test(Guest {
            wit: &wit,
            world: "test:asks/asks",
            imports: &imports,
            before,
            ..Guest::default()
        })
    }

    fn score(&self, x: f64) -> Result<f64, ScoreError> {
        let limits = Limits { mode: Mode::Fresh, ..limits() };
        self.with(|guest| {
            let scorer = guest.load(&engine(), limits).unwrap();
            assert!(scorer.imports_wasi());
            scorer.score(row(&x)).map(|predictions| predictions[0])
        })
    }
}

const CLOCK: Asks<'_> = Asks {
    package: "wasi:clocks",
    version: "0.2.6",
    interface: "monotonic-clock",
    wit: "now: func() -> u64;",
    name: "now",
    ty: "(result i64)",
    // The row itself and the difference of two looks at the clock.
    before: "(f64.store (local.get $numbers) (f64.add (f64.load (local.get $numbers))
        (f64.convert_i64_u (i64.sub (call $f) (call $f)))))",
};

#[test]
fn the_clock_stands_still() {
    assert_eq!(CLOCK.score(1.5).unwrap(), 1.5);
}

#[test]
fn other_parts_and_other_versions_of_wasi_are_refused_by_name() {
    for (package, version) in
        [("wasi:http", "0.2.6"), ("wasi:clocks", "0.3.0"), ("wasi:clock", "0.2.6")]
    {
        let full = format!("{package}/monotonic-clock@{version}");
        Asks { package, version, ..CLOCK }.with(|guest| {
            let error = guest.load(&engine(), limits()).unwrap_err();
            assert!(matches!(&error, LoadError::Wasi(name) if *name == full), "{error:?}");
        });
    }
}

#[test]
fn a_function_that_wasi_does_not_have_breaks_the_call_and_not_the_start() {
    let asks = Asks {
        wit: "then: func() -> u64;",
        name: "then",
        before: "(if (f64.ne (f64.load (local.get $numbers)) (f64.const 1.5)) (then (drop (call $f))))",
        ..CLOCK
    };
    assert_eq!(asks.score(1.5).unwrap(), 1.5);
    match asks.score(2.0).unwrap_err() {
        ScoreError::Broke(Broke::Trap(why)) => {
            assert_eq!(why, "it called clocks/monotonic-clock#then, which is not there");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn random_numbers_are_the_same_in_every_call() {
    let asks = Asks {
        package: "wasi:random",
        interface: "random",
        wit: "get-random-u64: func() -> u64;",
        name: "get-random-u64",
        // The row is its own answer in the golden row; any other gives the second random number of the call.
        before: "(drop (call $f))
            (if (f64.ne (f64.load (local.get $numbers)) (f64.const 1.5)) (then
                (f64.store (local.get $numbers) (f64.convert_i64_u (call $f)))))",
        ..CLOCK
    };
    asks.with(|guest| {
        let scorer = guest.load(&engine(), limits()).unwrap();
        let first = scorer.score(row(&2.0)).unwrap();
        assert!(first[0] > 1e9, "{first:?}");
        for _ in 0..3 {
            assert_eq!(scorer.score(row(&3.0)).unwrap(), first);
        }
    });
}

#[test]
fn exit_is_a_trap_that_says_so() {
    let asks = Asks {
        package: "wasi:cli",
        interface: "exit",
        wit: "exit: func(status: result);",
        name: "exit",
        ty: "(param i32)",
        before: "(if (f64.ne (f64.load (local.get $numbers)) (f64.const 1.5)) (then (call $f (i32.const 0))))",
        ..CLOCK
    };
    match asks.score(2.0).unwrap_err() {
        ScoreError::Broke(Broke::Trap(why)) => assert_eq!(why, "it called exit"),
        other => panic!("{other:?}"),
    }
}

/// As many as the row says, never dropped.
#[test]
fn what_a_guest_holds_is_limited() {
    let asks = Asks {
        package: "wasi:clocks",
        wit: "resource pollable; subscribe-duration: func(when: u64) -> pollable;",
        name: "subscribe-duration",
        ty: "(param i64) (result i32)",
        before: "(local $left f64)
            (local.set $left (f64.load (local.get $numbers)))
            (loop $again (if (f64.ge (local.get $left) (f64.const 1)) (then
                (drop (call $f (i64.const 1)))
                (local.set $left (f64.sub (local.get $left) (f64.const 1)))
                (br $again))))",
        ..CLOCK
    };
    let most = HANDLES as f64;
    assert_eq!(asks.score(most).unwrap(), most);
    match asks.score(most + 1.0).unwrap_err() {
        ScoreError::Broke(Broke::Output(why)) => assert!(why.contains("handle limit"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn limits_that_are_not_given_fit_the_package() {
    let engine = engine();
    let unlimited = LimitSettings::default();
    let closed = engine.load(&Guest::default().package(), unlimited.clone()).unwrap();
    assert_eq!((closed.imports_wasi(), closed.instances()), (false, Limits::default().instances));
    CLOCK.with(|guest| {
        let open = engine.load(&guest.package(), unlimited.clone()).unwrap();
        assert_eq!((open.imports_wasi(), open.instances()), (true, Limits::for_wasi().instances));
        let two = LimitSettings { instances: Some(2), ..unlimited };
        assert_eq!(engine.load(&guest.package(), two).unwrap().instances(), 2);
    });
}

/// The component says of which types WASI is; when it lies, the lie costs its own call.
#[test]
fn a_function_of_another_type_is_an_error_and_no_panic() {
    for (wit, ty, arguments) in [
        ("now: func() -> string;", "(param i32)", "(i32.const 512)"),
        (
            "now: func(of: list<string>) -> tuple<u64, u64>;",
            "(param i32 i32 i32)",
            "(i32.const 0) (i32.const 0) (i32.const 512)",
        ),
        ("now: func();", "", ""),
    ] {
        let before = format!(
            "(if (f64.ne (f64.load (local.get $numbers)) (f64.const 1.5)) (then (call $f {arguments})))"
        );
        let asks = Asks { wit, ty, before: &before, ..CLOCK };
        match asks.score(2.0) {
            Err(ScoreError::Broke(Broke::Output(why))) => assert!(!why.is_empty()),
            // A result that nobody takes is no harm.
            Ok(answer) => assert_eq!((answer, ty), (2.0, "")),
            other => panic!("{wit}: {other:?}"),
        }
    }
    // What has a type of its own here does not link.
    let asks = Asks {
        package: "wasi:random",
        interface: "random",
        wit: "get-random-bytes: func(len: u64) -> string;",
        name: "get-random-bytes",
        ty: "(param i64 i32)",
        before: "",
        ..CLOCK
    };
    asks.with(|guest| {
        let error = guest.load(&engine(), limits()).unwrap_err();
        assert!(matches!(error, LoadError::Types(_)), "{error:?}");
    });
}
