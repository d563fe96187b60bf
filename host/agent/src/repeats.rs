//! Repeats: messages that a channel gives out again, because it was read by another before, or because an
//! acknowledgement was lost.
//!
//! A repeat has the same bytes; a message without an id of its own has no repeats, because two of them may well be
//! alike. What is under way is known for as long as it is; of what is done with, the last so many are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use spool::source::Token;

use crate::message::{Done, Message};

/// A message's digest.
pub(crate) type Key = u128;

/// Who is known.
#[derive(Debug)]
pub(crate) struct Repeats {
    most: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    open: HashMap<Key, Arc<Message>>,
    /// Two generations: when the newer is full, the older is forgotten.
    newer: HashSet<Key>,
    older: HashSet<Key>,
}

/// What is known of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is under way; what acknowledges it acknowledges this one too.
    UnderWay,
    /// It is done with.
    Done,
}

impl Repeats {
    /// Remembers at least `most` messages that are done with.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, known: Mutex::default() }
    }

    /// Notes a message of so many pieces as under way, unless it was seen before (`Err`). In one step, because two
    /// channels may have it at the same time.
    pub(crate) fn begin(
        &self,
        key: Key,
        token: Token,
        done: &Done,
        pieces: usize,
    ) -> Result<Arc<Message>, Seen> {
        let mut known = self.known.lock();
        if let Some(message) = known.open.get(&key) {
            message.also(token, done);
            return Err(Seen::UnderWay);
        }
        if known.newer.contains(&key) || known.older.contains(&key) {
            return Err(Seen::Done);
        }
        let message = Message::new(token, done, pieces, Some(key));
        known.open.insert(key, Arc::clone(&message));
        Ok(message)
    }

    /// Notes that a message is done with, and takes its tokens, so that none comes too late to be taken.
    pub(crate) fn finish<T>(&self, key: Option<Key>, take: impl FnOnce() -> T) -> T {
        let Some(key) = key else { return take() };
        let mut known = self.known.lock();
        known.open.remove(&key);
        if self.most > 0 {
            if known.newer.len() >= self.most {
                known.older = std::mem::take(&mut known.newer);
            }
            known.newer.insert(key);
        }
        take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Origin;

    #[test]
    fn a_repeat_is_acknowledged_with_the_first_and_never_sent() {
        let repeats = Repeats::new(2);
        let (done, other) = (Done::default(), Done::default());
        let origin = Origin::Channel(repeats.begin(7, Token(0), &done, 2).unwrap());
        origin.done(&repeats);
        assert_eq!(repeats.begin(7, Token(5), &done, 2).unwrap_err(), Seen::UnderWay);
        // The same record through another channel: each acknowledges its own.
        assert_eq!(repeats.begin(7, Token(0), &other, 2).unwrap_err(), Seen::UnderWay);
        assert!(done.lock().is_empty());
        origin.done(&repeats);
        assert_eq!((&**done.lock(), &**other.lock()), (&[Token(0), Token(5)][..], &[Token(0)][..]));
        assert_eq!(repeats.begin(7, Token(6), &done, 2).unwrap_err(), Seen::Done);
    }

    #[test]
    fn the_last_ones_are_remembered_and_no_more_than_twice_as_many() {
        let repeats = Repeats::new(3);
        for key in 0..9 {
            repeats.finish(Some(key), || ());
        }
        let done = Done::default();
        let seen = |key| repeats.begin(key, Token(0), &done, 1).is_err();
        assert!((6..9).all(seen));
        assert!((0..3).all(|key| !seen(key)));
        let none = Repeats::new(0);
        none.finish(Some(1), || ());
        assert!(none.begin(1, Token(0), &done, 1).is_ok());
    }
}
