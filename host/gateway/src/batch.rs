//! Rows on their way from a door to the model: named values go in, one typed batch comes out. All doors fill
//! their rows through here, so that the same row gives the same batch.

use std::borrow::Cow;

use models::schema::UNKNOWN_LEVEL;

use crate::{
    door::Fill,
    fault::{BadRequest, Reason},
    number::{self, NotNumber},
    schema::{Schema, Slot},
    settings::{ASSOCIATION_ID_CHARS, UnknownNames},
};

/// Rows in the form that the model takes, and what the record wants besides.
#[derive(Debug, Default)]
pub(crate) struct Batch<'b> {
    pub(crate) rows: u32,
    /// Row by row, one value a feature; NaN is missing, a level is its code.
    pub(crate) numbers: Vec<f64>,
    /// Row by row, one value a categorical feature, as the caller wrote it.
    pub(crate) texts: Vec<Option<Cow<'b, str>>>,
    /// One a row, or empty when no row has one.
    pub(crate) association_ids: Vec<Option<Cow<'b, str>>>,
    /// Fields that were left out because no feature has their name.
    pub(crate) unknown_names: u64,
}

/// Builds a [`Batch`].
#[derive(Debug)]
pub(crate) struct Rows<'s, 'b> {
    schema: &'s Schema,
    unknown: UnknownNames,
    max_rows: u32,
    /// Whether faults tell their row: yes where there can be several.
    numbered: bool,
    batch: Batch<'b>,
    /// For each slot, the row (from 1) that has last given it a value.
    given: Vec<u32>,
    /// Features given in the current row.
    count: usize,
    /// Features that every row gives, as a header says.
    each: usize,
    /// The feature that is likely to come next.
    hint: usize,
}

impl<'s, 'b> Rows<'s, 'b> {
    pub(crate) fn new(schema: &'s Schema, unknown: UnknownNames, max_rows: u32) -> Self {
        let given = vec![0; schema.inputs().len() + 1];
        Self {
            schema,
            unknown,
            max_rows,
            numbered: false,
            batch: Batch::default(),
            given,
            count: 0,
            each: 0,
            hint: 0,
        }
    }

    fn decimal(&mut self, place: usize, text: &str) -> Result<(), BadRequest> {
        let reason = match number::parse(text) {
            Ok(None) => return Ok(()),
            Ok(Some(value)) => {
                self.set(place, value);
                return Ok(());
            }
            Err(NotNumber::Form) => Reason::NotANumber(text.to_owned()),
            Err(NotNumber::Range) => Reason::OutOfRange(text.to_owned()),
        };
        Err(self.fault(Slot::Feature(place), reason))
    }

    fn set(&mut self, place: usize, value: f64) {
        let start = self.batch.numbers.len() - self.schema.inputs().len();
        self.batch.numbers[start + place] = value;
    }

    fn level(&mut self, place: usize, text: Cow<'b, str>) {
        if text.is_empty() {
            return;
        }
        let schema = self.schema;
        if let Some(category) = &schema.inputs()[place].category {
            let code = category.code(&text);
            if code == UNKNOWN_LEVEL && text == "null" {
                return;
            }
            self.set(place, code);
            let start = self.batch.texts.len() - schema.categories();
            self.batch.texts[start + category.place] = Some(text);
        }
    }

    fn association_id(&mut self, text: Cow<'b, str>) -> Result<(), BadRequest> {
        if text.is_empty() {
            return Ok(());
        }
        if text.len() > ASSOCIATION_ID_CHARS && text.chars().count() > ASSOCIATION_ID_CHARS {
            return Err(self.fault(Slot::AssociationId, Reason::AssociationIdTooLong));
        }
        self.batch.association_ids.resize(self.batch.rows as usize, None);
        if let Some(last) = self.batch.association_ids.last_mut() {
            *last = Some(text);
        }
        Ok(())
    }
}

impl<'b> Fill<'b> for Rows<'_, 'b> {
    type Slot = Slot;
    type Batch = Batch<'b>;

    fn number(&mut self) {
        self.numbered = true;
    }

    fn begin(&mut self) -> Result<(), BadRequest> {
        if self.batch.rows == self.max_rows {
            return Err(BadRequest::new(Reason::TooManyRows { limit: self.max_rows }));
        }
        self.batch.rows += 1;
        self.batch.numbers.resize(self.batch.numbers.len() + self.schema.inputs().len(), f64::NAN);
        self.batch.texts.resize(self.batch.texts.len() + self.schema.categories(), None);
        self.count = self.each;
        self.hint = 0;
        Ok(())
    }

    fn bind(&mut self, name: &str) -> Result<Option<Slot>, BadRequest> {
        let Some(slot) = self.lookup(name)? else { return Ok(None) };
        let row = self.batch.rows;
        let given = match slot {
            Slot::Feature(place) => {
                self.count += 1;
                self.hint = place + 1;
                &mut self.given[place]
            }
            Slot::AssociationId => {
                self.given.last_mut().expect("there is one more than there are features")
            }
        };
        if *given == row {
            return Err(self.fault(slot, Reason::Duplicate));
        }
        *given = row;
        Ok(Some(slot))
    }

    fn lookup(&mut self, name: &str) -> Result<Option<Slot>, BadRequest> {
        let slot = self.schema.find(name, self.hint);
        if slot.is_none() {
            match self.unknown {
                UnknownNames::Ignore => self.batch.unknown_names += 1,
                UnknownNames::Refuse => return Err(self.named(name, Reason::Unknown)),
            }
        }
        Ok(slot)
    }

    fn gives(&mut self, columns: &[Option<Slot>]) {
        self.each = columns.iter().filter(|slot| matches!(slot, Some(Slot::Feature(_)))).count();
    }

    fn text(&mut self, slot: Slot, text: Cow<'b, str>) -> Result<(), BadRequest> {
        let Slot::Feature(place) = slot else { return self.association_id(text) };
        if self.schema.inputs()[place].category.is_some() {
            self.level(place, text);
            return Ok(());
        }
        self.decimal(place, &text)
    }

    fn passing_text(&mut self, slot: Slot, text: &str) -> Result<(), BadRequest> {
        match slot {
            Slot::Feature(place) if self.schema.inputs()[place].category.is_none() => {
                self.decimal(place, text)
            }
            _ => self.text(slot, Cow::Owned(text.to_owned())),
        }
    }

    fn string(&mut self, slot: Slot, text: Cow<'b, str>) -> Result<(), BadRequest> {
        match slot {
            Slot::Feature(place) if self.schema.inputs()[place].category.is_none() => {
                if text.is_empty() {
                    return Ok(());
                }
                Err(self.fault(slot, Reason::StringForNumber(text.into_owned())))
            }
            _ => self.text(slot, text),
        }
    }

    fn numeric(&mut self, slot: Slot, value: f64) -> Result<(), BadRequest> {
        match slot {
            Slot::Feature(place) if self.schema.inputs()[place].category.is_none() => {
                self.set(place, value);
                Ok(())
            }
            // `+ 0.0` turns -0 into 0.
            _ => self.text(slot, Cow::Owned((value + 0.0).to_string())),
        }
    }

    fn boolean(&mut self, slot: Slot, value: bool) -> Result<(), BadRequest> {
        let text = if value { "true" } else { "false" };
        match slot {
            Slot::Feature(place) if self.schema.inputs()[place].category.is_some() => {
                self.level(place, Cow::Borrowed(text));
                Ok(())
            }
            Slot::Feature(_) => Err(self.fault(slot, Reason::NotANumber(text.to_owned()))),
            Slot::AssociationId => Err(self.fault(slot, Reason::NotAText)),
        }
    }

    fn end(&mut self) -> Result<(), BadRequest> {
        if self.count == 0 {
            return Err(self.plain(Reason::NothingGiven));
        }
        Ok(())
    }

    fn finish(self) -> Result<Self::Batch, BadRequest> {
        if self.batch.rows == 0 {
            return Err(BadRequest::new(Reason::NoRows));
        }
        Ok(self.batch)
    }

    fn name(&self, slot: Slot) -> &str {
        self.schema.name(slot)
    }

    fn plain(&self, reason: Reason) -> BadRequest {
        let row = if self.numbered { self.batch.rows.checked_sub(1) } else { None };
        BadRequest { field: None, row, reason }
    }
}
