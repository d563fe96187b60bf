//! The compact form of a record that holds anything at all: what is read can be written again, and rendered.

#![no_main]

use std::num::NonZeroUsize;

use libfuzzer_sys::fuzz_target;
use record::Record;
use record::wire::{self, Limits, RecordId};
use uuid::Uuid;

fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = Record::decode(bytes) else { return };
    let mut again = Vec::new();
    record.encode(&mut again);
    // A number may be written in more bytes than it needs, so the bytes may differ; what they say may not. A missing
    // number is not equal to itself, so it is the bytes that are compared.
    let mut third = Vec::new();
    Record::decode(&again).expect("it was just written").encode(&mut third);
    assert_eq!(again, third);
    let id = RecordId { store: Uuid::nil(), seq: 1 };
    let limits = Limits { rows: NonZeroUsize::new(7).expect("seven"), bytes: 1000 };
    for message in wire::messages(&record, id, limits) {
        assert!(!message.body.contains(&b'\n'));
    }
});
