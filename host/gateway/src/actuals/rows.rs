//! Actuals on their way from a door: fields by name become outcomes.
//!
//! | field | also | in it |
//! |---|---|---|
//! | `associationId` | `association_id`, the deployment's own column | a text of at most [`ASSOCIATION_ID_CHARS`] |
//! | `actualValue` | `actual_value` | a finite number, or a label of at most [`ACTUAL_TEXT_CHARS`] |
//! | `timestamp` | | a point in time; may be left out |
//! | `wasActedOn` | `was_acted_on` | true or false; may be left out |
//!
//! In the text doors a value that looks like a number is one; JSON tells the two apart. One association id comes once in a
//! request: of two outcomes for it nobody could tell which is meant.

use std::borrow::Cow;

use record::{
    Actual, ActualValue,
    wire::{Moment, Timestamp},
};

use crate::{
    door::Fill,
    fault::{BadRequest, Reason},
    number::{self, NotNumber},
    settings::{ACTUAL_TEXT_CHARS, ASSOCIATION_ID_CHARS, UnknownNames},
};

/// Outcomes as they were told, at least one.
#[derive(Debug)]
pub(super) struct Told<'b> {
    pub(super) actuals: Vec<Actual<'b>>,
    /// Fields that were left out because they are none of an actual.
    pub(super) unknown_names: u64,
}

/// A field of an actual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    AssociationId,
    ActualValue,
    Timestamp,
    WasActedOn,
}

/// Builds [`Told`].
#[derive(Debug)]
pub(super) struct Rows<'s, 'b> {
    /// What the deployment calls the association id.
    column: &'s str,
    unknown: UnknownNames,
    max_rows: u32,
    /// Whether faults tell their row: yes where there can be several.
    numbered: bool,
    row: Row<'b>,
    /// Fields that the current row has given.
    given: Vec<Field>,
    told: Told<'b>,
}

/// An actual in the making.
#[derive(Debug, Default)]
struct Row<'b> {
    association_id: Option<Cow<'b, str>>,
    value: Option<ActualValue<'b>>,
    timestamp_us: Option<i64>,
    acted_on: Option<bool>,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::AssociationId => "associationId",
            Self::ActualValue => "actualValue",
            Self::Timestamp => "timestamp",
            Self::WasActedOn => "wasActedOn",
        }
    }
}

impl<'s, 'b> Rows<'s, 'b> {
    pub(super) fn new(column: &'s str, unknown: UnknownNames, max_rows: u32) -> Self {
        let told = Told { actuals: Vec::new(), unknown_names: 0 };
        let (numbered, row, given) = (false, Row::default(), Vec::new());
        Self { column, unknown, max_rows, numbered, row, given, told }
    }

    fn association_id(&mut self, id: Cow<'b, str>) -> Result<(), BadRequest> {
        if is_longer(&id, ASSOCIATION_ID_CHARS) {
            return Err(self.fault(Field::AssociationId, Reason::AssociationIdTooLong));
        }
        self.row.association_id = Some(id).filter(|id| !id.is_empty());
        Ok(())
    }

    /// A value that is a label, or nothing.
    fn label(&mut self, text: Cow<'b, str>) -> Result<(), BadRequest> {
        let bare = text.trim().trim_start_matches(['+', '-']);
        if ["nan", "inf", "infinity"].iter().any(|none| bare.eq_ignore_ascii_case(none)) {
            return Err(self.fault(Field::ActualValue, Reason::NotFinite(text.into_owned())));
        }
        if is_longer(&text, ACTUAL_TEXT_CHARS) {
            return Err(self.fault(Field::ActualValue, Reason::ActualTooLong));
        }
        self.row.value = Some(text).filter(|text| !text.is_empty()).map(ActualValue::Text);
        Ok(())
    }

    /// A value of which the text door does not say whether it is a number.
    fn value(&mut self, text: Cow<'b, str>) -> Result<(), BadRequest> {
        match number::parse(&text) {
            Ok(number) => {
                self.row.value = number.map(ActualValue::Number);
                Ok(())
            }
            Err(NotNumber::Form) => self.label(text),
            Err(NotNumber::Range) => {
                Err(self.fault(Field::ActualValue, Reason::OutOfRange(text.into_owned())))
            }
        }
    }

    fn time(&mut self, text: &str) -> Result<(), BadRequest> {
        if text.is_empty() {
            return Ok(());
        }
        let time = match number::parse(text) {
            Ok(Some(number)) => moment(number),
            _ => Timestamp::new(text).moment(),
        };
        self.moment(time, text)
    }

    fn moment(&mut self, time: Moment, text: &str) -> Result<(), BadRequest> {
        match time {
            Moment::Instant(time) => {
                self.row.timestamp_us = Some(time.as_microsecond());
                Ok(())
            }
            Moment::Local(_) => {
                Err(self.fault(Field::Timestamp, Reason::NoOffset(text.to_owned())))
            }
            Moment::Unknown => Err(self.fault(Field::Timestamp, Reason::NotATime(text.to_owned()))),
        }
    }

    fn acted_on(&mut self, text: &str) -> Result<(), BadRequest> {
        self.row.acted_on = match text {
            "" => None,
            text if text.eq_ignore_ascii_case("true") => Some(true),
            text if text.eq_ignore_ascii_case("false") => Some(false),
            other => {
                return Err(self.fault(Field::WasActedOn, Reason::NotTrueOrFalse(other.to_owned())));
            }
        };
        Ok(())
    }

    /// The first row whose association id is that of an earlier one.
    fn repeated(&self) -> Option<usize> {
        let id = |at: &usize| &*self.told.actuals[*at].association_id;
        let mut order: Vec<usize> = (0..self.told.actuals.len()).collect();
        order.sort_by_key(|at| (id(at), *at));
        let twins = order.windows(2).filter(|pair| id(&pair[0]) == id(&pair[1]));
        twins.map(|pair| pair[1]).min()
    }
}

/// Seconds or milliseconds since 1970.
fn moment(number: f64) -> Moment {
    serde_json::Number::from_f64(number)
        .map_or(Moment::Unknown, |number| Timestamp::from_number(&number).moment())
}

/// Counts only where there may be too many.
fn is_longer(text: &str, chars: usize) -> bool {
    text.len() > chars && text.chars().count() > chars
}

impl<'b> Fill<'b> for Rows<'_, 'b> {
    type Slot = Field;
    type Batch = Told<'b>;

    fn number(&mut self) {
        self.numbered = true;
    }

    fn begin(&mut self) -> Result<(), BadRequest> {
        if self.told.actuals.len() >= self.max_rows as usize {
            return Err(BadRequest::new(Reason::TooManyRows { limit: self.max_rows }));
        }
        self.row = Row::default();
        self.given.clear();
        Ok(())
    }

    fn bind(&mut self, name: &str) -> Result<Option<Field>, BadRequest> {
        let Some(field) = self.lookup(name)? else { return Ok(None) };
        if self.given.contains(&field) {
            return Err(self.fault(field, Reason::Duplicate));
        }
        self.given.push(field);
        Ok(Some(field))
    }

    fn lookup(&mut self, name: &str) -> Result<Option<Field>, BadRequest> {
        let field = match name {
            "associationId" | "association_id" => Field::AssociationId,
            "actualValue" | "actual_value" => Field::ActualValue,
            "timestamp" => Field::Timestamp,
            "wasActedOn" | "was_acted_on" => Field::WasActedOn,
            name if name == self.column => Field::AssociationId,
            name => {
                if self.unknown == UnknownNames::Refuse {
                    return Err(self.named(name, Reason::NotOfAnActual));
                }
                self.told.unknown_names += 1;
                return Ok(None);
            }
        };
        Ok(Some(field))
    }

    fn gives(&mut self, _columns: &[Option<Field>]) {}

    fn text(&mut self, field: Field, text: Cow<'b, str>) -> Result<(), BadRequest> {
        match field {
            Field::AssociationId => self.association_id(text),
            Field::ActualValue => self.value(text),
            Field::Timestamp => self.time(&text),
            Field::WasActedOn => self.acted_on(&text),
        }
    }

    fn passing_text(&mut self, field: Field, text: &str) -> Result<(), BadRequest> {
        self.text(field, Cow::Owned(text.to_owned()))
    }

    fn string(&mut self, field: Field, text: Cow<'b, str>) -> Result<(), BadRequest> {
        if field == Field::ActualValue { self.label(text) } else { self.text(field, text) }
    }

    fn numeric(&mut self, field: Field, value: f64) -> Result<(), BadRequest> {
        // `+ 0.0` turns -0 into 0.
        let text = || (value + 0.0).to_string();
        match field {
            // As `/predict` makes a text of it.
            Field::AssociationId => self.association_id(Cow::Owned(text())),
            Field::ActualValue => {
                self.row.value = Some(ActualValue::Number(value));
                Ok(())
            }
            Field::Timestamp => self.moment(moment(value), &text()),
            Field::WasActedOn => self.acted_on(&text()),
        }
    }

    fn boolean(&mut self, field: Field, value: bool) -> Result<(), BadRequest> {
        let text = if value { "true" } else { "false" };
        match field {
            Field::AssociationId => Err(self.fault(field, Reason::NotAText)),
            Field::ActualValue => self.label(Cow::Borrowed(text)),
            Field::Timestamp => self.time(text),
            Field::WasActedOn => self.acted_on(text),
        }
    }

    fn end(&mut self) -> Result<(), BadRequest> {
        let Row { association_id, value, timestamp_us, acted_on } = std::mem::take(&mut self.row);
        let needed = |field| self.fault(field, Reason::Needed);
        let association_id = association_id.ok_or_else(|| needed(Field::AssociationId))?;
        let value = value.ok_or_else(|| needed(Field::ActualValue))?;
        self.told.actuals.push(Actual { association_id, value, acted_on, timestamp_us });
        Ok(())
    }

    fn finish(self) -> Result<Told<'b>, BadRequest> {
        if self.told.actuals.is_empty() {
            return Err(BadRequest::new(Reason::NoActuals));
        }
        match self.repeated().and_then(|at| u32::try_from(at).ok()) {
            Some(row) => Err(BadRequest {
                row: Some(row),
                ..self.fault(Field::AssociationId, Reason::Repeated)
            }),
            None => Ok(self.told),
        }
    }

    fn name(&self, field: Field) -> &str {
        field.name()
    }

    fn plain(&self, reason: Reason) -> BadRequest {
        // The current row is the one that is not told yet.
        let row = self.numbered.then(|| u32::try_from(self.told.actuals.len()).ok()).flatten();
        BadRequest { field: None, row, reason }
    }
}
