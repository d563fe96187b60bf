//! CSV bodies: a header, then one row a line. Fields may be quoted; a field with nothing in it is missing.

use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use crate::{
    door::Fill,
    fault::{BadRequest, Reason},
};

pub(crate) fn decode<'b, F: Fill<'b>>(text: &'b [u8], mut rows: F) -> Result<F::Batch, BadRequest> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    // The reader skips empty lines, so the header is whatever comes first.
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(text);
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(fault)? {
        return rows.finish();
    }
    let columns = header(&record, &mut rows)?;
    rows.gives(&columns);
    rows.number();
    while reader.read_byte_record(&mut record).map_err(fault)? {
        rows.begin()?;
        for (value, slot) in record.iter().zip(&columns) {
            let Some(slot) = *slot else { continue };
            let Ok(value) = str::from_utf8(value) else {
                return Err(rows.fault(slot, Reason::NotUtf8));
            };
            rows.passing_text(slot, value)?;
        }
        rows.end()?;
    }
    rows.finish()
}

fn header<'b, F: Fill<'b>>(
    record: &ByteRecord,
    rows: &mut F,
) -> Result<Vec<Option<F::Slot>>, BadRequest> {
    let mut columns = Vec::with_capacity(record.len());
    for name in record {
        let Ok(name) = str::from_utf8(name) else { return Err(rows.plain(Reason::NotUtf8)) };
        let slot = rows.lookup(name)?;
        if slot.is_some() && columns.contains(&slot) {
            return Err(rows.named(name, Reason::Duplicate));
        }
        columns.push(slot);
    }
    Ok(columns)
}

fn fault(error: csv::Error) -> BadRequest {
    let reason = match error.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => Reason::Ragged {
            line: pos.as_ref().map_or(0, csv::Position::line),
            expected: *expected_len,
            found: *len,
        },
        _ => Reason::CsvSyntax(error),
    };
    BadRequest::new(reason)
}
