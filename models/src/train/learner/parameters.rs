//! Reading hyper-parameters from text.

use std::collections::BTreeMap;

use super::Algorithm;
use crate::train::nearest::nearest;

/// Why a hyper-parameter is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ParameterError {
    /// A name that the algorithm does not have.
    #[error("set `{name}`: {algorithm} has no such parameter{}; it has {}", nearest.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default(), known(known_names))]
    Unknown {
        /// The name.
        name: String,
        /// The algorithm.
        algorithm: Algorithm,
        /// The name that is most like it.
        nearest: Option<String>,
        /// The names that it has, with the other settings as they are.
        known_names: Vec<String>,
    },
    /// A value that the parameter cannot have.
    #[error("set `{name}`: {algorithm} cannot take `{value}`; it must be {form}")]
    Value {
        /// The name.
        name: &'static str,
        /// The algorithm.
        algorithm: Algorithm,
        /// The value.
        value: String,
        /// What it must be.
        form: String,
    },
}

fn known(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The parameters of one algorithm while they are read.
pub(super) struct Parameters<'a> {
    algorithm: Algorithm,
    given: &'a BTreeMap<String, String>,
    /// What has been asked for, with what it is now.
    asked: BTreeMap<String, String>,
}

/// What a number may be.
#[derive(Clone, Copy)]
pub(super) enum Range {
    Any,
    Above(f64),
    AtLeast(f64),
    Within(f64, f64),
}

impl Range {
    /// The number that a text is, if it is finite and in the range.
    pub(super) fn parse(self, text: &str) -> Option<f64> {
        let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
        let fits = match self {
            Self::Any => true,
            Self::Above(least) => number > least,
            Self::AtLeast(least) => number >= least,
            Self::Within(least, most) => (least..=most).contains(&number),
        };
        fits.then_some(number)
    }

    fn form(self) -> String {
        match self {
            Self::Any => "a number".to_owned(),
            Self::Above(least) => format!("a number above {least}"),
            Self::AtLeast(least) => format!("a number from {least}"),
            Self::Within(least, most) => format!("a number from {least} to {most}"),
        }
    }
}

impl<'a> Parameters<'a> {
    pub(super) fn new(algorithm: Algorithm, given: &'a BTreeMap<String, String>) -> Self {
        Self { algorithm, given, asked: BTreeMap::new() }
    }

    pub(super) fn real(
        &mut self,
        name: &'static str,
        default: f64,
        range: Range,
    ) -> Result<f64, ParameterError> {
        self.parsed(name, &format!("{default:?}"), &range.form(), |text| range.parse(text))
    }

    pub(super) fn whole(
        &mut self,
        name: &'static str,
        default: u64,
        least: u64,
        most: u64,
    ) -> Result<u64, ParameterError> {
        self.parsed(
            name,
            &default.to_string(),
            &format!("a whole number from {least} to {most}"),
            |text| text.parse().ok().filter(|number| (least..=most).contains(number)),
        )
    }

    /// One of the choices, of which the first is the default.
    pub(super) fn choice<'c>(
        &mut self,
        name: &'static str,
        choices: &[&'c str],
    ) -> Result<&'c str, ParameterError> {
        let default = choices.first().copied().unwrap_or_default();
        self.parsed(name, default, &format!("one of {}", choices.join(", ")), |text| {
            choices.iter().copied().find(|choice| *choice == text)
        })
    }

    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        default: &str,
        form: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ParameterError> {
        let text = self.given.get(name).map_or(default, |given| given.trim());
        self.asked.insert(name.to_owned(), text.to_owned());
        parse(text).ok_or_else(|| ParameterError::Value {
            name,
            algorithm: self.algorithm,
            value: text.to_owned(),
            form: form.to_owned(),
        })
    }

    /// All that was asked for. What was given and not asked for is an error.
    pub(super) fn finish(self) -> Result<BTreeMap<String, String>, ParameterError> {
        match self.given.keys().find(|name| !self.asked.contains_key(*name)) {
            None => Ok(self.asked),
            Some(name) => Err(ParameterError::Unknown {
                name: name.clone(),
                algorithm: self.algorithm,
                nearest: nearest(name, self.asked.keys().map(String::as_str)),
                known_names: self.asked.into_keys().collect(),
            }),
        }
    }
}
