//! Reading around what the disk will not give.

use std::io;

use super::fs::FsFile;

/// The unit that a disk loses.
const BLOCK_BYTES: usize = 4096;

/// As [`FsFile::read_at`], but a block that cannot be read comes as zeros, which no checksum takes for a record. Gives
/// the bytes that were read or replaced.
///
/// # Errors
///
/// When not even the file's length is known.
pub(super) fn read_patchy(file: &dyn FsFile, bytes: &mut [u8], offset: u64) -> io::Result<Patchy> {
    if let Ok(got) = file.read_at(bytes, offset) {
        return Ok(Patchy { got, unreadable: 0 });
    }
    let left = usize::try_from(file.len()?.saturating_sub(offset)).unwrap_or(usize::MAX);
    let got = bytes.len().min(left);
    let mut unreadable = 0;
    let mut at = 0;
    while at < got {
        // Blocks of the file, not of the buffer, so that one bad block costs one.
        let into = ((offset + at as u64) % BLOCK_BYTES as u64) as usize;
        let end = got.min(at + BLOCK_BYTES - into);
        let block = &mut bytes[at..end];
        if file.read_at(block, offset + at as u64).is_err() {
            block.fill(0);
            unreadable += block.len();
        }
        at = end;
    }
    Ok(Patchy { got, unreadable })
}

/// What a patchy read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patchy {
    /// Bytes in the buffer.
    pub(super) got: usize,
    /// How many of them are zeros in place of what is there.
    pub(super) unreadable: usize,
}
