//! `outpost score`: a CSV file in, the same rows with their predictions out. Rows stream: the file may be larger than
//! memory.

use crate::cli::Score;
use crate::error::CliError;
use crate::{files, progress};
use csv::ByteRecord;
use engine::{Batch, LimitSettings, ScoreError, Scorer};
use gateway::FileRows;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

/// Rows that are scored at a time.
const CHUNK_ROWS: usize = 4096;

pub(crate) fn run(args: &Score) -> Result<ExitCode, CliError> {
    let package = super::open_package(&args.package)?;
    let engine = super::engine()?;
    let limits = LimitSettings { instances: Some(1), ..LimitSettings::default() };
    let scorer = engine.load(&package, limits).map_err(|source| data(&args.package, source))?;
    match &args.output {
        None => {
            score(args, &scorer, std::io::stdout().lock())?;
        }
        Some(path) => {
            let rows = files::write_with(path, |file| score(args, &scorer, file))?;
            eprintln!("wrote {rows} rows to {}", path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Scores all rows and gives their number.
fn score(args: &Score, scorer: &Scorer, output: impl Write) -> Result<u64, CliError> {
    let (input, size) = open(&args.rows)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(input);
    let mut writer = csv::Writer::from_writer(output);
    let unreadable = |source| data(&args.rows, source);

    let mut header = ByteRecord::new();
    if !reader.read_byte_record(&mut header).map_err(unreadable)? {
        return Err(CliError::Usage(format!(
            "{} is empty: its first line must name the columns",
            args.rows.display()
        )));
    }
    if header.iter().any(|name| name == args.column.as_bytes()) {
        return Err(CliError::Usage(format!(
            "{} has a column named `{}` already: choose another name with --column",
            args.rows.display(),
            args.column
        )));
    }
    let columns = FileRows::new(&scorer.manifest().features, &header, &models::train::MISSING)
        .map_err(|e| data(&args.rows, e))?;
    let absent: Vec<&str> = columns.absent().collect();
    if !absent.is_empty() {
        eprintln!(
            "{} has no column for {}: missing in every row",
            args.rows.display(),
            absent.join(", ")
        );
    }
    header.push_field(args.column.as_bytes());
    writer.write_byte_record(&header).map_err(unwritable)?;

    let bar = progress::Scoring::start(size);
    let mut chunk: Vec<ByteRecord> = Vec::with_capacity(CHUNK_ROWS);
    let mut rows = 0;
    loop {
        chunk.clear();
        let mut record = ByteRecord::new();
        while chunk.len() < CHUNK_ROWS
            && reader.read_byte_record(&mut record).map_err(unreadable)?
        {
            chunk.push(std::mem::take(&mut record));
        }
        if chunk.is_empty() {
            break;
        }
        let predictions = predict(&args.rows, scorer, &columns, &chunk)?;
        for (record, prediction) in chunk.iter_mut().zip(predictions) {
            record.push_field(prediction.to_string().as_bytes());
            writer.write_byte_record(record).map_err(unwritable)?;
        }
        rows += chunk.len() as u64;
        bar.show(reader.position().byte(), rows);
    }
    writer.flush().map_err(|source| unwritable(source.into()))?;
    bar.end();
    Ok(rows)
}

fn predict(
    path: &Path,
    scorer: &Scorer,
    columns: &FileRows,
    chunk: &[ByteRecord],
) -> Result<Vec<f64>, CliError> {
    let numbers = columns.bind(chunk).map_err(|source| data(path, source))?;
    let rows = chunk.len() as u32;
    scorer.score(Batch { rows, numbers: &numbers }).map_err(|error| match error {
        ScoreError::Declined(decline) => {
            let line = decline
                .row
                .and_then(|row| chunk.get(row as usize)?.position())
                .map(csv::Position::line);
            let place = line.map_or_else(String::new, |line| format!("line {line}: "));
            data(path, std::io::Error::other(format!("{place}{}", decline.message)))
        }
        error => CliError::Internal { what: "score the rows".into(), source: error.into() },
    })
}

/// The rows, and how many bytes of them there are where that is known.
fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), CliError> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(std::io::stdin().lock()), None));
    }
    let fault = |source| CliError::File { action: "read", path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(fault)?;
    let about = file.metadata().map_err(fault)?;
    Ok((Box::new(file), about.is_file().then_some(about.len())))
}

fn data(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Data { path: path.to_owned(), source: source.into() }
}

fn unwritable(error: csv::Error) -> CliError {
    let source = match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::other(format!("{other:?}")),
    };
    CliError::File { action: "write", path: "the scored rows".into(), source }
}
