//! A message of the wire form, in JSON and in binary, that holds anything at all: it is read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use record::wire::binary;
use record::wire::read::Envelope;

fuzz_target!(|bytes: &[u8]| {
    // Both say no by an error, never by a panic; what they say has a text.
    for read in [Envelope::read(bytes), Envelope::read_binary(bytes)] {
        if let Err(error) = read {
            assert!(!error.to_string().is_empty());
        }
    }
    if let Some(at) = binary::find(bytes, 0) {
        assert!(at < bytes.len());
    }
});
