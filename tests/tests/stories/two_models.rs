//! Two models of the diabetes data that give different numbers for the same row, so that a number tells who gave it.

use std::sync::OnceLock;
use tests::{Known, Outpost, README_ROW};

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) ridge: Known,
    pub(super) linear: Known,
}

/// The two, made once for each test process.
pub(super) fn pair() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(|| {
        let linear = tests::root().join("target/tmp/linear.wasm");
        let ridge = Known::by(Outpost::ridge().to_owned(), README_ROW);
        Outpost::train(&linear, "linear", &[]);
        let linear = Known::by(linear, README_ROW);
        assert_ne!(ridge.says, linear.says);
        Pair { ridge, linear }
    })
}
