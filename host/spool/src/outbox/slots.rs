//! A number that survives a crash at any moment: a file with two slots that are written in turn.
//!
//! The file has 4096 real zeros from the start, so that moving the number needs no new block on a full disk. Slot k
//! starts at byte 512·k; all integers are little-endian.
//!
//! | at | type | what |
//! |---|---|---|
//! | 0 | u32 | `OQC1` |
//! | 4 | u32 | CRC-32C of the 16 bytes that follow |
//! | 8 | u64 | generation; slot generation mod 2 |
//! | 16 | u64 | the number |
//!
//! The whole slot with the higher generation counts. With none there is no number.

use std::io;
use std::path::Path;

use super::fs::{Fs, FsFile, Open};
use super::patchy::read_patchy;

const FILE_BYTES: usize = 4096;
const SLOT_BYTES: usize = 512;
const MAGIC: &[u8; 4] = b"OQC1";

/// An open file of slots.
#[derive(Debug)]
pub(super) struct Slots {
    file: Box<dyn FsFile>,
    generation: u64,
    value: Option<u64>,
    /// The last sync failed: what it should have made durable never will be, unless it is written again.
    suspect: bool,
}

impl Slots {
    /// Opens the file, or makes it, without a number.
    pub(super) fn open(fs: &dyn Fs, dir: &Path, name: &str) -> io::Result<Self> {
        let file = preallocated(fs, dir, name, FILE_BYTES)?;
        let mut bytes = [0; 2 * SLOT_BYTES];
        // A slot that cannot be read is one that says nothing: what it costs is sending again.
        read_patchy(&*file, &mut bytes, 0)?;
        let newest = bytes.chunks(SLOT_BYTES).filter_map(decode).max();
        let (generation, value) = newest.map_or((0, None), |(g, value)| (g, Some(value)));
        Ok(Self { file, generation, value, suspect: false })
    }

    /// The number, if one was ever written.
    pub(super) fn value(&self) -> Option<u64> {
        self.value
    }

    /// Writes the number; a crash of the process does not lose it, a power cut may.
    pub(super) fn write(&mut self, value: u64) -> io::Result<()> {
        let generation = self.generation + 1;
        let at = (generation % 2) * SLOT_BYTES as u64;
        self.file.write_at(&encode(generation, value), at)?;
        self.generation = generation;
        self.value = Some(value);
        Ok(())
    }

    /// Makes the number durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.suspect
            && let Some(value) = self.value
        {
            self.write(value)?;
        }
        let synced = self.file.sync();
        self.suspect = synced.is_err();
        synced
    }
}

/// What a file of slots says to whoever only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peek {
    /// No number was ever written.
    Blank,
    /// The number.
    Number(u64),
    /// Neither slot is whole.
    Damaged,
}

impl Peek {
    pub(super) fn at(bytes: &[u8]) -> Self {
        let newest = bytes.chunks(SLOT_BYTES).take(2).filter_map(decode).max();
        match newest {
            Some((_, number)) => Self::Number(number),
            None if bytes.len() == FILE_BYTES && bytes.iter().all(|byte| *byte == 0) => Self::Blank,
            None => Self::Damaged,
        }
    }

    pub(super) fn number(self) -> Option<u64> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }
}

/// Opens a file, or makes it, durably and full of real zeros, so that writing into it later needs no space.
pub(super) fn preallocated(
    fs: &dyn Fs,
    dir: &Path,
    name: &str,
    bytes: usize,
) -> io::Result<Box<dyn FsFile>> {
    let path = dir.join(name);
    match fs.open(&path, Open::Existing) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let fresh = dir.join(format!("{name}.tmp"));
            let file = fs.open(&fresh, Open::Fresh)?;
            file.write_at(&vec![0; bytes], 0)?;
            file.sync()?;
            fs.rename(&fresh, &path)?;
            fs.sync_dir(dir)?;
            Ok(file)
        }
        opened => opened,
    }
}

fn encode(generation: u64, value: u64) -> [u8; 24] {
    let mut out = [0; 24];
    out[..4].copy_from_slice(MAGIC);
    out[8..16].copy_from_slice(&generation.to_le_bytes());
    out[16..].copy_from_slice(&value.to_le_bytes());
    let crc = crc32c::crc32c(&out[8..]);
    out[4..8].copy_from_slice(&crc.to_le_bytes());
    out
}

fn decode(slot: &[u8]) -> Option<(u64, u64)> {
    let slot: &[u8; 24] = slot.first_chunk()?;
    let generation = u64::from_le_bytes(*slot[8..].first_chunk()?);
    let value = u64::from_le_bytes(*slot[16..].first_chunk()?);
    (encode(generation, value) == *slot).then_some((generation, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::fs::Disk;

    #[test]
    fn the_number_survives_reopening_and_a_torn_write() {
        let dir = tempfile::tempdir().unwrap();
        let mut slots = Slots::open(&Disk, dir.path(), "a.cursor").unwrap();
        assert_eq!(slots.value(), None);
        for value in [3, 9, 27] {
            slots.write(value).unwrap();
            let again = Slots::open(&Disk, dir.path(), "a.cursor").unwrap();
            assert_eq!(again.value(), Some(value));
        }
        let file = Disk.open(&dir.path().join("a.cursor"), Open::Existing).unwrap();
        assert_eq!(file.len().unwrap(), FILE_BYTES as u64);
        // 27 is generation 3 and lies in slot 1: half of it is lost.
        file.write_at(&[0xff; 10], SLOT_BYTES as u64 + 12).unwrap();
        assert_eq!(Slots::open(&Disk, dir.path(), "a.cursor").unwrap().value(), Some(9));
        file.write_at(&[0xff; 10], 12).unwrap();
        assert_eq!(Slots::open(&Disk, dir.path(), "a.cursor").unwrap().value(), None);
    }

    #[test]
    fn a_slot_keeps_its_bytes() {
        let crc = [0x34, 0x57, 0x09, 0x55];
        let golden =
            [&b"OQC1"[..], &crc, &[5, 0, 0, 0, 0, 0, 0, 0], &[0x39, 0x30, 0, 0, 0, 0, 0, 0]]
                .concat();
        assert_eq!(encode(5, 12_345)[..], golden);
    }
}
