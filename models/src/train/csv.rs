//! Reading training data from CSV.
//!
//! # Format
//!
//! UTF-8 with or without a byte order mark; a header that names every column once; fields quoted with `"` where they
//! hold the delimiter, quotes or line breaks; as many fields in every row as in the header. Empty lines are skipped.
//! Blanks around a value do not belong to it.
//!
//! # Operation
//!
//! A value is missing if it is one of [`MISSING`]. A column whose other values are all numbers is numeric, any other
//! is categorical; options force the one or the other. A number is decimal, with an optional sign, point and exponent;
//! what other programs call numbers (`inf`, `0x1E`, `1_000`, `1,5`) is text.
//!
//! # Failure
//!
//! Nothing is repaired or dropped in silence: the first row or column that breaks a rule is named by its line.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{
    nearest::nearest,
    table::{Table, TableColumn},
};
use crate::schema::{Kind, MISSING};

/// The largest magnitude of a number, so that squares and sums of training stay finite.
pub const NUMBER_MAX: f64 = 1e100;
/// The most columns of a file.
pub const COLUMNS_MAX: usize = 10_000;

/// How to read a file.
#[derive(Clone, Debug)]
pub struct CsvOptions {
    /// What separates fields.
    pub delimiter: u8,
    /// Columns to leave out.
    pub ignore: BTreeSet<String>,
    /// Columns that are categorical although their values look like numbers.
    pub categorical: BTreeSet<String>,
    /// Columns that must be numeric: a value that is not a number is an error, and a column that counts the rows is
    /// taken for a feature.
    pub numeric: BTreeSet<String>,
}

/// Why a file is not training data.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The CSV itself is broken.
    #[error("read the CSV")]
    Csv(#[source] csv::Error),
    /// Bytes that are not text.
    #[error("read the CSV: line {line} is not UTF-8; save the file as UTF-8")]
    Encoding {
        /// The line, from 1.
        line: u64,
    },
    /// No header.
    #[error("read the CSV: it is empty; the first line must name the columns")]
    Empty,
    /// A header and nothing else.
    #[error("read the CSV: it has a header but no rows")]
    NoRows,
    /// A column without a name.
    #[error(
        "read the CSV: column {column} has no name in the header; name it, or delete it if it counts the rows"
    )]
    Unnamed {
        /// The column, from 1.
        column: usize,
    },
    /// Two columns of one name.
    #[error("read the CSV: two columns are named `{name}`; names must differ")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A header of one column that looks like several.
    #[error(
        "read the CSV: the header has one column, `{header}`; set the delimiter if it is not a comma"
    )]
    Delimiter {
        /// The header.
        header: String,
    },
    /// More columns than [`COLUMNS_MAX`].
    #[error("read the CSV: it has {found} columns, more than {COLUMNS_MAX}")]
    TooWide {
        /// How many there are.
        found: usize,
    },
    /// A row with more or fewer fields than the header.
    #[error(
        "read the CSV: line {line} has {found} fields, the header has {expected}; a field with a delimiter in it must be quoted"
    )]
    Ragged {
        /// The line, from 1.
        line: u64,
        /// Its fields.
        found: usize,
        /// The header's.
        expected: usize,
    },
    /// An option that names no column.
    #[error("read the CSV: no column is named `{name}`{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownColumn {
        /// The name.
        name: String,
        /// The name that is most like it.
        nearest: Option<String>,
    },
    /// A column that is to be both.
    #[error("read the CSV: `{name}` is to be numeric and categorical; choose one")]
    TwoKinds {
        /// The column.
        name: String,
    },
    /// A value that is not a number in a column that must be numeric.
    #[error("read the CSV: `{column}` must be numeric, but line {line} has `{value}`")]
    NotANumber {
        /// The column.
        column: String,
        /// The line, from 1.
        line: u64,
        /// The value.
        value: String,
    },
    /// A number beyond [`NUMBER_MAX`].
    #[error(
        "read the CSV: `{column}` has {value} on line {line}; numbers must not be larger than {NUMBER_MAX:e}"
    )]
    TooLarge {
        /// The column.
        column: String,
        /// The line, from 1.
        line: u64,
        /// The value.
        value: f64,
    },
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            ignore: BTreeSet::new(),
            categorical: BTreeSet::new(),
            numeric: BTreeSet::new(),
        }
    }
}

impl Table {
    /// Reads a whole file.
    ///
    /// # Errors
    ///
    /// [`CsvError`] for the first rule of the format that is broken.
    pub fn read_csv(bytes: &[u8], options: &CsvOptions) -> Result<Self, CsvError> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(options.delimiter)
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(text);
        let header: Vec<String> = match reader.headers() {
            Ok(header) => header.iter().map(str::to_owned).collect(),
            Err(error) => return Err(not_csv(error, &mut Lines::new(text))),
        };
        check_header(&header, options)?;
        let (rows, lines) = read_rows(&mut reader, text, header.len())?;
        let mut columns = Vec::new();
        for (at, name) in
            header.into_iter().enumerate().filter(|(_, name)| !options.ignore.contains(name))
        {
            let texts: Vec<&str> = rows.iter().map(|row| row.get(at).unwrap_or_default()).collect();
            columns.push(column(name, &texts, &lines, options)?);
        }
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { columns, lines, sha256 })
    }
}

fn check_header(header: &[String], options: &CsvOptions) -> Result<(), CsvError> {
    match header {
        [] => return Err(CsvError::Empty),
        [only] if only.contains([';', '\t', '|']) => {
            return Err(CsvError::Delimiter { header: only.clone() });
        }
        _ => {}
    }
    if header.len() > COLUMNS_MAX {
        return Err(CsvError::TooWide { found: header.len() });
    }
    let mut names = BTreeSet::new();
    for (at, name) in header.iter().enumerate() {
        if name.is_empty() {
            return Err(CsvError::Unnamed { column: at + 1 });
        }
        if !names.insert(name.as_str()) {
            return Err(CsvError::Duplicate { name: name.clone() });
        }
    }
    for name in options.ignore.iter().chain(&options.categorical).chain(&options.numeric) {
        if !names.contains(name.as_str()) {
            let nearest = nearest(name, names.iter().copied());
            return Err(CsvError::UnknownColumn { name: name.clone(), nearest });
        }
    }
    match options.categorical.intersection(&options.numeric).next() {
        Some(name) => Err(CsvError::TwoKinds { name: name.clone() }),
        None => Ok(()),
    }
}

/// All rows, and the line on which each begins.
fn read_rows(
    reader: &mut csv::Reader<&[u8]>,
    text: &[u8],
    width: usize,
) -> Result<(Vec<csv::StringRecord>, Vec<u64>), CsvError> {
    let mut counted = Lines::new(text);
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for row in reader.records() {
        let row = row.map_err(|error| not_csv(error, &mut counted))?;
        let line = counted.line(row.position());
        if row.len() != width {
            return Err(CsvError::Ragged { line, found: row.len(), expected: width });
        }
        rows.push(row);
        lines.push(line);
    }
    if rows.is_empty() { Err(CsvError::NoRows) } else { Ok((rows, lines)) }
}

/// Counts lines. The reader's own count is that of where it began to look for a row, before empty lines.
struct Lines<'a> {
    text: &'a [u8],
    byte: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, byte: 0, line: 1 }
    }

    /// The line of the first row at or behind a position, which is not before the last one that was asked for.
    fn line(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.map_or(0, |position| position.byte() as usize).max(self.byte);
        let passed = self.text.get(self.byte..start).unwrap_or_default();
        let ends_line = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let empty = self.text.get(start..).unwrap_or_default().iter().take_while(ends_line);
        self.line +=
            passed.iter().chain(empty.clone()).filter(|byte| **byte == b'\n').count() as u64;
        self.byte = start + empty.count();
        self.line
    }
}

fn not_csv(error: csv::Error, lines: &mut Lines<'_>) -> CsvError {
    match error.kind() {
        csv::ErrorKind::Utf8 { pos, .. } => CsvError::Encoding { line: lines.line(pos.as_ref()) },
        _ => CsvError::Csv(error),
    }
}

fn column(
    name: String,
    texts: &[&str],
    lines: &[u64],
    options: &CsvOptions,
) -> Result<TableColumn, CsvError> {
    let missing = |text: &str| MISSING.contains(&text);
    let numeric = options.numeric.contains(&name);
    let categorical = options.categorical.contains(&name);
    let odd = texts.iter().zip(lines).find(|(text, _)| !missing(text) && number(text).is_none());
    if let (Some((value, line)), true) = (odd, numeric) {
        return Err(CsvError::NotANumber { column: name, line: *line, value: (*value).to_owned() });
    }
    if odd.is_some() || categorical {
        let levels: BTreeSet<&str> = texts.iter().copied().filter(|text| !missing(text)).collect();
        let codes: BTreeMap<&str, f64> =
            levels.iter().enumerate().map(|(code, level)| (*level, code as f64)).collect();
        let values =
            texts.iter().map(|text| codes.get(text).copied().unwrap_or(f64::NAN)).collect();
        return Ok(TableColumn {
            name,
            kind: Kind::Categorical(levels.into_iter().map(str::to_owned).collect()),
            values,
            forced: categorical,
            not_a_number: odd.map(|(value, line)| ((*value).to_owned(), *line)),
        });
    }
    let values: Vec<f64> = texts.iter().map(|text| number(text).unwrap_or(f64::NAN)).collect();
    if let Some((value, line)) =
        values.iter().zip(lines).find(|(value, _)| value.abs() > NUMBER_MAX)
    {
        return Err(CsvError::TooLarge { column: name, line: *line, value: *value });
    }
    Ok(TableColumn { name, kind: Kind::Numeric, values, forced: numeric, not_a_number: None })
}

/// The number that a text is. Rust reads some words as numbers (`inf`, `nan`), which are none here.
fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests;
