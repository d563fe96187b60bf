//! Frames: the library's own, damaged ones, cut ones.

use proptest::prelude::*;

use super::*;

/// What the library 11.2.62 wrote, with made-up ids.
const LIBRARY: &[u8] = include_bytes!("../read/fixtures/binary.spool");

/// A frame with this payload; without a checksum when `checked` is false.
pub(in crate::wire) fn framed(
    deployment_id: &str,
    data_type: u32,
    payload: &str,
    checked: bool,
) -> Vec<u8> {
    let mut header = Vec::new();
    let text = |out: &mut Vec<u8>, text: &str| {
        out.extend((text.len() as u32).to_be_bytes());
        out.extend(text.as_bytes());
    };
    text(&mut header, deployment_id);
    for number in [data_type, 0, payload.len() as u32, 2] {
        header.extend(number.to_be_bytes());
    }
    for part in ["python", "11.2.62", ""] {
        text(&mut header, part);
    }
    let mut record = (header.len() as u32).to_be_bytes().to_vec();
    record.extend(header);
    record.extend(payload.as_bytes());
    let crc = if checked { u64::from(crc32fast::hash(&record)) } else { 0 };
    let mut frame = MAGIC.to_vec();
    frame.extend(1u32.to_be_bytes());
    frame.extend((record.len() as u32).to_be_bytes());
    frame.extend(crc.to_be_bytes());
    frame.extend(record);
    frame
}

/// The lengths of the frames from the beginning.
fn frames(mut bytes: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    while let Begins::Frame(length) = begins(bytes) {
        found.push(length);
        bytes = &bytes[length..];
    }
    assert!(bytes.is_empty() || begins(bytes) == Begins::End, "{:?}", begins(bytes));
    found
}

#[test]
fn the_librarys_frames_are_found() {
    assert_eq!(frames(LIBRARY), [263, 467, 417, 278, 280, 6534]);
    assert_eq!(frames(&[LIBRARY, &END].concat()).len(), 6);
    let first = record(&LIBRARY[..263]).unwrap();
    assert_eq!(
        (first.deployment_id, first.data_type, first.version, first.language, first.lib_version),
        ("65f0aa0000000000000000d1", 3, 2, "python", "11.2.62")
    );
    assert!(first.payload.starts_with(b"{\"timestamp\": \"2026"));
}

#[test]
fn a_cut_frame_says_how_long_it_is() {
    for length in 0..263 {
        let wants = match length {
            0..4 => 4,
            4..20 => FRAME_HEADER,
            _ => 263,
        };
        assert_eq!(begins(&LIBRARY[..length]), Begins::Part(wants), "{length}");
    }
    assert_eq!(begins(&END[..3]), Begins::Part(4));
}

#[test]
fn any_changed_bit_is_noticed() {
    for at in 0..263 {
        let mut bytes = LIBRARY.to_vec();
        bytes[at] ^= 0x10;
        assert_ne!(begins(&bytes), Begins::Frame(263), "{at}");
        assert!(record(&bytes[..263]).is_err(), "{at}");
    }
    let mut bytes = LIBRARY.to_vec();
    bytes[100] ^= 1;
    assert_eq!(begins(&bytes), Begins::Damage(BinaryError::Checksum));
    assert_eq!(find(&bytes, 4), Some(263));
    bytes[7] = 2;
    assert_eq!(begins(&bytes), Begins::Damage(BinaryError::Version(2)));
}

#[test]
fn a_frame_without_checksum_is_taken_when_its_lengths_agree() {
    let frame = framed("d", 3, "{}", false);
    assert_eq!(begins(&frame), Begins::Frame(frame.len()));
    assert_eq!(record(&frame).unwrap().payload, b"{}");
    let mut wrong = frame.clone();
    wrong[11] -= 1;
    assert!(matches!(begins(&wrong), Begins::Damage(BinaryError::Length { .. })));
    let format = FRAME_HEADER + 4 + 5 + 4 + 3;
    let mut wrong = frame;
    wrong[format] = 2;
    assert_eq!(begins(&wrong), Begins::Damage(BinaryError::Format(2)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(mut bytes: Vec<u8>, magic: bool) {
        if magic {
            bytes.splice(0..0, [&MAGIC[..], &1u32.to_be_bytes()].concat());
        }
        begins(&bytes);
        let _any = record(&bytes);
        find(&bytes, 1);
    }

    #[test]
    fn changed_frames_do_not_make_it_panic(at in 0..8239usize, to: u8, cut in 0..8239usize) {
        let mut bytes = LIBRARY.to_vec();
        bytes[at] = to;
        bytes.truncate(cut);
        begins(&bytes);
        let _any = record(&bytes);
    }
}
