//! What of a row must not reach the disk: features that are left out, hashed or made coarse before a record is encoded.
//!
//! # Constraints
//!
//! * Scoring and answers know nothing of this: the model gets every value as it came.
//! * The raw value is in no record, so it is in no outbox, no channel and no dead letter.
//! * One value has one hash, in every record and on every gateway with the same key, so that values can still be counted
//!   and joined. Without the key nobody can try values out.
//!
//! | action | in the record |
//! |---|---|
//! | drop | the feature is not there |
//! | hash | 32 hexadecimal digits of HMAC-SHA-256 of the value's text; of a number, its shortest text (`30`, `0.1`, `1e21`) |
//! | bucket | of a number, the half-open interval it lies in, as `[20,30)` |
//!
//! A missing value stays missing.

use std::{borrow::Cow, fmt};

use hmac::{Hmac, Mac as _};
use record::Values;
use sha2::Sha256;
use spool::channel::Secret;

use crate::schema::Schema;

/// Fewest bytes of a key: as many as it would take too long to guess.
pub const KEY_BYTES: usize = 16;
/// Most bytes of a hash or an interval in a record.
pub(crate) const VALUE_BYTES: usize = 64;
/// Bytes of a hash that are kept.
const HASH_BYTES: usize = 16;
/// A value this near below the border of an interval, as a part of its width, lies behind it: 0.3 is three times 0.1,
/// whatever binary fractions make of that.
const BORDER: f64 = 1e-9;

/// What a deployment keeps out of its records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrivacySettings {
    /// What happens to which feature; one that is not named stays as it is.
    pub rules: Vec<PrivacyRule>,
    /// Whether association ids are hashed. Whoever reports actuals must hash theirs in the same way.
    pub hash_association_ids: bool,
    /// The key of the hashes.
    pub key: Option<Secret>,
}

/// What happens to one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct PrivacyRule {
    /// Its name.
    pub feature: String,
    /// What happens to it.
    pub action: PrivacyAction,
}

/// What happens to a value.
#[derive(Clone, Debug, PartialEq)]
pub enum PrivacyAction {
    /// It is left out.
    Drop,
    /// It is hashed.
    Hash,
    /// It becomes an interval of this width, one of which begins at 0.
    Width(f64),
    /// It becomes the interval between two of these, or one that is open on one side.
    Edges(Vec<f64>),
}

/// The settings make no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrivacyError {
    /// The model has no such feature.
    #[error("keep {feature:?} private: there is no such feature; there are {}", features.join(", "))]
    NoFeature {
        /// What was named.
        feature: String,
        /// The features that there are.
        features: Vec<String>,
    },
    /// Two rules are about one feature.
    #[error("keep {0:?} private: it is named twice")]
    Twice(String),
    /// Only numbers lie in intervals.
    #[error(
        "keep {0:?} private: it has levels, and only numbers can be put into buckets; drop or hash it"
    )]
    Levels(String),
    /// The width is none.
    #[error("keep {0:?} private: width must be a number above 0")]
    Width(String),
    /// The edges are none.
    #[error(
        "keep {0:?} private: edges must be numbers, each larger than the one before, and at least one"
    )]
    Edges(String),
    /// There is nothing to hash with.
    #[error("hash what is private: there is no key; give a privacy_key_file")]
    NoKey,
    /// The key is easily guessed.
    #[error("hash what is private: the key has {0} bytes, and must have at least {KEY_BYTES}")]
    ShortKey(usize),
}

/// The settings, put together with a model's features.
#[derive(Clone, Default)]
pub(crate) struct Privacy {
    /// By the features' places; none when everything stays as it is.
    actions: Vec<Option<PrivacyAction>>,
    hash_association_ids: bool,
    /// Keyed and ready.
    mac: Option<Hmac<Sha256>>,
}

impl fmt::Debug for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Privacy").field("actions", &self.actions).finish_non_exhaustive()
    }
}

impl Privacy {
    pub(crate) fn new(settings: &PrivacySettings, schema: &Schema) -> Result<Self, PrivacyError> {
        let mut actions = vec![None; schema.inputs().len()];
        for PrivacyRule { feature, action } in &settings.rules {
            let place = schema.inputs().iter().position(|input| *input.name == **feature);
            let Some(place) = place else {
                let features = schema.inputs().iter().map(|input| input.name.to_string());
                let features = features.collect();
                return Err(PrivacyError::NoFeature { feature: feature.clone(), features });
            };
            let has_levels = schema.inputs()[place].category.is_some();
            check(feature, action, has_levels)?;
            if actions[place].replace(action.clone()).is_some() {
                return Err(PrivacyError::Twice(feature.clone()));
            }
        }
        if settings.rules.is_empty() {
            actions.clear();
        }
        let hashes = settings.hash_association_ids
            || settings.rules.iter().any(|rule| rule.action == PrivacyAction::Hash);
        let mac = match &settings.key {
            None if hashes => return Err(PrivacyError::NoKey),
            None => None,
            Some(key) => Some(keyed(key)?),
        };
        Ok(Self { actions, hash_association_ids: settings.hash_association_ids, mac })
    }

    /// What happens to the feature with this place.
    fn action(&self, place: usize) -> Option<&PrivacyAction> {
        self.actions.get(place)?.as_ref()
    }

    /// Whether the feature's values may be recorded as they are.
    pub(crate) fn keeps(&self, place: usize) -> bool {
        self.action(place).is_none()
    }

    /// How many values of a row, its association id among them, are recorded as something else.
    pub(crate) fn changed_values(&self) -> usize {
        self.actions.iter().flatten().count() + usize::from(self.hash_association_ids)
    }

    /// A column of numbers as it may be recorded; none when it may not be.
    pub(crate) fn numbers<'a>(
        &self,
        place: usize,
        values: impl Iterator<Item = f64>,
    ) -> Option<Values<'a>> {
        let text = |value: f64| match self.action(place) {
            _ if value.is_nan() => None,
            Some(PrivacyAction::Width(width)) => Some(by_width(value, *width)),
            Some(PrivacyAction::Edges(edges)) => Some(by_edges(value, edges)),
            _ => self.hash(&shortest(value)),
        };
        match self.action(place) {
            Some(PrivacyAction::Drop) => None,
            _ => Some(Values::Texts(values.map(|value| text(value).map(Cow::Owned)).collect())),
        }
    }

    /// A column of levels as it may be recorded; none when it may not be.
    pub(crate) fn levels<'a, 'b>(
        &self,
        place: usize,
        values: impl Iterator<Item = Option<&'b str>>,
    ) -> Option<Values<'a>> {
        match self.action(place) {
            Some(PrivacyAction::Drop) => None,
            _ => {
                let hash = |value: Option<&str>| Some(Cow::Owned(self.hash(value?)?));
                Some(Values::Texts(values.map(hash).collect()))
            }
        }
    }

    /// An association id as it may be recorded.
    pub(crate) fn association_id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        match self.hash_association_ids.then(|| self.hash(id)).flatten() {
            Some(hash) => Cow::Owned(hash),
            None => Cow::Borrowed(id),
        }
    }

    /// None without a key, which [`Self::new`] lets nobody hash without.
    fn hash(&self, text: &str) -> Option<String> {
        let mut mac = self.mac.clone()?;
        mac.update(text.as_bytes());
        let hash = mac.finalize().into_bytes();
        Some(hash[..HASH_BYTES].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn check(feature: &str, action: &PrivacyAction, has_levels: bool) -> Result<(), PrivacyError> {
    let feature = || feature.to_owned();
    let rises = |edges: &[f64]| {
        edges.iter().all(|edge| edge.is_finite()) && edges.windows(2).all(|two| two[0] < two[1])
    };
    match action {
        PrivacyAction::Width(_) | PrivacyAction::Edges(_) if has_levels => {
            Err(PrivacyError::Levels(feature()))
        }
        PrivacyAction::Width(width) if !(width.is_finite() && *width > 0.0) => {
            Err(PrivacyError::Width(feature()))
        }
        PrivacyAction::Edges(edges) if edges.is_empty() || !rises(edges) => {
            Err(PrivacyError::Edges(feature()))
        }
        _ => Ok(()),
    }
}

fn keyed(key: &Secret) -> Result<Hmac<Sha256>, PrivacyError> {
    let key = key.reveal().as_bytes();
    match Hmac::new_from_slice(key) {
        Ok(mac) if key.len() >= KEY_BYTES => Ok(mac),
        _ => Err(PrivacyError::ShortKey(key.len())),
    }
}

fn by_width(value: f64, width: f64) -> String {
    let place = (value / width + BORDER).floor();
    interval(&shortest(tidy(place * width)), &shortest(tidy((place + 1.0) * width)))
}

fn by_edges(value: f64, edges: &[f64]) -> String {
    let above = edges.partition_point(|edge| *edge <= value);
    let edge = |place: usize| edges.get(place).map(|edge| shortest(*edge));
    match (above.checked_sub(1).and_then(edge), edge(above)) {
        (None, end) => format!("(-inf,{})", end.unwrap_or_default()),
        (Some(start), None) => format!("[{start},inf)"),
        (Some(start), Some(end)) => interval(&start, &end),
    }
}

fn interval(start: &str, end: &str) -> String {
    format!("[{start},{end})")
}

/// Without the last digits, in which multiples of a decimal fraction differ from their decimal text.
fn tidy(value: f64) -> f64 {
    format!("{value:.12e}").parse().unwrap_or(value)
}

/// The shortest text that reads back as the same number; without an exponent where people would write none.
fn shortest(value: f64) -> String {
    // `+ 0.0` turns -0 into 0.
    let (value, size) = (value + 0.0, value.abs());
    if size == 0.0 || (1e-5..1e16).contains(&size) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

#[cfg(test)]
mod tests {
    use models::schema::{Feature, Kind, Missing, Unknown};

    use super::*;

    const KEY: &str = "0123456789abcdef";
    /// HMAC-SHA-256 of "30", "0.1", "1e21" and "a" with that key, by another program: half of it.
    const KNOWN: [&str; 4] = [
        "f1d3b564a90f9c63bd3f9fabc50f6a9d",
        "dc5c1a329ba856271ddcb1bb5c015ba2",
        "cfcc56380a26d58734c74302049214c4",
        "0c806ca38a87cad91ed9f55abcb2a453",
    ];

    fn schema() -> Schema {
        let kinds = [("age", Kind::Numeric), ("ward", Kind::Categorical(vec!["a".to_owned()]))];
        let features = kinds.map(|(name, kind)| Feature {
            name: name.to_owned(),
            kind,
            missing: Missing::Keep,
            unknown: Unknown::Other,
        });
        Schema::new(&features, "associationId").unwrap()
    }

    fn settings(feature: &str, action: PrivacyAction) -> PrivacySettings {
        PrivacySettings {
            rules: vec![PrivacyRule { feature: feature.to_owned(), action }],
            hash_association_ids: false,
            key: Some(Secret::new(KEY)),
        }
    }

    fn numbers(action: PrivacyAction, values: &[f64]) -> Vec<Option<String>> {
        let privacy = Privacy::new(&settings("age", action), &schema()).unwrap();
        let Some(Values::Texts(texts)) = privacy.numbers(0, values.iter().copied()) else {
            panic!("no texts")
        };
        texts.into_iter().map(|text| text.map(Cow::into_owned)).collect()
    }

    #[test]
    fn hashes_are_those_of_any_other_program_with_the_key() {
        let hashed = numbers(PrivacyAction::Hash, &[30.0, 0.1, 1e21, -0.0, 0.0, f64::NAN]);
        assert_eq!(hashed[3], hashed[4]);
        assert_eq!(hashed[5], None);
        let privacy = Privacy::new(&settings("ward", PrivacyAction::Hash), &schema()).unwrap();
        let Some(Values::Texts(levels)) = privacy.levels(1, [Some("a"), None].into_iter()) else {
            panic!("no texts")
        };
        assert_eq!(levels[1], None);
        let known = [&hashed[0], &hashed[1], &hashed[2]].map(|hash| hash.as_deref().unwrap());
        assert_eq!(known, KNOWN[..3]);
        assert_eq!(levels[0].as_deref(), Some(KNOWN[3]));
        assert!(privacy.keeps(0) && !privacy.keeps(1));
        assert_eq!(privacy.association_id("a"), "a");
        let both = PrivacySettings { hash_association_ids: true, ..PrivacySettings::default() };
        let both = PrivacySettings { key: Some(Secret::new(KEY)), ..both };
        assert_eq!(Privacy::new(&both, &schema()).unwrap().association_id("a"), KNOWN[3]);
        assert!(!format!("{privacy:?} {both:?}").contains(KEY));
    }

    #[test]
    fn numbers_lie_in_half_open_intervals() {
        let widths =
            numbers(PrivacyAction::Width(10.0), &[20.0, 29.999, 30.0, -0.5, 0.0, 1e300, f64::NAN]);
        let widths: Vec<_> = widths.iter().map(Option::as_deref).collect();
        assert_eq!(widths[..5], ["[20,30)", "[20,30)", "[30,40)", "[-10,0)", "[0,10)"].map(Some));
        assert!(widths[5].unwrap().len() <= VALUE_BYTES);
        assert_eq!(widths[6], None);
        let tenths = numbers(PrivacyAction::Width(0.1), &[0.3, 0.7, 0.25]);
        let tenths: Vec<_> = tenths.iter().map(|text| text.as_deref().unwrap()).collect();
        assert_eq!(tenths, ["[0.3,0.4)", "[0.7,0.8)", "[0.2,0.3)"]);
        let edges = numbers(PrivacyAction::Edges(vec![18.0, 65.5]), &[17.9, 18.0, 65.4, 65.5]);
        let edges: Vec<_> = edges.iter().map(|text| text.as_deref().unwrap()).collect();
        assert_eq!(edges, ["(-inf,18)", "[18,65.5)", "[18,65.5)", "[65.5,inf)"]);
    }

    #[test]
    fn what_is_dropped_is_not_there() {
        for (feature, place) in [("age", 0), ("ward", 1)] {
            let privacy = Privacy::new(&settings(feature, PrivacyAction::Drop), &schema()).unwrap();
            assert!(!privacy.keeps(place));
            assert_eq!(privacy.numbers(place, [1.0].into_iter()), None);
            assert_eq!(privacy.levels(place, [Some("a")].into_iter()), None);
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        let fault = |settings: &PrivacySettings| Privacy::new(settings, &schema()).unwrap_err();
        let named = fault(&settings("aeg", PrivacyAction::Drop)).to_string();
        assert!(named.contains("\"aeg\"") && named.contains("age, ward"), "{named}");
        let name = |name: &str| name.to_owned();
        let cases = [
            (settings("ward", PrivacyAction::Width(1.0)), PrivacyError::Levels(name("ward"))),
            (settings("age", PrivacyAction::Width(0.0)), PrivacyError::Width(name("age"))),
            (
                settings("age", PrivacyAction::Width(f64::INFINITY)),
                PrivacyError::Width(name("age")),
            ),
            (settings("age", PrivacyAction::Edges(vec![])), PrivacyError::Edges(name("age"))),
            (
                settings("age", PrivacyAction::Edges(vec![2.0, 2.0])),
                PrivacyError::Edges(name("age")),
            ),
            (
                PrivacySettings { key: None, ..settings("age", PrivacyAction::Hash) },
                PrivacyError::NoKey,
            ),
            (
                PrivacySettings {
                    key: Some(Secret::new(&KEY[1..])),
                    ..settings("age", PrivacyAction::Hash)
                },
                PrivacyError::ShortKey(15),
            ),
        ];
        for (settings, expected) in cases {
            assert_eq!(fault(&settings), expected);
        }
        let mut twice = settings("age", PrivacyAction::Drop);
        twice.rules.push(twice.rules[0].clone());
        assert_eq!(fault(&twice), PrivacyError::Twice(name("age")));
    }
}
