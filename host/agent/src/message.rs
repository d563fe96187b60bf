//! A message on its way: what was read of a channel, until everything in it is done with.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use spool::source::Token;

use crate::repeats::{Key, Repeats};

/// Tokens of a channel that can be acknowledged.
pub(crate) type Done = Arc<Mutex<Vec<Token>>>;

/// Where an item comes from, and who is told when it is done with.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A channel.
    Channel(Arc<Message>),
    /// The disk; counts what of a chunk is still out.
    Parked(Arc<AtomicUsize>),
    /// The agent itself.
    Own,
}

/// A message of a channel.
#[derive(Debug)]
pub(crate) struct Message {
    /// More than one when a channel gave it out again, or another channel has it too.
    tokens: Mutex<Vec<(Done, Token)>>,
    /// Pieces that are not done with.
    left: AtomicUsize,
    key: Option<Key>,
}

impl Message {
    pub(crate) fn new(token: Token, done: &Done, pieces: usize, key: Option<Key>) -> Arc<Self> {
        let tokens = Mutex::new(vec![(Arc::clone(done), token)]);
        Arc::new(Self { tokens, left: AtomicUsize::new(pieces), key })
    }

    /// A channel gave it out once more.
    pub(crate) fn also(&self, token: Token, done: &Done) {
        self.tokens.lock().push((Arc::clone(done), token));
    }

    fn piece_done(&self, repeats: &Repeats) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let tokens = repeats.finish(self.key, || std::mem::take(&mut *self.tokens.lock()));
            for (done, token) in tokens {
                done.lock().push(token);
            }
        }
    }
}

impl Origin {
    /// There is one piece more than was thought.
    pub(crate) fn more(&self) {
        match self {
            Self::Channel(message) => {
                message.left.fetch_add(1, Ordering::AcqRel);
            }
            Self::Parked(out) => {
                out.fetch_add(1, Ordering::AcqRel);
            }
            Self::Own => {}
        }
    }

    /// Says that a piece is done with: the server has it, or the disk.
    pub(crate) fn done(&self, repeats: &Repeats) {
        match self {
            Self::Channel(message) => message.piece_done(repeats),
            Self::Parked(out) => {
                out.fetch_sub(1, Ordering::AcqRel);
            }
            Self::Own => {}
        }
    }
}

/// A part of a call's body.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// One entry, or several separated by commas.
    pub(crate) json: Vec<u8>,
    /// Rows, or outcomes.
    pub(crate) rows: usize,
    /// Entries in `json`.
    pub(crate) entries: usize,
    pub(crate) origin: Origin,
}

impl Item {
    /// Bytes that it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.json.len() + size_of::<Self>() + size_of::<Message>()
    }
}
