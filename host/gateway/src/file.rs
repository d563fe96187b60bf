//! Rows of a CSV file, bound to a model as the CSV door binds them, for scoring without HTTP. Columns that are no
//! features stay out of the way: a file of rows often has ids and outcomes beside them. A file may also say in words
//! that a value is missing; which words, the caller decides.

use csv::ByteRecord;
use models::schema::Feature;

use crate::{
    batch::Rows,
    door::Fill as _,
    fault::{BadRequest, Reason},
    problem,
    schema::{Schema, SchemaError, Slot},
    settings::UnknownNames,
};

/// A file has no association ids; this name is none that a column can have.
const NO_COLUMN: &str = "\0";

/// A file's columns bound to a model's features.
#[derive(Debug)]
pub struct FileRows {
    schema: Schema,
    columns: Vec<Option<Slot>>,
    missing: &'static [&'static str],
}

/// Rows of a file that a model does not take.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The model's features cannot be bound by name.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The header.
    #[error("bind the columns: {0}")]
    Header(String),
    /// A row.
    #[error("bind the row on line {line}: {detail}")]
    Row {
        /// The line of the file, from 1.
        line: u64,
        /// What is wrong, naming the column.
        detail: String,
    },
}

impl FileRows {
    /// Binds a file's header. `missing` are the texts that stand for a missing value.
    ///
    /// # Errors
    ///
    /// When a column is there twice, when a name is not UTF-8, or when no column is a feature.
    pub fn new(
        features: &[Feature],
        header: &ByteRecord,
        missing: &'static [&'static str],
    ) -> Result<Self, FileError> {
        let schema = Schema::new(features, NO_COLUMN)?;
        let mut columns = Vec::with_capacity(header.len());
        let mut rows = Rows::new(&schema, UnknownNames::Ignore, 1);
        let told = |bad: BadRequest| FileError::Header(problem::bad_request(&bad).detail);
        for name in header {
            let name = str::from_utf8(name).map_err(|_| told(rows.plain(Reason::NotUtf8)))?.trim();
            let slot = rows.lookup(name).map_err(told)?;
            if slot.is_some() && columns.contains(&slot) {
                return Err(told(rows.named(name, Reason::Duplicate)));
            }
            columns.push(slot);
        }
        if columns.iter().flatten().next().is_none() {
            return Err(told(BadRequest::new(Reason::NothingGiven)));
        }
        Ok(Self { schema, columns, missing })
    }

    /// The features that the file has no column for; they are missing in every row.
    pub fn absent(&self) -> impl Iterator<Item = &str> {
        let bound = |place| self.columns.contains(&Some(Slot::Feature(place)));
        let inputs = self.schema.inputs().iter().enumerate();
        inputs.filter(move |(place, _)| !bound(*place)).map(|(_, input)| &*input.name)
    }

    /// The values of `records`, row by row, one a feature, as a model takes them.
    ///
    /// # Errors
    ///
    /// For the first row that has a value which is none.
    pub fn bind(&self, records: &[ByteRecord]) -> Result<Vec<f64>, FileError> {
        let limit = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let mut rows = Rows::new(&self.schema, UnknownNames::Ignore, limit);
        rows.gives(&self.columns);
        for record in records {
            self.row(&mut rows, record).map_err(|bad| FileError::Row {
                line: record.position().map_or(0, csv::Position::line),
                detail: problem::bad_request(&bad).detail,
            })?;
        }
        let batch =
            rows.finish().map_err(|bad| FileError::Header(problem::bad_request(&bad).detail))?;
        Ok(batch.numbers)
    }

    fn row(&self, rows: &mut Rows<'_, '_>, record: &ByteRecord) -> Result<(), BadRequest> {
        rows.begin()?;
        for (value, slot) in record.iter().zip(&self.columns) {
            let Some(slot) = *slot else { continue };
            let value = str::from_utf8(value).map_err(|_| rows.fault(slot, Reason::NotUtf8))?;
            let value = value.trim();
            if !self.missing.contains(&value) {
                rows.passing_text(slot, value)?;
            }
        }
        rows.end()
    }
}
