//! Many packages in one engine: slots go where they are needed, machine code is there once.

use std::sync::Barrier;
use std::time::Duration;

use engine::{Broke, Engine, EngineSettings, Limits, Placement, ScoreError, Scorer};

use crate::guests::{Guest, limits, row};

/// Loops for ever when the row is negative.
const STUCK: &str =
    "(if (f64.lt (f64.load (local.get $numbers)) (f64.const 0)) (then (loop (br 0))))";

fn engine(pool_slots: u32) -> Engine {
    let tick = Duration::from_millis(1);
    let engine =
        Engine::new(EngineSettings { pool_slots, tick, ..EngineSettings::default() }).unwrap();
    assert_eq!(engine.placement(), Placement::Pool);
    engine
}

/// A scorer of a package that no other has the bytes of.
fn distinct(engine: &Engine, number: usize, limits: Limits) -> Scorer {
    let fields = format!("(global i32 (i32.const {number}))");
    Guest { fields: &fields, before: STUCK, ..Guest::default() }.load(engine, limits).unwrap()
}

#[test]
fn more_scorers_than_slots_all_answer() {
    let engine = engine(2);
    let many = Limits { instances: 32, ..limits() };
    let scorers: Vec<_> = (0..3).map(|number| distinct(&engine, number, many.clone())).collect();
    for round in 0..5 {
        for scorer in &scorers {
            let x = f64::from(round);
            assert_eq!(scorer.score(row(&x)).unwrap(), [x]);
        }
    }
    let stats = engine.stats();
    assert!(stats.instances_live <= 2, "{stats:?}");
    assert!(stats.reclaimed > 0, "{stats:?}");
    assert_eq!((stats.busy, stats.host_failures), (0, 0));
}

#[test]
fn as_many_scorers_as_slots_keep_their_instances() {
    let engine = engine(3);
    let scorers: Vec<_> = (0..3).map(|number| distinct(&engine, number, limits())).collect();
    let created = engine.stats().instances_created;
    for _round in 0..5 {
        for scorer in &scorers {
            assert_eq!(scorer.score(row(&1.0)).unwrap(), [1.0]);
        }
    }
    let stats = engine.stats();
    assert_eq!((stats.instances_created, stats.reclaimed), (created, 0));
}

#[test]
fn the_one_that_is_used_most_keeps_its_instance() {
    let engine = engine(2);
    let [often, one, other] = [0, 1, 2].map(|number| distinct(&engine, number, limits()));
    let created = |scorer: &Scorer| {
        let before = engine.stats().instances_created;
        assert_eq!(scorer.score(row(&1.0)).unwrap(), [1.0]);
        engine.stats().instances_created - before
    };
    created(&often);
    for round in 0..10 {
        assert_eq!(created(if round % 2 == 0 { &one } else { &other }), 1, "only one has a slot");
        assert_eq!(created(&often), 0, "it was used a moment ago");
    }
}

#[test]
fn when_all_slots_are_at_work_the_next_one_waits_for_one() {
    let engine = engine(1);
    let slow = Limits { call_deadline: Duration::from_millis(200), ..limits() };
    let stuck = distinct(&engine, 0, slow);
    let patient = Limits { wait: Duration::from_secs(60), ..limits() };
    let patient = distinct(&engine, 1, patient);
    let hasty = distinct(&engine, 2, limits());
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| {
            start.wait();
            // Until it has the slot nobody else is refused.
            stuck.score(row(&-1.0))
        });
        start.wait();
        let mut busy = 0;
        while !holder.is_finished() {
            match hasty.score(row(&1.0)) {
                Ok(_) => {}
                Err(ScoreError::Busy { instances: 1 }) => {
                    busy += 1;
                    assert_eq!(patient.score(row(&2.0)).unwrap(), [2.0]);
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        let held = holder.join().unwrap();
        // The holder either had the slot, or found it taken at that moment and could not wait.
        match held {
            Err(ScoreError::Broke(Broke::Deadline)) => assert!(busy > 0, "nobody was refused"),
            Err(ScoreError::Busy { .. }) => {}
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(hasty.score(row(&3.0)).unwrap(), [3.0]);
    assert!(engine.stats().instances_live <= 1);
}

#[test]
fn many_threads_and_more_scorers_than_slots() {
    let engine = engine(4);
    let patient = Limits { instances: 3, wait: Duration::from_secs(60), ..limits() };
    let scorers: Vec<_> =
        (0..10).map(|number| distinct(&engine, number, patient.clone())).collect();
    std::thread::scope(|scope| {
        for thread in 0..8_usize {
            let scorers = &scorers;
            scope.spawn(move || {
                for call in 0..200 {
                    let x = (thread * 1000 + call) as f64;
                    let scorer = &scorers[(thread * 7 + call * 3) % scorers.len()];
                    assert_eq!(scorer.score(row(&x)).unwrap(), [x]);
                }
            });
        }
    });
    let stats = engine.stats();
    assert_eq!(stats.scored, 8 * 200);
    assert!(stats.instances_live <= 4, "{stats:?}");
    drop(scorers);
    assert_eq!(engine.stats().instances_live, 0);
}

#[test]
fn idle_instances_can_be_given_up() {
    let engine = engine(8);
    let scorer = distinct(&engine, 0, Limits { instances: 4, ..limits() });
    assert!(engine.stats().instances_live > 0);
    scorer.release_idle();
    assert_eq!(engine.stats().instances_live, 0);
    assert_eq!(scorer.score(row(&5.0)).unwrap(), [5.0]);
    assert_eq!(engine.stats().instances_live, 1);
}

#[test]
fn a_package_loaded_twice_has_its_code_once() {
    let engine = engine(8);
    let first = Guest::default().load(&engine, limits()).unwrap();
    let narrow = Limits { output_bytes: 799, ..limits() };
    let second = Guest::default().load(&engine, narrow).unwrap();
    let stats = engine.stats();
    assert_eq!((stats.compiled, stats.shared), (1, 1));
    // Each has its own limits.
    let hundred = engine::Batch { rows: 100, numbers: &[1.0; 100] };
    assert_eq!(first.score(hundred).unwrap(), [1.0; 100]);
    assert!(matches!(second.score(hundred), Err(ScoreError::Broke(Broke::Output(_)))));
    drop((first, second));
    let _third = Guest::default().load(&engine, limits()).unwrap();
    let stats = engine.stats();
    assert_eq!((stats.compiled, stats.shared), (2, 1), "nobody held it any more");
}

#[test]
fn a_share_of_the_slots_is_warm() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let engine = engine(4);
    let many = Limits { instances: 32, ..limits() };
    let _first = distinct(&engine, 0, many.clone());
    assert_eq!(engine.stats().instances_live, processors.min(4));
    let _others: Vec<_> = (1..5).map(|number| distinct(&engine, number, many.clone())).collect();
    let stats = engine.stats();
    assert!(stats.instances_live <= 4, "{stats:?}");
    assert_eq!(stats.busy, 0);
}
