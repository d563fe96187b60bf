//! What a source gave out, in the order of its places, and what of it is done with.
//!
//! For sources whose position is one number: it goes to the last place before which all is done with. What was
//! acknowledged out of turn is remembered over a rewind, so that it is not given out twice.

use std::collections::{BTreeSet, VecDeque};

use super::Token;

/// Places are in the order in which messages are read.
#[derive(Debug)]
pub(super) struct Ledger<P> {
    open: VecDeque<Entry<P>>,
    /// Done with, behind something that was given back.
    ahead: BTreeSet<P>,
}

#[derive(Debug)]
struct Entry<P> {
    token: Token,
    place: P,
    done: bool,
}

impl<P> Default for Ledger<P> {
    fn default() -> Self {
        Self { open: VecDeque::new(), ahead: BTreeSet::new() }
    }
}

impl<P: Copy + Ord> Ledger<P> {
    /// Notes the next message. False when it was done with before a rewind: it is not to be given out again.
    pub(super) fn note(&mut self, token: Token, place: P) -> bool {
        let done = self.ahead.remove(&place);
        self.open.push_back(Entry { token, place, done });
        !done
    }

    /// Notes that a message is done with. False when it is not open here.
    pub(super) fn settle(&mut self, token: Token) -> bool {
        let found = self.open.binary_search_by_key(&token, |entry| entry.token);
        let Ok(at) = found else { return false };
        self.open[at].done = true;
        true
    }

    /// Takes out what is done with from the front. The last place before which all is done with, when it moved.
    pub(super) fn advance(&mut self) -> Option<P> {
        let mut place = None;
        while let Some(entry) = self.open.pop_front_if(|entry| entry.done) {
            place = Some(entry.place);
        }
        place
    }

    /// Forgets all tokens. Messages that were not done with are expected again.
    pub(super) fn rewind(&mut self) {
        self.ahead.extend(self.open.drain(..).filter(|entry| entry.done).map(|entry| entry.place));
    }

    /// The place of the first message that is not done with.
    pub(super) fn first(&self) -> Option<P> {
        self.open.front().map(|entry| entry.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(places: &[u64]) -> Ledger<u64> {
        let mut ledger = Ledger::default();
        for (token, place) in places.iter().enumerate() {
            assert!(ledger.note(Token(token as u64), *place));
        }
        ledger
    }

    #[test]
    fn the_position_stops_before_the_first_that_is_open() {
        let mut ledger = ledger(&[10, 20, 30, 40]);
        assert_eq!(ledger.advance(), None);
        assert!(ledger.settle(Token(1)));
        assert_eq!(ledger.advance(), None);
        assert!(ledger.settle(Token(0)));
        assert_eq!(ledger.advance(), Some(20));
        assert!(!ledger.settle(Token(0)));
        assert!(ledger.settle(Token(3)));
        assert_eq!((ledger.advance(), ledger.first()), (None, Some(30)));
        assert!(!ledger.settle(Token(4)));
    }

    #[test]
    fn a_rewind_voids_tokens_and_remembers_what_was_done_out_of_turn() {
        let mut ledger = ledger(&[10, 20, 30]);
        ledger.settle(Token(1));
        ledger.rewind();
        assert!(!ledger.settle(Token(0)));
        assert!(ledger.note(Token(7), 10));
        assert!(!ledger.note(Token(8), 20));
        assert!(ledger.note(Token(9), 30));
        ledger.settle(Token(7));
        assert_eq!(ledger.advance(), Some(20));
        ledger.settle(Token(9));
        assert_eq!(ledger.advance(), Some(30));
    }
}
