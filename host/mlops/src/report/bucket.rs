//! Pieces of a window: hours, days, weeks and months of UTC.

use jiff::civil::Time;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan as _};

use super::{Moment, Window};
use crate::rollup::HOUR_US;

const DAY_US: i64 = 24 * HOUR_US;

/// How long the pieces are into which a window is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BucketSize {
    /// An hour.
    #[default]
    Hour,
    /// A day.
    Day,
    /// A week from Monday on.
    Week,
    /// A month of the calendar.
    Month,
}

impl BucketSize {
    const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// Its name in a query.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The service's name, a duration of ISO 8601.
    pub fn service_name(self) -> &'static str {
        match self {
            Self::Hour => "PT1H",
            Self::Day => "P1D",
            Self::Week => "P7D",
            Self::Month => "P1M",
        }
    }

    /// The size with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.name() == name)
    }

    /// The size with this name of the service's.
    pub fn from_service_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.service_name() == name)
    }

    /// Where the bucket begins that a moment lies in; microseconds since 1970.
    pub fn start(self, at_us: i64) -> i64 {
        let day = at_us.div_euclid(DAY_US);
        match self {
            Self::Hour => at_us.div_euclid(HOUR_US) * HOUR_US,
            Self::Day => day * DAY_US,
            // The first day of 1970 was a Thursday.
            Self::Week => (day - (day + 3).rem_euclid(7)) * DAY_US,
            // What no calendar has lies in a day of its own.
            Self::Month => month(at_us, 0).unwrap_or(day * DAY_US),
        }
    }

    /// Where the bucket ends that begins there.
    fn end(self, start: i64) -> i64 {
        let length = match self {
            Self::Hour => HOUR_US,
            Self::Day => DAY_US,
            Self::Week => 7 * DAY_US,
            Self::Month => return month(start, 1).unwrap_or(start.saturating_add(DAY_US)),
        };
        start.saturating_add(length)
    }

    /// The bucket that begins there, as far as it lies in the window.
    pub fn period(self, start: i64, window: Window) -> Window {
        let end = Moment(self.end(start));
        Window { start: Moment(start).max(window.start), end: end.min(window.end) }
    }
}

/// The begin of a moment's month, or of one after it.
fn month(at_us: i64, later: i64) -> Option<i64> {
    let date = Offset::UTC.to_datetime(Timestamp::from_microsecond(at_us).ok()?).date();
    let first = date.first_of_month().checked_add(later.months()).ok()?;
    Some(Offset::UTC.to_timestamp(first.to_datetime(Time::midnight())).ok()?.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn buckets_begin_and_end_where_the_calendar_says() {
        for (size, at, start, end) in [
            (
                BucketSize::Hour,
                "2026-11-26T13:59:59Z",
                "2026-11-26T13:00:00Z",
                "2026-11-26T14:00:00Z",
            ),
            (
                BucketSize::Day,
                "2026-11-26T23:59:59Z",
                "2026-11-26T00:00:00Z",
                "2026-11-27T00:00:00Z",
            ),
            // A Sunday is the last day of its week, a Monday the first.
            (
                BucketSize::Week,
                "2026-11-29T23:59:59Z",
                "2026-11-23T00:00:00Z",
                "2026-11-30T00:00:00Z",
            ),
            (
                BucketSize::Week,
                "2026-11-30T00:00:00Z",
                "2026-11-30T00:00:00Z",
                "2026-12-07T00:00:00Z",
            ),
            (
                BucketSize::Week,
                "1969-12-31T00:00:00Z",
                "1969-12-29T00:00:00Z",
                "1970-01-05T00:00:00Z",
            ),
            (
                BucketSize::Month,
                "2026-12-31T23:59:59Z",
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            (
                BucketSize::Month,
                "2028-02-29T12:00:00Z",
                "2028-02-01T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
            (
                BucketSize::Month,
                "1969-12-31T23:00:00Z",
                "1969-12-01T00:00:00Z",
                "1970-01-01T00:00:00Z",
            ),
        ] {
            assert_eq!(size.start(us(at)), us(start), "{size:?} {at}");
            assert_eq!(size.end(us(start)), us(end), "{size:?} {at}");
        }
        for size in BucketSize::ALL {
            assert!(size.start(i64::MIN / 2) <= i64::MIN / 2);
            assert!(size.end(i64::MAX / 2) > i64::MAX / 2);
        }
    }

    #[test]
    fn sizes_have_two_names() {
        for size in BucketSize::ALL {
            assert_eq!(BucketSize::from_name(size.name()), Some(size));
            assert_eq!(BucketSize::from_service_name(size.service_name()), Some(size));
        }
        assert_eq!(BucketSize::from_name("P1D"), None);
        assert_eq!(BucketSize::from_service_name("year"), None);
    }
}
