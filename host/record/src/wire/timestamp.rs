//! Times as other people write them.
//!
//! The library writes local time with an offset (`2026-11-24 23:29:16.242+0000`), events and times that a user
//! handed in may have no offset, and whoever writes records by hand takes RFC 3339 or a number. The text is kept as
//! it came, because readers hand it on untouched; what it means is worked out beside it. A time that means nothing
//! is no reason to throw a record away.

use jiff::civil::DateTime;
use serde::{Serialize, Serializer};
use serde_json::Number;

/// From this size on a number counts milliseconds, below it seconds, since 1970: it is the year 5138 in seconds and
/// 1973 in milliseconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A time, with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    text: String,
    moment: Moment,
}

/// What a time means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A point in time.
    Instant(jiff::Timestamp),
    /// What a clock on some wall showed; where that wall was is not said.
    Local(DateTime),
    /// Nothing that we understand.
    Unknown,
}

impl Timestamp {
    /// Understands a text as far as possible.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let moment = Moment::of_text(&text);
        Self { text, moment }
    }

    /// Understands a number as seconds or milliseconds since 1970.
    pub fn from_number(number: &Number) -> Self {
        Self { text: number.to_string(), moment: Moment::of_number(number) }
    }

    /// The text as it came; of a number its digits.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means.
    pub fn moment(&self) -> Moment {
        self.moment
    }
}

impl Moment {
    /// What a text means.
    pub fn of_text(text: &str) -> Self {
        let plain = text.trim();
        plain
            .parse()
            .map(Self::Instant)
            .or_else(|_| plain.parse().map(Self::Local))
            .unwrap_or(Self::Unknown)
    }

    /// What a number means: seconds or milliseconds since 1970.
    pub fn of_number(number: &Number) -> Self {
        let instant = |number: &Number| {
            if let Some(whole) = number.as_i64() {
                return if whole.unsigned_abs() < MILLISECONDS_FROM.unsigned_abs() {
                    jiff::Timestamp::from_second(whole).ok()
                } else {
                    jiff::Timestamp::from_millisecond(whole).ok()
                };
            }
            let number = number.as_f64()?;
            let seconds = number.abs() < MILLISECONDS_FROM as f64;
            let microseconds = number * if seconds { 1e6 } else { 1e3 };
            // The cast saturates, and what is beyond the calendar is refused.
            jiff::Timestamp::from_microsecond(microseconds.round() as i64).ok()
        };
        instant(number).map_or(Self::Unknown, Self::Instant)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> Moment {
        Moment::Instant(text.parse().unwrap())
    }

    #[test]
    fn times_are_understood_and_keep_their_text() {
        let whole = instant("2026-11-24T23:29:16.242Z");
        for text in [
            "2026-11-24 23:29:16.242+0000",
            "2026-11-25 00:29:16.242+0100",
            "2026-11-24 23:29:16.242+00:00",
            "2026-11-24T23:29:16.242Z",
            "2026-11-24T17:59:16.242-05:30",
        ] {
            let time = Timestamp::new(text);
            assert_eq!((time.moment(), time.text()), (whole, text));
        }
        let local = |text: &str| Moment::Local(text.parse().unwrap());
        for text in ["2026-11-24 23:28:38.477020", "2024-05-06 07:08:09.123", "2024-05-06"] {
            let time = Timestamp::new(text);
            assert_eq!((time.moment(), time.text()), (local(text), text));
        }
        for text in ["", "yesterday", "2026-13-01 00:00:00", "24/11/2026"] {
            let time = Timestamp::new(text);
            assert_eq!((time.moment(), time.text()), (Moment::Unknown, text));
        }
    }

    #[test]
    fn numbers_count_seconds_or_milliseconds() {
        let of = |text: &str| {
            let time = Timestamp::from_number(&serde_json::from_str(text).unwrap());
            assert_eq!(time.text(), text);
            time.moment()
        };
        assert_eq!(of("1795562956253"), instant("2026-11-24T23:29:16.253Z"));
        assert_eq!(of("1795562956"), instant("2026-11-24T23:29:16Z"));
        assert_eq!(of("1795562956.253"), instant("2026-11-24T23:29:16.253Z"));
        assert_eq!(of("1795562956253.5"), instant("2026-11-24T23:29:16.2535Z"));
        assert_eq!(of("99999999999"), instant("5138-11-16T09:46:39Z"));
        assert_eq!(of("100000000000"), instant("1973-03-03T09:46:40Z"));
        assert_eq!(of("1e+300"), Moment::Unknown);
        assert_eq!(of("18446744073709551615"), Moment::Unknown);
    }
}
