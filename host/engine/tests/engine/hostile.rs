//! Guests that misbehave: each costs its own call, and nothing else.

use std::time::{Duration, Instant};

use engine::{Broke, Limits, LoadError, ScoreError, Scorer};

use crate::guests::{Guest, engine, limits, row};

/// Misbehaves when the row is negative, in the way given.
fn when_negative(misdeed: &str) -> String {
    format!("(if (f64.lt (f64.load (local.get $numbers)) (f64.const 0)) (then {misdeed}))")
}

/// Loads a guest that misbehaves for negative rows, lets it, and checks that the next call works.
fn broke(guest: Guest<'_>, misdeed: &str, limits: Limits) -> Broke {
    let engine = engine();
    let before = when_negative(misdeed);
    let scorer = Guest { before: &before, ..guest }.load(&engine, limits).unwrap();
    let created = engine.stats().instances_created;
    let error = scorer.score(row(&-1.0)).unwrap_err();
    assert_eq!(scorer.score(row(&7.0)).unwrap(), [7.0], "the next call gets a good instance");
    let ScoreError::Broke(broke) = error else { panic!("{error:?}") };
    let stats = engine.stats();
    assert_eq!(stats.instances_created, created + 1, "the broken instance was replaced");
    assert_eq!(stats.instances_live, 1);
    assert_eq!(stats.discarded[broke.index()], 1);
    assert_eq!(stats.discarded.iter().sum::<u64>(), 1);
    broke
}

fn first_call(guest: Guest<'_>, limits: Limits) -> Broke {
    match guest.load(&engine(), limits).unwrap_err() {
        LoadError::FirstCall(ScoreError::Broke(broke)) => broke,
        error => panic!("{error:?}"),
    }
}

#[test]
fn an_endless_loop_ends_at_the_deadline() {
    let started = Instant::now();
    assert_eq!(broke(Guest::default(), "(loop (br 0))", limits()), Broke::Deadline);
    assert!(started.elapsed() >= limits().call_deadline, "not before the deadline");
}

#[test]
fn an_endless_loop_does_not_delay_another_scorer() {
    let engine = engine();
    let slow = Limits { call_deadline: Duration::from_secs(5), ..limits() };
    let before = when_negative("(loop (br 0))");
    let stuck = Guest { before: &before, ..Guest::default() }.load(&engine, slow).unwrap();
    let good = Guest::default().load(&engine, limits()).unwrap();
    std::thread::scope(|scope| {
        let stuck = scope.spawn(move || stuck.score(row(&-1.0)));
        let mut scored = 0;
        while !stuck.is_finished() {
            assert_eq!(good.score(row(&3.0)).unwrap(), [3.0]);
            scored += 1;
            if scored == 1000 {
                break;
            }
        }
        assert_eq!(scored, 1000, "a thousand calls fit beside the one that is stuck");
        assert!(matches!(stuck.join().unwrap(), Err(ScoreError::Broke(Broke::Deadline))));
    });
}

#[test]
fn filling_memory_again_and_again_ends_at_the_deadline() {
    // Each fill is one instruction, which no clock interrupts; the limit of memory keeps it short.
    let fill = "(loop (memory.fill (i32.const 65536) (i32.const 7) (i32.const 15728640)) (br 0))";
    let guest = Guest { memory: "256", ..Guest::default() };
    assert_eq!(broke(guest, fill, limits()), Broke::Deadline);
}

#[test]
fn an_endless_loop_at_the_start_ends_at_the_deadline() {
    let fields = "(func $spin (loop (br 0))) (start $spin)";
    assert_eq!(first_call(Guest { fields, ..Guest::default() }, limits()), Broke::Deadline);
}

#[test]
fn the_deadline_holds_for_all_parts_of_a_large_batch() {
    // Each row of its own is fast enough, all together are not.
    let before = "(local $i i32) (loop (br_if 0 (i32.lt_u
        (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3000000))))";
    let guest = Guest { before, ..Guest::default() };
    let limits = Limits { call_numbers: 1, call_deadline: Duration::from_millis(100), ..limits() };
    let scorer = guest.load(&engine(), limits).unwrap();
    let numbers = vec![1.0; 10_000];
    let started = Instant::now();
    let error = scorer.score(engine::Batch { rows: 10_000, numbers: &numbers }).unwrap_err();
    assert!(matches!(error, ScoreError::Broke(Broke::Deadline)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_memory_bomb_gets_no_more_than_its_limit() {
    // Grows as far as it may, then answers with how far that was.
    let before =
        "(block (loop (br_if 1 (i32.eq (memory.grow (i32.const 1)) (i32.const -1))) (br 0)))
        (f64.store (local.get $numbers) (f64.convert_i32_u (memory.size)))";
    let guest = Guest { before, ..Guest::default() };
    let mut package = crate::guests::manifest();
    package.golden.clear();
    let bytes = crate::guests::with_manifest(guest.component(), &package.to_json());
    let package = engine::Package::parse(bytes).unwrap();
    let limits = Limits { working_bytes: 5 << 16, ..limits() };
    let scorer = engine().load(&package, limits).unwrap();
    assert_eq!(scorer.score(row(&1.0)).unwrap(), [6.0], "its own page and five more");
    assert_eq!(scorer.score(row(&1.0)).unwrap(), [6.0]);
}

#[test]
fn giving_up_without_memory_is_told_apart_from_a_trap() {
    let misdeed = "(if (i32.eq (memory.grow (i32.const 300)) (i32.const -1)) (then unreachable))";
    assert_eq!(broke(Guest::default(), misdeed, limits()), Broke::Memory);
}

#[test]
fn declared_memory_has_a_limit() {
    let guest = Guest { memory: "16384", ..Guest::default() };
    let error = guest.load(&engine(), limits()).unwrap_err();
    assert!(matches!(error, LoadError::Declared { bytes, .. } if bytes == 1 << 30), "{error:?}");

    let guest = Guest { memory: "2", ..Guest::default() };
    let exactly = Limits { declared_bytes: 2 << 16, ..limits() };
    assert!(guest.load(&engine(), exactly.clone()).is_ok());
    let less = Limits { declared_bytes: (2 << 16) - 1, ..exactly };
    assert!(matches!(guest.load(&engine(), less), Err(LoadError::Declared { .. })));
}

#[test]
fn a_table_bomb_gets_no_more_than_its_limit() {
    let grow = |by: u32| {
        format!(
            "(if (i32.eq (table.grow $t (ref.null func) (i32.const {by})) (i32.const -1)) (then unreachable))"
        )
    };
    let guest = || Guest { fields: "(table $t 10 funcref)", ..Guest::default() };
    let limits = Limits { table_elements: 1000, ..limits() };
    assert_eq!(broke(guest(), &grow(991), limits.clone()), Broke::Memory);
    let before = when_negative(&grow(990));
    let scorer = Guest { before: &before, ..guest() }.load(&engine(), limits).unwrap();
    assert_eq!(scorer.score(row(&-1.0)).unwrap(), [-1.0], "exactly at the limit");
}

#[test]
fn a_declared_table_has_the_same_limit() {
    let guest = Guest { fields: "(table 100000000 funcref)", ..Guest::default() };
    assert_eq!(first_call(guest, limits()), Broke::Memory);
}

#[test]
fn deep_recursion_ends_at_the_stack_limit() {
    let fields = "(func $deep (param i64) (result i64)
        (i64.add (local.get 0) (call $deep (i64.add (local.get 0) (i64.const 1)))))";
    let misdeed = "(drop (call $deep (i64.const 0)))";
    let limits = Limits { call_deadline: Duration::from_secs(5), ..limits() };
    assert_eq!(broke(Guest { fields, ..Guest::default() }, misdeed, limits), Broke::Stack);
}

#[test]
fn traps_are_named() {
    let trap = |misdeed| match broke(Guest::default(), misdeed, limits()) {
        Broke::Trap(what) => what,
        other => panic!("{other:?}"),
    };
    assert!(trap("unreachable").contains("unreachable"));
    assert!(trap("(drop (i32.load (i32.const -8)))").contains("out of bounds"));
    assert!(trap("(drop (i32.div_u (i32.const 1) (i32.const 0)))").contains("divide by zero"));
}

/// A guest that answers a negative row with so many values.
fn with_values(values: &str, limits: Limits) -> (Broke, Scorer) {
    let values = format!(
        "(select (i32.const {values}) (local.get $rows)
            (f64.lt (f64.load (local.get $numbers)) (f64.const 0)))"
    );
    let guest = Guest { values: &values, memory: "2000", ..Guest::default() };
    let scorer = guest.load(&engine(), limits).unwrap();
    match scorer.score(row(&-1.0)).unwrap_err() {
        ScoreError::Broke(broke) => (broke, scorer),
        error => panic!("{error:?}"),
    }
}

#[test]
fn answers_of_the_wrong_size_are_refused_and_huge_ones_not_even_copied() {
    let wide = || Limits { output_bytes: 1 << 20, declared_bytes: 256 << 20, ..limits() };
    // 100 MB inside of the memory, a length beyond the memory, too many values, none.
    for (values, word) in [
        ("13000000", "too much data"),
        ("0x10000000", "out of bounds"),
        ("0xffffffff", "out of bounds"),
        ("2", "2 predictions for 1 rows"),
        ("0", "0 predictions for 1 rows"),
    ] {
        let (broke, scorer) = with_values(values, wide());
        let Broke::Output(what) = &broke else { panic!("{broke:?}") };
        assert!(what.contains(word), "{values}: {what}");
        assert_eq!(scorer.score(row(&7.0)).unwrap(), [7.0]);
    }
}

#[test]
fn the_output_limit_is_exact() {
    // The two lists of the answer cost their bytes: 8 a value.
    let numbers = vec![1.0; 100];
    let batch = engine::Batch { rows: 100, numbers: &numbers };
    let scorer = |output_bytes| {
        Guest::default().load(&engine(), Limits { output_bytes, ..limits() }).unwrap()
    };
    assert_eq!(scorer(800).score(batch).unwrap().len(), 100);
    assert!(matches!(scorer(799).score(batch), Err(ScoreError::Broke(Broke::Output(_)))));
}

#[test]
fn predictions_must_be_finite() {
    for number in ["nan", "inf", "-inf"] {
        let misdeed = format!("(f64.store (local.get $numbers) (f64.const {number}))");
        let Broke::Output(what) = broke(Guest::default(), &misdeed, limits()) else { panic!() };
        assert!(what.contains("row 0"), "{what}");
    }
}

#[test]
fn an_argument_that_finds_no_place_breaks_the_guest() {
    // The guest places every argument at 4096 and has one page.
    let scorer = Guest::default().load(&engine(), limits()).unwrap();
    let numbers = vec![1.0; 8192];
    let fits = engine::Batch { rows: 7680, numbers: &numbers[..7680] };
    assert_eq!(scorer.score(fits).unwrap().len(), 7680);
    let error = scorer.score(engine::Batch { rows: 8192, numbers: &numbers }).unwrap_err();
    assert!(matches!(error, ScoreError::Broke(Broke::Output(_))), "{error:?}");
    assert_eq!(scorer.score(row(&7.0)).unwrap(), [7.0]);
}
