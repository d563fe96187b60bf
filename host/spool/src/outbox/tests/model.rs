//! The outbox against a model: any sequence of appends, reads, commits, restarts, torn ends and failing disks.

use std::fs::OpenOptions;
use std::io::Write;

use proptest::prelude::*;

use super::faulty::{Faulty, Op};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append(u8, Class),
    Read,
    Commit(u8),
    Rewind,
    Restart,
    /// Restart, with this much garbage behind the newest segment.
    Torn(Vec<u8>),
    Fail(Op),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..30, prop::bool::ANY).prop_map(|(count, durable)| {
            Step::Append(count, if durable { Class::Durable } else { Class::Observe })
        }),
        3 => Just(Step::Read),
        2 => any::<u8>().prop_map(Step::Commit),
        1 => Just(Step::Rewind),
        1 => Just(Step::Restart),
        1 => prop::collection::vec(any::<u8>(), 1..200).prop_map(Step::Torn),
        1 => prop::sample::select(vec![Op::Write, Op::ShortWrite, Op::Sync]).prop_map(Step::Fail),
    ]
}

/// What must be true of the outbox.
#[derive(Default)]
struct Model {
    appended: u64,
    read: u64,
    done: u64,
}

fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new();
    let open = || Outbox::open_on(disk.clone(), dir.path(), small()).unwrap();
    let mut model = Model::default();
    let mut outbox = open();
    let mut reader = outbox.reader("a").unwrap();
    for step in steps {
        match step {
            Step::Append(count, class) => {
                for _ in 0..count {
                    match outbox.append(&payload(model.appended + 1), class) {
                        Ok(receipt) => {
                            model.appended += 1;
                            assert_eq!(receipt.seq(), model.appended);
                        }
                        Err(Refused::QueueFull | Refused::OutboxFull) => break,
                        Err(refused) => panic!("{refused}"),
                    }
                }
            }
            Step::Read => {
                until("all is durable", || outbox.status().durable_seq == model.appended);
                assert_eq!(read_all(&mut reader), whole(model.read + 1..=model.appended));
                model.read = model.appended;
            }
            Step::Commit(share) => {
                let seq = model.done + (model.read - model.done) * u64::from(share) / 255;
                reader.commit(seq).unwrap();
                model.done = seq;
            }
            Step::Rewind => {
                reader.rewind();
                model.read = model.done;
            }
            Step::Restart | Step::Torn(_) => {
                outbox.close(SOON).unwrap();
                drop(reader);
                drop(outbox);
                // Opening on a failing disk is an error, and not what this is about.
                disk.mend();
                if let (Step::Torn(garbage), Some(newest)) = (&step, segments(dir.path()).last()) {
                    let mut file = OpenOptions::new().append(true).open(newest).unwrap();
                    file.write_all(garbage).unwrap();
                }
                outbox = open();
                reader = outbox.reader("a").unwrap();
                model.read = model.done;
            }
            Step::Fail(op) => disk.fail(op, libc_eio(), 1),
        }
    }
    outbox.close(SOON).unwrap();
    assert_eq!(outbox.status().lost.total(), 0);
    assert_eq!(read_all(&mut reader), whole(model.read + 1..=model.appended));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_lost_twisted_or_repeated(steps in prop::collection::vec(step(), 1..25)) {
        run(steps);
    }
}
