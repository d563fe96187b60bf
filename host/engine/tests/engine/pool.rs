//! Instances: kept, thrown away, used up.

use std::sync::Barrier;
use std::time::Duration;

use engine::{Broke, Engine, EngineSettings, Limits, Mode, Placement, ScoreError};

use crate::guests::{Guest, engine, limits, row};

/// Counts its calls in memory, and answers with the count.
const COUNTS: &str = "(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
    (f64.store (local.get $numbers) (f64.convert_i32_u (i32.load (i32.const 8))))";

fn counting(engine: &Engine, limits: Limits) -> engine::Scorer {
    let mut manifest = crate::guests::manifest();
    manifest.golden.clear();
    let guest = Guest { before: COUNTS, ..Guest::default() };
    let bytes = crate::guests::with_manifest(guest.component(), &manifest.to_json());
    engine.load(&engine::Package::parse(bytes).unwrap(), limits).unwrap()
}

#[test]
fn a_warm_instance_is_used_again_and_a_fresh_one_is_not() {
    let engine = engine();
    let warm = counting(&engine, limits());
    assert_eq!(warm.score(row(&0.0)).unwrap(), [1.0]);
    assert_eq!(warm.score(row(&0.0)).unwrap(), [2.0]);
    let fresh = counting(&engine, Limits { mode: Mode::Fresh, ..limits() });
    assert_eq!(fresh.score(row(&0.0)).unwrap(), [1.0]);
    assert_eq!(fresh.score(row(&0.0)).unwrap(), [1.0]);
    assert_eq!(engine.stats().scored, 4);
}

#[test]
fn the_last_instance_back_is_the_first_out() {
    let engine = engine();
    let scorer = counting(&engine, Limits { instances: 2, ..limits() });
    for call in 1..=10 {
        assert_eq!(scorer.score(row(&0.0)).unwrap(), [f64::from(call)]);
    }
}

#[test]
fn an_instance_that_keeps_a_little_of_each_call_is_replaced_before_it_breaks() {
    let engine = engine();
    let limits = Limits { working_bytes: 16 << 16, instances: 1, ..limits() };
    let grows = "(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))";
    let scorer = Guest { before: grows, ..Guest::default() }.load(&engine, limits).unwrap();
    let before = engine.stats().instances_created;
    for call in 0..100 {
        assert_eq!(scorer.score(row(&0.5)).unwrap(), [0.5], "call {call}");
    }
    // An instance is done when less than two of sixteen pages are left: after its fifteenth call, the golden ones included.
    assert!((6..=7).contains(&(engine.stats().instances_created - before)));
}

/// Loops for ever when the row is negative.
const STUCK: &str =
    "(if (f64.lt (f64.load (local.get $numbers)) (f64.const 0)) (then (loop (br 0))))";

#[test]
fn a_pool_that_is_used_up_says_busy() {
    let engine = engine();
    let limits = Limits { call_deadline: Duration::from_secs(2), ..limits() };
    let scorer = Guest { before: STUCK, ..Guest::default() }.load(&engine, limits).unwrap();
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| {
            start.wait();
            loop {
                match scorer.score(row(&-1.0)) {
                    Err(ScoreError::Busy { .. }) => {}
                    other => break other,
                }
            }
        });
        start.wait();
        // The holder may not have its instance yet; what counts is that a refusal comes at last.
        let busy = loop {
            match scorer.score(row(&1.0)) {
                Ok(_) => assert!(!holder.is_finished(), "nobody was refused"),
                Err(error) => break error,
            }
        };
        assert!(matches!(busy, ScoreError::Busy { instances: 1 }), "{busy:?}");
        assert!(matches!(holder.join().unwrap(), Err(ScoreError::Broke(Broke::Deadline))));
    });
    assert_eq!(scorer.score(row(&1.0)).unwrap(), [1.0]);
    assert!(engine.stats().busy > 0);
}

#[test]
fn who_waits_gets_the_instance_that_comes_free() {
    let engine = engine();
    let limits = Limits {
        call_deadline: Duration::from_millis(200),
        wait: Duration::from_secs(60),
        ..limits()
    };
    let scorer = Guest { before: STUCK, ..Guest::default() }.load(&engine, limits).unwrap();
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| {
            start.wait();
            scorer.score(row(&-1.0))
        });
        start.wait();
        while !holder.is_finished() {
            assert_eq!(scorer.score(row(&1.0)).unwrap(), [1.0]);
        }
    });
    let stats = engine.stats();
    assert!(stats.waited > 0, "{stats:?}");
    assert_eq!((stats.busy, stats.instances_live), (0, 1));
}

#[test]
fn many_threads_share_one_scorer() {
    let engine = engine();
    let limits = Limits { instances: 3, wait: Duration::from_secs(60), ..limits() };
    let scorer = Guest::default().load(&engine, limits).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let scorer = scorer.clone();
            scope.spawn(move || {
                for call in 0..500 {
                    let x = f64::from(thread * 1000 + call);
                    assert_eq!(scorer.score(row(&x)).unwrap(), [x]);
                }
            });
        }
    });
    let stats = engine.stats();
    assert_eq!(stats.scored, 8 * 500);
    assert!(stats.instances_live <= 3, "{stats:?}");
    drop(scorer);
    assert_eq!(engine.stats().instances_live, 0);
}

#[test]
fn a_large_batch_is_cut_and_comes_back_whole() {
    let scorer = Guest::default().load(&engine(), Limits { call_numbers: 7, ..limits() }).unwrap();
    for rows in [1u32, 6, 7, 8, 13, 14, 15, 100] {
        let numbers: Vec<f64> = (0..rows).map(f64::from).collect();
        assert_eq!(scorer.score(engine::Batch { rows, numbers: &numbers }).unwrap(), numbers);
    }
}

#[test]
fn an_absurd_pool_falls_back_to_instances_on_demand() {
    let engine =
        Engine::new(EngineSettings { pool_slots: 1 << 20, ..EngineSettings::default() }).unwrap();
    assert_ne!(engine.placement(), Placement::Pool);
    let scorer = Guest::default().load(&engine, limits()).unwrap();
    assert_eq!(scorer.score(row(&4.0)).unwrap(), [4.0]);
}

#[test]
fn little_address_space_is_enough() {
    // A child process of this very test, with 2 GiB of address space.
    if std::env::var_os("OUTPOST_TEST_SMALL").is_some() {
        let engine = Engine::new(EngineSettings::default()).unwrap();
        assert_eq!(engine.placement(), Placement::Compact);
        let scorer = Guest::default().load(&engine, limits()).unwrap();
        assert_eq!(scorer.score(row(&4.0)).unwrap(), [4.0]);
        let trap = Guest { before: "(drop (i32.load (i32.const -8)))", ..Guest::default() };
        assert!(trap.load(&engine, limits()).is_err());
        return;
    }
    let test = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -v 2097152 && exec \"$0\" --exact pool::little_address_space_is_enough",
        ])
        .arg(test)
        .env("OUTPOST_TEST_SMALL", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let error = |settings| Engine::new(settings).unwrap_err().to_string();
    let small = EngineSettings { stack_bytes: (64 << 10) - 1, ..EngineSettings::default() };
    assert!(error(small).contains("stack_bytes"));
    let large = EngineSettings { stack_bytes: (1 << 20) + 1, ..EngineSettings::default() };
    assert!(error(large).contains("stack_bytes"));
    let hasty = EngineSettings { tick: Duration::from_micros(99), ..EngineSettings::default() };
    assert!(error(hasty).contains("tick"));
}
