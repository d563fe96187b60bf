//! Rows with their predictions, column by column.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::lenient::{Got, List, Shape, Text, TextOrNull, Time};
use super::{Entry, Fault, Origin, take};
use crate::wire::timestamp::Moment;

/// An entry of a `predictionInputs/fromJSON/` call. All columns, the predictions and the association ids that are
/// there have the same length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputEntry<'a> {
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// When; none when it does not say.
    pub timestamp: Option<Moment>,
    /// The model that answered.
    pub model_id: Option<Cow<'a, str>>,
    /// The batch that the rows belong to.
    pub batch_id: Option<Cow<'a, str>>,
    /// The columns, in the order in which they were written.
    pub features: Vec<Column<'a>>,
    /// One a row.
    pub predictions: Option<Predictions<'a>>,
    /// One a row.
    pub association_ids: Option<Vec<Option<Cow<'a, str>>>>,
    /// The classes, in the order of the probabilities of a prediction.
    pub class_names: Vec<Cow<'a, str>>,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// One value a row.
    pub values: Values<'a>,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values<'a> {
    /// All are numbers; NaN where one is missing.
    Numbers(Vec<f64>),
    /// Others.
    Mixed(Vec<Value<'a>>),
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// There is none.
    Missing,
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
}

/// The predictions, one a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictions<'a> {
    /// Of a regression; NaN where one is missing.
    Numbers(Vec<f64>),
    /// Probabilities: so many a row, one row after the other.
    Probabilities {
        /// How many a row.
        classes: usize,
        /// All of them.
        values: Vec<f64>,
    },
    /// Texts, and whatever is mixed with them.
    Texts(Vec<Value<'a>>),
}

impl Values<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Mixed(values) => values.len(),
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Values<'_> {
    fn default() -> Self {
        Self::Numbers(Vec::new())
    }
}

impl Predictions<'_> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Probabilities { classes, values } => values.len() / (*classes).max(1),
            Self::Texts(values) => values.len(),
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl InputEntry<'_> {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        let predictions = self.predictions.as_ref().map(Predictions::len);
        predictions.or_else(|| self.features.first().map(|one| one.values.len())).unwrap_or(0)
    }
}

impl<'de> Shape<'de> for Value<'de> {
    const MUST_BE: &'static str = "a number, a text, true, false or null";

    fn null() -> Option<Self> {
        Some(Self::Missing)
    }
    fn boolean(value: bool) -> Option<Self> {
        Some(Self::Boolean(value))
    }
    fn number(value: f64) -> Option<Self> {
        Some(Self::Number(value))
    }
    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self::Text(text))
    }
}

impl<'de> Shape<'de> for Values<'de> {
    const MUST_BE: &'static str = "a list";

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Result<Self, Fault>, A::Error> {
        let mut numbers = Vec::new();
        let mut mixed = Vec::new();
        let mut fault = None;
        while let Some(Got(value)) = list.next_element::<Got<Value<'de>>>()? {
            let at = numbers.len() + mixed.len();
            let value = match value {
                Ok(value) => value.unwrap_or(Value::Missing),
                Err(wrong) => {
                    fault.get_or_insert_with(|| wrong.within(&format!("[{at}]")));
                    continue;
                }
            };
            match value {
                Value::Number(number) if mixed.is_empty() => numbers.push(number),
                Value::Missing if mixed.is_empty() => numbers.push(f64::NAN),
                other => {
                    let numbers = std::mem::take(&mut numbers).into_iter();
                    mixed.extend(numbers.map(|number| match number.is_nan() {
                        true => Value::Missing,
                        false => Value::Number(number),
                    }));
                    mixed.push(other);
                }
            }
        }
        Ok(match fault {
            Some(fault) => Err(fault),
            None if mixed.is_empty() => Ok(Self::Numbers(numbers)),
            None => Ok(Self::Mixed(mixed)),
        })
    }
}

/// A prediction: one value, or probabilities.
enum Prediction<'a> {
    One(Value<'a>),
    Many(Vec<f64>),
}

impl<'de> Shape<'de> for Prediction<'de> {
    const MUST_BE: &'static str = "a number, a text, null or a list of numbers";

    fn null() -> Option<Self> {
        Some(Self::One(Value::Missing))
    }
    fn number(value: f64) -> Option<Self> {
        Some(Self::One(Value::Number(value)))
    }
    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self::One(Value::Text(text)))
    }
    fn list<A: SeqAccess<'de>>(list: A) -> Result<Result<Self, Fault>, A::Error> {
        Ok(match Values::list(list)? {
            Ok(Values::Numbers(values)) => Ok(Self::Many(values)),
            Ok(Values::Mixed(_)) => Err(Self::fault("a list of something else")),
            Err(fault) => Err(fault),
        })
    }
}

impl<'de> Shape<'de> for Predictions<'de> {
    const MUST_BE: &'static str = "a list";

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Result<Self, Fault>, A::Error> {
        let mut ones = Vec::new();
        let mut many = Vec::new();
        let mut classes = 0;
        let mut fault = None;
        let mut at = 0_usize;
        while let Some(Got(value)) = list.next_element::<Got<Prediction<'de>>>()? {
            let wrong = match value {
                Err(wrong) => Some(wrong),
                Ok(Some(Prediction::Many(_))) if !ones.is_empty() => {
                    Some(Fault::new("", "must be of the kind of the predictions before it"))
                }
                Ok(Some(Prediction::Many(row))) if at > 0 && row.len() != classes => {
                    Some(Fault::new(
                        "",
                        format!("must have {classes} probabilities as the row before it"),
                    ))
                }
                Ok(Some(Prediction::Many(row))) if row.is_empty() => {
                    Some(Fault::new("", "must have a probability for each class"))
                }
                Ok(Some(Prediction::Many(row))) => {
                    classes = row.len();
                    many.extend(row);
                    None
                }
                // A row without a prediction, among others that have their probabilities.
                Ok(None | Some(Prediction::One(Value::Missing))) if classes > 0 => {
                    many.extend(std::iter::repeat_n(f64::NAN, classes));
                    None
                }
                Ok(Some(Prediction::One(_))) if classes > 0 => {
                    Some(Fault::new("", "must be of the kind of the predictions before it"))
                }
                Ok(Some(Prediction::One(value))) => {
                    ones.push(value);
                    None
                }
                Ok(None) => {
                    ones.push(Value::Missing);
                    None
                }
            };
            if let Some(wrong) = wrong {
                fault.get_or_insert_with(|| wrong.within(&format!("[{at}]")));
            }
            at += 1;
        }
        if let Some(fault) = fault {
            return Ok(Err(fault));
        }
        if classes > 0 {
            return Ok(Ok(Self::Probabilities { classes, values: many }));
        }
        let number = |value: &Value<'_>| match value {
            Value::Number(number) => Some(*number),
            Value::Missing => Some(f64::NAN),
            _other => None,
        };
        let numbers = ones.iter().map(number).collect::<Option<Vec<f64>>>();
        Ok(Ok(numbers.map_or(Self::Texts(ones), Self::Numbers)))
    }
}

impl<'de> Shape<'de> for Column<'de> {
    const MUST_BE: &'static str = "an object with `name` and `values`";

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Fault>, A::Error> {
        let (mut name, mut values, mut fault) = (None, None, None);
        while let Some(Got(key)) = map.next_key::<Got<Text<'de>>>()? {
            match key.as_ref().ok().and_then(|key| key.as_ref().map(|text| &*text.0)) {
                Some("name") => {
                    super::field::<Text<'de>, A>(&mut map, "name", &mut name, &mut fault)?
                }
                Some("values") => {
                    super::field::<Values<'de>, A>(&mut map, "values", &mut values, &mut fault)?;
                }
                _other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(match (fault, name, values) {
            (Some(fault), _, _) => Err(fault),
            (None, Some(Text(name)), Some(values)) => Ok(Self { name, values }),
            (None, None, _) => Err(Fault::new("name", "is missing")),
            (None, _, None) => Err(Fault::new("values", "is missing")),
        })
    }
}

/// The columns, in either of two forms: the server's list, and the object of a message.
struct Columns<'a>(Vec<Column<'a>>);

impl<'de> Shape<'de> for Columns<'de> {
    const MUST_BE: &'static str = "a list of {name, values}";

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Result<Self, Fault>, A::Error> {
        Ok(List::list(list)?.map(|columns| Self(columns.0)))
    }
    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Fault>, A::Error> {
        let mut columns = Vec::new();
        let mut fault = None;
        while let Some(Got(key)) = map.next_key::<Got<Text<'de>>>()? {
            let name = key.ok().flatten().map_or(Cow::Borrowed(""), |text| text.0);
            let mut values = None;
            super::field::<Values<'de>, A>(&mut map, &name, &mut values, &mut fault)?;
            columns.extend(values.map(|values| Column { name, values }));
        }
        Ok(fault.map_or(Ok(Self(columns)), Err))
    }
}

impl<'de> Entry<'de> for InputEntry<'de> {
    fn take<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        fault: &mut Option<Fault>,
    ) -> Result<bool, A::Error> {
        match key {
            "timestamp" => take!(map, fault, key, Time => self.timestamp),
            "modelId" => take!(map, fault, key, Text<'de> => self.model_id),
            "batchId" => take!(map, fault, key, Text<'de> => self.batch_id),
            "features" => take!(map, fault, key, Columns<'de> => self.features),
            "predictions" => super::field(map, key, &mut self.predictions, fault)?,
            "associationIds" => {
                let mut ids: Option<List<TextOrNull<'de>>> = None;
                super::field(map, key, &mut ids, fault)?;
                self.association_ids = ids.map(|ids| ids.0.into_iter().map(|id| id.0).collect());
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
        if self.features.is_empty() && self.predictions.is_none() {
            return Err(Fault::new(
                "features",
                "is missing, and so is `predictions`: there are no rows",
            ));
        }
        let rows = self.rows();
        let uneven = |field: String, found: usize| {
            if found == rows {
                return Ok(());
            }
            Err(Fault::new(
                field,
                format!("must have one value for each of the {rows} rows, not {found}"),
            ))
        };
        let mut seen = HashSet::with_capacity(self.features.len());
        for (at, column) in self.features.iter().enumerate() {
            if !seen.insert(&column.name) {
                return Err(Fault::new(format!("features[{at}].name"), "must be there once"));
            }
            if column.values.len() != rows {
                uneven(format!("features[{at}].values"), column.values.len())?;
            }
        }
        if let Some(ids) = &self.association_ids {
            uneven("associationIds".to_owned(), ids.len())?;
        }
        Ok(())
    }
}
