//! Items sorted by key and cut into shards; filters say what a fold cannot have.

use super::filter::Filter;

/// A fold before it is stored.
#[derive(Debug)]
pub(crate) struct Sorted {
    /// Bytes of items, by shard.
    pub(crate) shards: Vec<Vec<u8>>,
    pub(crate) bits: u32,
    pub(crate) records: Filter,
    pub(crate) predictions: Filter,
    pub(crate) actuals: Filter,
    /// The number of the last block that is in it.
    pub(crate) last_block: i64,
    /// When its newest item was taken in, in microseconds since 1970.
    pub(crate) newest_us: i64,
}

impl Sorted {
    /// The shard of a key.
    pub(crate) fn shard(&self, key: u128) -> usize {
        shard(key, self.bits)
    }
}

/// A stored fold: what is in memory of it.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) id: i64,
    pub(crate) bits: u32,
    pub(crate) newest_us: i64,
    pub(crate) records: Filter,
    pub(crate) predictions: Filter,
    pub(crate) actuals: Filter,
}

impl Fold {
    /// The shard of a key.
    pub(crate) fn shard(&self, key: u128) -> i64 {
        shard(key, self.bits) as i64
    }
}

/// The shard of a key among `2^bits`: its highest bits.
fn shard(key: u128, bits: u32) -> usize {
    // In two steps: a shift by all 128 bits would be none.
    ((key >> 64) as u64 as u128 >> (64 - bits.min(63))) as usize
}
