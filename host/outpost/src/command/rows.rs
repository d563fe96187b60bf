//! Rows of a CSV file in memory, for commands that look at all of them.

use crate::error::CliError;
use csv::ByteRecord;
use gateway::FileRows;
use models::Feature;
use std::path::Path;

/// Rows as a model takes them.
pub(crate) struct Rows {
    /// One number a feature, row by row.
    pub(crate) numbers: Vec<f64>,
    /// The line of each row in the file.
    pub(crate) lines: Vec<u64>,
    /// What the column with the target's name holds; NaN where that is no number.
    pub(crate) target: Option<Vec<f64>>,
}

/// Reads a file's rows for a model with these features.
pub(crate) fn read(path: &Path, features: &[Feature], target: &str) -> Result<Rows, CliError> {
    let text = crate::files::read(path)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_slice());
    let mut header = ByteRecord::new();
    let unreadable = |source| data(path, source);
    if !reader.read_byte_record(&mut header).map_err(unreadable)? {
        return Err(data(
            path,
            std::io::Error::other("the file is empty: its first line must name the columns"),
        ));
    }
    let columns = FileRows::new(features, &header, &models::train::MISSING)
        .map_err(|source| data(path, source))?;
    let records =
        reader.into_byte_records().collect::<Result<Vec<ByteRecord>, _>>().map_err(unreadable)?;
    let numbers = columns.bind(&records).map_err(|source| data(path, source))?;
    let lines = records.iter().map(|it| it.position().map_or(0, csv::Position::line)).collect();
    let place = header.iter().position(|name| name == target.as_bytes());
    let target = place.map(|place| records.iter().map(|record| outcome(record, place)).collect());
    Ok(Rows { numbers, lines, target })
}

fn outcome(record: &ByteRecord, place: usize) -> f64 {
    let text = record.get(place).and_then(|bytes| str::from_utf8(bytes).ok());
    let value = text.and_then(|text| text.trim().parse::<f64>().ok());
    value.filter(|value| value.is_finite()).unwrap_or(f64::NAN)
}

fn data(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Data { path: path.to_owned(), source: source.into() }
}
