//! One thing that is remembered, and its bytes: the key, a byte that says what it is, and what that needs.

/// One thing that is remembered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// A record was seen.
    Record,
    /// A prediction was made.
    Prediction(Waiting),
    /// The outcome is known.
    Actual(Known),
}

/// A prediction, in the group and hour that it counts in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waiting {
    /// The group's number.
    pub(crate) group: u32,
    /// Hours since 1970.
    pub(crate) hour: u32,
    /// One number, or one for each class.
    pub(crate) values: Values,
}

/// The numbers of a prediction; most are one, which needs no memory of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    One([f64; 1]),
    Many(Box<[f64]>),
}

impl Values {
    pub(crate) fn of(values: &[f64]) -> Self {
        match values {
            [one] => Self::One([*one]),
            many => Self::Many(many.into()),
        }
    }
    pub(crate) fn as_slice(&self) -> &[f64] {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }
}

/// An outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Known {
    /// Since when, in microseconds since 1970: a later one replaces an earlier.
    pub(crate) at_us: i64,
    /// The number, or the place of the class.
    pub(crate) value: f64,
}

/// Bytes that are no items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the remembered items are damaged at byte {at}")]
pub(crate) struct Damaged {
    at: usize,
}

const RECORD: u8 = 0;
const PREDICTION: u8 = 1;
const PREDICTION_OF_MANY: u8 = 2;
const ACTUAL: u8 = 3;

/// Appends a record's key.
pub(crate) fn write_record(to: &mut Vec<u8>, key: u128) {
    to.extend_from_slice(&key.to_le_bytes());
    to.push(RECORD);
}

/// Appends a prediction.
pub(crate) fn write_prediction(to: &mut Vec<u8>, key: u128, group: u32, hour: u32, values: &[f64]) {
    to.extend_from_slice(&key.to_le_bytes());
    to.push(if values.len() == 1 { PREDICTION } else { PREDICTION_OF_MANY });
    to.extend_from_slice(&group.to_le_bytes());
    to.extend_from_slice(&hour.to_le_bytes());
    if values.len() != 1 {
        to.extend_from_slice(&(values.len() as u32).to_le_bytes());
    }
    values.iter().for_each(|value| to.extend_from_slice(&value.to_le_bytes()));
}

/// Appends an outcome.
pub(crate) fn write_actual(to: &mut Vec<u8>, key: u128, known: Known) {
    to.extend_from_slice(&key.to_le_bytes());
    to.push(ACTUAL);
    to.extend_from_slice(&known.at_us.to_le_bytes());
    to.extend_from_slice(&known.value.to_le_bytes());
}

/// The items in some bytes, with their keys.
#[derive(Debug)]
pub(crate) struct Items<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Items<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    fn item(&mut self) -> Option<(u128, Item)> {
        let key = u128::from_le_bytes(self.take()?);
        let [kind] = self.take()?;
        let item = match kind {
            RECORD => Item::Record,
            PREDICTION | PREDICTION_OF_MANY => {
                let group = u32::from_le_bytes(self.take()?);
                let hour = u32::from_le_bytes(self.take()?);
                let values = if kind == PREDICTION {
                    Values::One([f64::from_le_bytes(self.take()?)])
                } else {
                    let count = u32::from_le_bytes(self.take()?) as usize;
                    if count > self.rest.len() / 8 {
                        return None;
                    }
                    let values: Option<Box<[f64]>> =
                        (0..count).map(|_| self.take().map(f64::from_le_bytes)).collect();
                    Values::Many(values?)
                };
                Item::Prediction(Waiting { group, hour, values })
            }
            ACTUAL => Item::Actual(Known {
                at_us: i64::from_le_bytes(self.take()?),
                value: f64::from_le_bytes(self.take()?),
            }),
            _other => return None,
        };
        Some((key, item))
    }
}

impl Iterator for Items<'_> {
    type Item = Result<(u128, Item), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.length - self.rest.len();
        let item = self.item().ok_or(Damaged { at });
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}
