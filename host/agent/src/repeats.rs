//! Repeats: messages that a channel gives out again, because it was read by another before, or because an
//! acknowledgement was lost.
//!
//! A repeat has the same bytes; a message without an id of its own has no repeats, because two of them may well be
//! alike. What is under way is known for as long as it is; of what is done with, the last so many are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use spool::source::Token;

use crate::message::Message;

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
    /// Nothing.
    Never,
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

    /// Whether a message was seen before.
    pub(crate) fn look(&self, key: Key, token: Token) -> Seen {
        let known = self.known.lock();
        if let Some(message) = known.open.get(&key) {
            message.also(token);
            Seen::UnderWay
        } else if known.newer.contains(&key) || known.older.contains(&key) {
            Seen::Done
        } else {
            Seen::Never
        }
    }

    /// Notes a message that is under way from now on.
    pub(crate) fn begin(&self, key: Key, message: &Arc<Message>) {
        self.known.lock().open.insert(key, Arc::clone(message));
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
    use crate::message::{Done, Origin};

    #[test]
    fn a_repeat_is_acknowledged_with_the_first_and_never_sent() {
        let repeats = Repeats::new(2);
        let done = Done::default();
        assert_eq!(repeats.look(7, Token(0)), Seen::Never);
        let message = Message::new(Token(0), Arc::clone(&done), 2, Some(7));
        repeats.begin(7, &message);
        let origin = Origin::Channel(message);
        origin.done(&repeats);
        assert_eq!(repeats.look(7, Token(5)), Seen::UnderWay);
        assert!(done.lock().is_empty());
        origin.done(&repeats);
        assert_eq!(*done.lock(), [Token(0), Token(5)]);
        assert_eq!(repeats.look(7, Token(6)), Seen::Done);
    }

    #[test]
    fn the_last_ones_are_remembered_and_no_more_than_twice_as_many() {
        let repeats = Repeats::new(3);
        for key in 0..9 {
            repeats.finish(Some(key), || ());
        }
        let seen = |key| repeats.look(key, Token(0)) == Seen::Done;
        assert!((6..9).all(seen));
        assert!((0..3).all(|key| !seen(key)));
        let none = Repeats::new(0);
        none.finish(Some(1), || ());
        assert_eq!(none.look(1, Token(0)), Seen::Never);
    }
}
