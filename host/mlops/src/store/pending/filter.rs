//! Bloom filters: "certainly not there", or "look".

/// Bits for each key: about one key of a thousand that is not there looks as if it were.
const BITS_A_KEY: usize = 15;
/// Bits set for a key, all in one block, which is one line of the processor's cache.
const PROBES: u32 = 7;
/// Words of a block.
const BLOCK: usize = 8;

/// A filter over keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// An empty one for so many keys. One for no key says of every key that it is not there.
    pub(crate) fn new(keys: usize) -> Self {
        let blocks = (keys * BITS_A_KEY).div_ceil(BLOCK * 64);
        Self { words: vec![0; blocks * BLOCK] }
    }

    /// Adds a key.
    pub(crate) fn add(&mut self, key: u128) {
        let start = self.block(key);
        for bit in bits(key) {
            if let Some(word) = self.words.get_mut(start + bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    /// Whether a key may be there.
    pub(crate) fn may_have(&self, key: u128) -> bool {
        let start = self.block(key);
        let is_set = |bit: usize| {
            self.words.get(start + bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
        };
        bits(key).all(is_set)
    }

    fn block(&self, key: u128) -> usize {
        let blocks = (self.words.len() / BLOCK) as u128;
        // The upper half, scaled: no division.
        (((key >> 64) * blocks) >> 64) as usize * BLOCK
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// A filter from its bytes; none when they are no whole blocks.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        (rest.is_empty() && words.len().is_multiple_of(BLOCK)).then_some(Self { words })
    }
}

/// The bits of a key in its block, taken from its lower half.
fn bits(key: u128) -> impl Iterator<Item = usize> {
    (0..PROBES).map(move |probe| (key >> (9 * probe)) as usize & (BLOCK * 64 - 1))
}

#[cfg(test)]
mod tests {
    use super::super::key;
    use super::*;

    fn keys(from: u32, to: u32) -> impl Iterator<Item = u128> {
        (from..to).map(|number| key(0, &[&number.to_string()]))
    }

    #[test]
    fn what_was_added_is_found_and_little_else() {
        let mut filter = Filter::new(10_000);
        keys(0, 10_000).for_each(|key| filter.add(key));
        assert!(keys(0, 10_000).all(|key| filter.may_have(key)));
        let wrong = keys(10_000, 110_000).filter(|key| filter.may_have(*key)).count();
        assert!((1..500).contains(&wrong), "{wrong} of 100,000 looked as if they were there");
        assert_eq!(Filter::from_bytes(&filter.bytes()), Some(filter));
    }

    #[test]
    fn an_empty_one_has_nothing() {
        assert!(!Filter::new(0).may_have(key(0, &["a"])));
        assert!(!Filter::new(1).may_have(key(0, &["a"])));
        assert_eq!(Filter::from_bytes(&[0; 7]), None);
    }
}
