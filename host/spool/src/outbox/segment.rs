//! The bytes of a segment. All integers are little-endian.
//!
//! Header, 48 bytes:
//!
//! | at | type | what |
//! |---|---|---|
//! | 0 | 8 bytes | `OUTPOSTQ` |
//! | 8 | u32 | format, 1 |
//! | 12 | u32 | CRC-32C of the 44 other bytes |
//! | 16 | 16 bytes | store id, a UUID |
//! | 32 | u64 | number of the first record |
//! | 40 | u64 | when it was made, milliseconds of Unix time; told to people, never compared |
//!
//! Record, 32 bytes and the payload:
//!
//! | at | type | what |
//! |---|---|---|
//! | 0 | u32 | bytes of the payload |
//! | 4 | u32 | CRC-32C, begun with the store id, of the other 28 bytes and the payload |
//! | 8 | u64 | number of the record |
//! | 16 | u64 | number of the first record in the same batch |
//! | 24 | u8 | kind: 1 is a payload; readers skip a kind that they do not know |
//! | 25 | u8 | flags, 0 |
//! | 26 | u16 | reserved, 0 |
//! | 28 | u32 | when it was written, seconds of Unix time; told to people, never compared |
//!
//! The store id in the checksum keeps a block of another store, or a payload made to look like a record, from
//! being taken for one.

use uuid::Uuid;

pub(super) const HEADER_BYTES: usize = 48;
pub(super) const FRAME_BYTES: usize = 32;

const MAGIC: &[u8; 8] = b"OUTPOSTQ";
const FORMAT: u32 = 1;
const PAYLOAD: u8 = 1;

/// The head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) store: Uuid,
    pub(super) base: u64,
    pub(super) created_ms: u64,
}

/// Why a head was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    Format(u32),
    Damaged,
}

/// One record in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) seq: u64,
    pub(super) batch_first: u64,
    pub(super) at_s: u32,
    /// None for a kind that this version does not know.
    pub(super) payload: Option<&'a [u8]>,
    /// Bytes of the whole record.
    pub(super) bytes: usize,
}

/// Why no record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoFrame {
    /// The record goes on; it needs this many bytes in all, if its length can be believed.
    Short(usize),
    Damaged,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        out[16..32].copy_from_slice(self.store.as_bytes());
        out[32..40].copy_from_slice(&self.base.to_le_bytes());
        out[40..48].copy_from_slice(&self.created_ms.to_le_bytes());
        let crc = header_crc(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        let bytes: &[u8; HEADER_BYTES] = bytes
            .first_chunk()
            .filter(|bytes| bytes.starts_with(MAGIC))
            .ok_or(BadHeader::Damaged)?;
        let format = u32_at(bytes, 8);
        if format != FORMAT {
            return Err(BadHeader::Format(format));
        }
        if u32_at(bytes, 12) != header_crc(bytes) {
            return Err(BadHeader::Damaged);
        }
        let mut store = [0; 16];
        store.copy_from_slice(&bytes[16..32]);
        Ok(Self {
            store: Uuid::from_bytes(store),
            base: u64_at(bytes, 32),
            created_ms: u64_at(bytes, 40),
        })
    }
}

/// Appends a record without what only the writer knows: its batch, its time and so its checksum.
pub(super) fn push(out: &mut Vec<u8>, seq: u64, payload: &[u8]) {
    let mut head = [0; FRAME_BYTES];
    head[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[8..16].copy_from_slice(&seq.to_le_bytes());
    head[24] = PAYLOAD;
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
}

/// Completes the records that [`push`] appended, as one batch.
pub(super) fn seal(batch: &mut [u8], store: Uuid, first: u64, at_s: u32) {
    let seed = crc32c::crc32c(store.as_bytes());
    let mut rest = batch;
    while rest.len() >= FRAME_BYTES {
        let bytes = FRAME_BYTES + u32_at(rest, 0) as usize;
        let (frame, after) = rest.split_at_mut(bytes.min(rest.len()));
        frame[16..24].copy_from_slice(&first.to_le_bytes());
        frame[28..32].copy_from_slice(&at_s.to_le_bytes());
        let crc = frame_crc(frame, seed);
        frame[4..8].copy_from_slice(&crc.to_le_bytes());
        rest = after;
    }
}

/// The record at the start of `bytes`.
pub(super) fn frame(bytes: &[u8], store: Uuid) -> Result<Frame<'_>, NoFrame> {
    if bytes.len() < FRAME_BYTES {
        return Err(NoFrame::Short(FRAME_BYTES));
    }
    let size = FRAME_BYTES.saturating_add(u32_at(bytes, 0) as usize);
    let Some(frame) = bytes.get(..size) else { return Err(NoFrame::Short(size)) };
    if frame_crc(frame, crc32c::crc32c(store.as_bytes())) != u32_at(frame, 4) {
        return Err(NoFrame::Damaged);
    }
    Ok(Frame {
        seq: u64_at(frame, 8),
        batch_first: u64_at(frame, 16),
        at_s: u32_at(frame, 28),
        payload: (frame[24] == PAYLOAD).then_some(&frame[FRAME_BYTES..]),
        bytes: size,
    })
}

/// The first whole record behind a damaged place whose number is in `seqs`, and where it starts.
pub(super) fn search(
    bytes: &[u8],
    store: Uuid,
    seqs: std::ops::RangeInclusive<u64>,
) -> Option<(usize, Frame<'_>)> {
    (0..bytes.len().saturating_sub(FRAME_BYTES - 1))
        .filter(|&at| seqs.contains(&u64_at(bytes, at + 8)))
        .find_map(|at| Some((at, frame(&bytes[at..], store).ok()?)))
}

/// How much of what lies behind the last whole record is of a torn batch: all but the zeros that were there before.
pub(super) fn torn_bytes(behind: &[u8]) -> u64 {
    behind.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

fn header_crc(header: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..])
}

fn frame_crc(frame: &[u8], seed: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &frame[..4]), &frame[8..])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("the caller has checked the length"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("the caller has checked the length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: Uuid = Uuid::from_u128(0x0011_2233_4455_4677_8899_aabb_ccdd_eeff);

    /// Format 1: the head of a segment and a batch of two records, made by an independent script.
    const GOLDEN: &[u8] = include_bytes!("fixtures/segment-format-1.log");

    fn batch() -> Vec<u8> {
        let mut bytes = Vec::new();
        push(&mut bytes, 7, b"first");
        push(&mut bytes, 8, b"");
        seal(&mut bytes, STORE, 7, 1_795_563_012);
        bytes
    }

    #[test]
    fn format_1_keeps_its_bytes() {
        let header = Header { store: STORE, base: 7, created_ms: 1_795_563_012_052 };
        assert_eq!([&header.encode()[..], &batch()].concat(), GOLDEN);
        assert_eq!(Header::decode(GOLDEN), Ok(header));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for bit in 0..GOLDEN.len() * 8 {
            let mut bytes = GOLDEN.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (head, records) = bytes.split_at(HEADER_BYTES);
            let first = frame(records, STORE);
            let second = frame(&records[FRAME_BYTES + 5..], STORE);
            assert!(Header::decode(head).is_err() || first.is_err() || second.is_err(), "{bit}");
        }
    }

    #[test]
    fn a_record_of_another_store_or_cut_short_is_none() {
        let bytes = batch();
        assert_eq!(frame(&bytes, Uuid::nil()), Err(NoFrame::Damaged));
        assert_eq!(frame(&bytes[..36], STORE), Err(NoFrame::Short(37)));
        assert_eq!(frame(&bytes[..31], STORE), Err(NoFrame::Short(FRAME_BYTES)));
        assert_eq!(frame(&[0; 64], STORE), Err(NoFrame::Damaged));
    }

    #[test]
    fn the_search_finds_the_next_whole_record() {
        let mut bytes = batch();
        bytes[33] ^= 1;
        let (at, found) = search(&bytes, STORE, 8..=8).expect("the second record is whole");
        assert_eq!((at, found.seq, found.payload), (37, 8, Some(&b""[..])));
        assert_eq!(search(&bytes, STORE, 9..=u64::MAX), None);
        assert_eq!(search(&bytes[..20], STORE, 0..=u64::MAX), None);
    }

    #[test]
    fn a_newer_format_says_its_number() {
        let mut bytes = GOLDEN.to_vec();
        bytes[8] = 2;
        assert_eq!(Header::decode(&bytes), Err(BadHeader::Format(2)));
        assert_eq!(Header::decode(b"short"), Err(BadHeader::Damaged));
    }
}
