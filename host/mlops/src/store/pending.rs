//! What is remembered of single records: which were seen, which predictions wait for their actual, which actuals are
//! known.
//!
//! All of it is found by a key of 128 bits, a hash ([`key`]). A commit appends what is new as one block beside the
//! statistics that it made, so that a crash loses both or none. The newest items are also in memory ([`open`]). When
//! there are enough, they are folded: sorted by key and cut into shards of some hundred items, so that a look-up reads
//! one shard of a fold ([`fold`]). A fold never changes, and is deleted whole when its newest item is too old. Filters
//! in memory tell which folds cannot hold a key, so the usual new record reads nothing.

pub(crate) mod filter;
pub(crate) mod fold;
pub(crate) mod item;
pub(crate) mod open;

use xxhash_rust::xxh3::Xxh3;

/// The key of some texts. The length of each goes in, so that no two lists of texts look alike.
pub(crate) fn key(kind: u8, texts: &[&str]) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&[kind]);
    for text in texts {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.digest128()
}

/// Hashes keys, which are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl std::hash::Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

/// For maps by key.
pub(crate) type ByKey = std::hash::BuildHasherDefault<KeyHasher>;

#[cfg(test)]
mod tests;
