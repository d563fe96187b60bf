//! Rows with their predictions, summed up where they were made.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::lenient::{Float, Got, List, Shape, Text, Time, Whole};
use super::{Entry, Fault, Origin, take};
use crate::wire::timestamp::Moment;

/// An entry of a `predictionStats/fromJSON/` call. Its segments are not read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatsEntry<'a> {
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// All messages that are in it, where it is made of several.
    pub record_ids: Vec<Cow<'a, str>>,
    /// When; none when it does not say.
    pub timestamp: Option<Moment>,
    /// The model that answered.
    pub model_id: Option<Cow<'a, str>>,
    /// The classes, in the order of the predictions.
    pub class_names: Vec<Cow<'a, str>>,
    /// The columns.
    pub features: Vec<SummedFeature<'a>>,
    /// One for a regression, one for each class otherwise.
    pub predictions: Vec<Summary<'a>>,
}

/// A column, summed up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SummedFeature<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What its values came to.
    pub stats: Summary<'a>,
}

/// What the values of a column came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary<'a> {
    /// Values that are there.
    pub count: u64,
    /// Values that are not.
    pub missing: u64,
    /// Their sum, of numbers.
    pub sum: Option<f64>,
    /// Numbers: centres with how many values are about them.
    pub centroids: Vec<(f64, i64)>,
    /// Levels: how often each was there.
    pub levels: Vec<(Cow<'a, str>, u64)>,
    /// Rows in which this class won.
    pub decisions: Option<u64>,
}

impl StatsEntry<'_> {
    /// How many rows it stands for.
    pub fn rows(&self) -> u64 {
        let all = self.predictions.iter().chain(self.features.iter().map(|one| &one.stats));
        all.map(|stats| stats.count.saturating_add(stats.missing)).next().unwrap_or(0)
    }
}

/// A number of rows.
struct Count(u64);

impl<'de> Shape<'de> for Count {
    const MUST_BE: &'static str = "a whole number from 0 on";

    fn whole(value: i64) -> Option<Self> {
        u64::try_from(value).ok().map(Self)
    }
    fn number(value: f64) -> Option<Self> {
        Whole::number(value).and_then(|whole| Self::whole(whole.0))
    }
    fn text(text: Cow<'de, str>) -> Option<Self> {
        Whole::text(text).and_then(|whole| Self::whole(whole.0))
    }
}

/// Two lists beside each other.
struct Pairs<K>(Vec<(K, u64)>);

impl<'de, K: Shape<'de> + Named> Shape<'de> for Pairs<K> {
    const MUST_BE: &'static str = "an object with two lists";

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Fault>, A::Error> {
        let (mut keys, mut counts, mut fault) = (None, None, None);
        while let Some(Got(key)) = map.next_key::<Got<Text<'de>>>()? {
            match key.as_ref().ok().and_then(|key| key.as_ref().map(|text| &*text.0)) {
                Some(name) if name == K::LIST => {
                    super::field::<List<K>, A>(&mut map, K::LIST, &mut keys, &mut fault)?;
                }
                Some("counts") => {
                    super::field::<List<Count>, A>(&mut map, "counts", &mut counts, &mut fault)?;
                }
                _other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if let Some(fault) = fault {
            return Ok(Err(fault));
        }
        let keys: Vec<K> = keys.map(|keys| keys.0).unwrap_or_default();
        let counts: Vec<Count> = counts.map(|counts| counts.0).unwrap_or_default();
        if keys.len() != counts.len() {
            let reason = format!("must have one number for each of the {} {}", keys.len(), K::LIST);
            return Ok(Err(Fault::new("counts", reason)));
        }
        Ok(Ok(Self(keys.into_iter().zip(counts.into_iter().map(|count| count.0)).collect())))
    }
}

/// The list beside `counts`.
trait Named {
    const LIST: &'static str;
}
impl Named for Float {
    const LIST: &'static str = "centroids";
}
impl Named for Text<'_> {
    const LIST: &'static str = "values";
}

impl<'de> Summary<'de> {
    /// Reads a key of the object; the parts may be in objects of their own.
    fn take<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        fault: &mut Option<Fault>,
    ) -> Result<(), A::Error> {
        match key {
            "count" => take!(map, fault, key, Count => self.count),
            "missingCount" => take!(map, fault, key, Count => self.missing),
            "sum" => take!(map, fault, key, Float => self.sum),
            "decisionCount" => take!(map, fault, key, Count => self.decisions),
            "histogram" => {
                let mut pairs: Option<Pairs<Float>> = None;
                super::field(map, key, &mut pairs, fault)?;
                let pairs = pairs.into_iter().flat_map(|pairs| pairs.0);
                self.centroids = pairs
                    .map(|(centre, count)| (centre.0, i64::try_from(count).unwrap_or(i64::MAX)))
                    .collect();
            }
            "categories" => {
                let mut pairs: Option<Pairs<Text<'de>>> = None;
                super::field(map, key, &mut pairs, fault)?;
                let pairs = pairs.into_iter().flat_map(|pairs| pairs.0);
                self.levels = pairs.map(|(level, count)| (level.0, count)).collect();
            }
            "stats" | "numericStats" | "categoricalStats" => {
                let mut inner: Option<Summary<'de>> = None;
                super::field(map, key, &mut inner, fault)?;
                if let Some(inner) = inner {
                    let Self { count, missing, sum, centroids, levels, decisions } = inner;
                    self.count = self.count.max(count);
                    self.missing = self.missing.max(missing);
                    self.sum = self.sum.or(sum);
                    self.decisions = self.decisions.or(decisions);
                    self.centroids.extend(centroids);
                    self.levels.extend(levels);
                }
            }
            _other => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'de> Shape<'de> for Summary<'de> {
    const MUST_BE: &'static str = "an object";

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Fault>, A::Error> {
        let mut stats = Self::default();
        let mut fault = None;
        while let Some(Got(key)) = map.next_key::<Got<Text<'de>>>()? {
            let key = key.ok().flatten().map_or(Cow::Borrowed(""), |text| text.0);
            stats.take(&key, &mut map, &mut fault)?;
        }
        Ok(fault.map_or(Ok(stats), Err))
    }
}

impl<'de> Shape<'de> for SummedFeature<'de> {
    const MUST_BE: &'static str = "an object with `name` and `stats`";

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Fault>, A::Error> {
        let mut name = None;
        let mut stats = Summary::default();
        let mut fault = None;
        while let Some(Got(key)) = map.next_key::<Got<Text<'de>>>()? {
            let key = key.ok().flatten().map_or(Cow::Borrowed(""), |text| text.0);
            match &*key {
                "name" => super::field::<Text<'de>, A>(&mut map, "name", &mut name, &mut fault)?,
                other => stats.take(other, &mut map, &mut fault)?,
            }
        }
        Ok(match (fault, name) {
            (Some(fault), _) => Err(fault),
            (None, Some(Text(name))) => Ok(Self { name, stats }),
            (None, None) => Err(Fault::new("name", "is missing")),
        })
    }
}

/// The predictions: one object, or one for each class.
struct Summaries<'a>(Vec<Summary<'a>>);

impl<'de> Shape<'de> for Summaries<'de> {
    const MUST_BE: &'static str = "an object, or a list of objects";

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Result<Self, Fault>, A::Error> {
        Ok(List::list(list)?.map(|all| Self(all.0)))
    }
    fn object<A: MapAccess<'de>>(map: A) -> Result<Result<Self, Fault>, A::Error> {
        Ok(Summary::object(map)?.map(|one| Self(vec![one])))
    }
}

impl<'de> Entry<'de> for StatsEntry<'de> {
    fn take<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        fault: &mut Option<Fault>,
    ) -> Result<bool, A::Error> {
        match key {
            "timestamp" => take!(map, fault, key, Time => self.timestamp),
            "modelId" => take!(map, fault, key, Text<'de> => self.model_id),
            "features" => take!(map, fault, key, List<SummedFeature<'de>> => self.features),
            "predictions" => take!(map, fault, key, Summaries<'de> => self.predictions),
            "recordIds" => {
                let mut ids: Option<List<Text<'de>>> = None;
                super::field(map, key, &mut ids, fault)?;
                self.record_ids = ids.into_iter().flat_map(|all| all.0).map(|id| id.0).collect();
            }
            "classNames" => {
                let mut names: Option<List<Text<'de>>> = None;
                super::field(map, key, &mut names, fault)?;
                self.class_names =
                    names.into_iter().flat_map(|all| all.0).map(|name| name.0).collect();
            }
            _other => return Ok(false),
        }
        Ok(true)
    }
    fn empty() -> Self {
        Self::default()
    }
    fn origin(&mut self) -> &mut Origin<'de> {
        &mut self.origin
    }
    fn check(&mut self) -> Result<(), Fault> {
        if self.features.is_empty() && self.predictions.is_empty() {
            return Err(Fault::new(
                "features",
                "is missing, and so is `predictions`: there are no rows",
            ));
        }
        Ok(())
    }
}
