//! A segment of the outbox that holds anything at all.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

/// The room itself, without the rest of its crate, which would bring a Kafka client along.
#[path = "../../../host/spool/src/outbox/segment.rs"]
mod segment;

fuzz_target!(|bytes: &[u8]| {
    let store = match segment::Header::decode(bytes) {
        Ok(header) => {
            assert_eq!(&header.encode()[..], &bytes[..segment::HEADER_BYTES]);
            header.store
        }
        Err(_) => Uuid::nil(),
    };
    let mut at = 0;
    while let Ok(frame) = segment::frame(&bytes[at..], store) {
        assert!(frame.bytes >= segment::FRAME_BYTES && at + frame.bytes <= bytes.len());
        at += frame.bytes;
    }
    if let Some((skipped, frame)) = segment::search(&bytes[at..], store, 0..=u64::MAX) {
        assert!(skipped > 0 && at + skipped + frame.bytes <= bytes.len());
    }
    // What was written is read, whatever it holds.
    let mut batch = Vec::new();
    segment::push(&mut batch, 7, bytes);
    segment::seal(&mut batch, store, 7, 0);
    let frame = segment::frame(&batch, store).expect("it was just written");
    assert_eq!((frame.seq, frame.payload, frame.bytes), (7, Some(bytes), batch.len()));
});
