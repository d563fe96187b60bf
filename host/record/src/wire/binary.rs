//! The binary form that spool files may have instead of lines: read here, never written.
//!
//! All numbers are big-endian. A file is a row of frames; a file that is full may end with [`END`].
//!
//! | bytes of a frame | |
//! |---|---|
//! | 4 | [`MAGIC`] |
//! | 4 | version, 1 |
//! | 4 | length of the record |
//! | 8 | CRC-32 (the one of zip files) of the record; 0 when its writer was told to leave it out |
//! | … | the record: 4 bytes length of its header, the header, the payload in JSON |
//!
//! The header of a record is: deployment id, data type, data format, length of the payload, version, language,
//! version of the library, a reserved text; the texts with their length in front, all else numbers of 4 bytes. There
//! is no record id, so a repeat cannot be told.
//!
//! A damaged frame costs itself: the next one is found by its magic, which no payload holds, because `DE AD` followed
//! by `BE EF` is not UTF-8.

/// What a frame begins with.
pub const MAGIC: [u8; 4] = [0xde, 0xad, 0xbe, 0xef];
/// What a full file may end with.
pub const END: [u8; 4] = [0xfe, 0xed, 0xca, 0xfe];
/// Bytes of a frame before the record.
pub const FRAME_HEADER: usize = 20;
/// The version of frames that is known.
const VERSION: u32 = 1;
/// Numbers that a data format may have: 0 says bytes, 1 says JSON, and both hold JSON.
const FORMATS: [u32; 2] = [0, 1];

/// Bytes that are no whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BinaryError {
    /// The magic is not there.
    #[error("there is no frame")]
    NoFrame,
    /// A version that is not known here.
    #[error("the frame has version {0}, this program reads version {VERSION}")]
    Version(u32),
    /// The record is not as it was written.
    #[error("the record is not as it was written")]
    Checksum,
    /// The bytes end too soon, or something follows.
    #[error("the frame ends where it should not: {what}")]
    Length {
        /// What has the wrong length.
        what: &'static str,
    },
    /// A text is not UTF-8.
    #[error("the record's {what} is not UTF-8")]
    Text {
        /// Which text.
        what: &'static str,
    },
    /// A data format that is not known here.
    #[error("the record has data format {0}, this program reads formats 0 and 1")]
    Format(u32),
}

/// What bytes of a file begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// A whole frame of so many bytes. What its record holds was not looked at, only its checksum.
    Frame(usize),
    /// The mark at the end of a full file.
    End,
    /// The beginning of a frame, or of a mark, of so many bytes.
    Part(usize),
    /// Something else.
    Damage(BinaryError),
}

/// A record, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinaryRecord<'a> {
    /// The deployment; may be empty.
    pub deployment_id: &'a str,
    /// The kind of message, see [`DataType::from_number`](super::DataType::from_number).
    pub data_type: u32,
    /// The version of the envelope.
    pub version: u32,
    /// In what language the program was written that made it.
    pub language: &'a str,
    /// The version of that program.
    pub lib_version: &'a str,
    /// The payload, JSON.
    pub payload: &'a [u8],
}

/// Looks at what `bytes` begin with.
pub fn begins(bytes: &[u8]) -> Begins {
    if [MAGIC, END].iter().any(|mark| bytes.len() < mark.len() && mark.starts_with(bytes)) {
        return Begins::Part(MAGIC.len());
    }
    if bytes.starts_with(&END) {
        return Begins::End;
    }
    match frame(bytes) {
        Ok(Frame { bytes: whole, .. }) if bytes.len() < whole => Begins::Part(whole),
        Ok(Frame { bytes: whole, checksum }) => {
            let record = &bytes[FRAME_HEADER..whole];
            if checksum != 0 && checksum != u64::from(crc32fast::hash(record)) {
                return Begins::Damage(BinaryError::Checksum);
            }
            // Without a checksum, a wrong length or another frame in the midst of this one would show only here.
            match (checksum, take_apart(record)) {
                (0, Err(error)) => Begins::Damage(error),
                (0, Ok(_)) if find(record, 0).is_some() => Begins::Damage(BinaryError::Checksum),
                _other => Begins::Frame(whole),
            }
        }
        Err(BinaryError::Length { .. }) => Begins::Part(FRAME_HEADER),
        Err(error) => Begins::Damage(error),
    }
}

/// Where the next frame begins, behind the first `after` bytes.
pub fn find(bytes: &[u8], after: usize) -> Option<usize> {
    let rest = bytes.get(after..)?;
    rest.windows(MAGIC.len()).position(|window| window == MAGIC).map(|at| after + at)
}

/// Takes one whole frame apart.
///
/// # Errors
///
/// When it is damaged, or something follows it.
pub fn record(bytes: &[u8]) -> Result<BinaryRecord<'_>, BinaryError> {
    let frame = frame(bytes)?;
    let record = bytes.get(FRAME_HEADER..).unwrap_or_default();
    if frame.bytes != bytes.len() {
        return Err(BinaryError::Length { what: "the record" });
    }
    if frame.checksum != 0 && frame.checksum != u64::from(crc32fast::hash(record)) {
        return Err(BinaryError::Checksum);
    }
    take_apart(record)
}

/// A frame's length and what it says about its record.
struct Frame {
    bytes: usize,
    checksum: u64,
}

fn frame(bytes: &[u8]) -> Result<Frame, BinaryError> {
    let mut rest = bytes.strip_prefix(&MAGIC).ok_or(BinaryError::NoFrame)?;
    let version = number(&mut rest, "its header")?;
    if version != VERSION {
        return Err(BinaryError::Version(version));
    }
    let length = number(&mut rest, "its header")? as usize;
    let checksum = u64::from(number(&mut rest, "its header")?) << 32;
    let checksum = checksum | u64::from(number(&mut rest, "its header")?);
    let bytes = length.checked_add(FRAME_HEADER);
    Ok(Frame { bytes: bytes.ok_or(BinaryError::Length { what: "the record" })?, checksum })
}

fn take_apart(record: &[u8]) -> Result<BinaryRecord<'_>, BinaryError> {
    let mut rest = record;
    let header = number(&mut rest, "the record's header")? as usize;
    let (mut header, payload) =
        rest.split_at_checked(header).ok_or(BinaryError::Length { what: "the record's header" })?;
    let deployment_id = text(&mut header, "deployment id")?;
    let data_type = number(&mut header, "the data type")?;
    let format = number(&mut header, "the data format")?;
    let length = number(&mut header, "the payload's length")? as usize;
    let version = number(&mut header, "the version")?;
    let language = text(&mut header, "language")?;
    let lib_version = text(&mut header, "library version")?;
    let _reserved = text(&mut header, "reserved text")?;
    if !header.is_empty() {
        return Err(BinaryError::Length { what: "the record's header" });
    }
    if length != payload.len() {
        return Err(BinaryError::Length { what: "the payload" });
    }
    if !FORMATS.contains(&format) {
        return Err(BinaryError::Format(format));
    }
    Ok(BinaryRecord { deployment_id, data_type, version, language, lib_version, payload })
}

fn number(rest: &mut &[u8], what: &'static str) -> Result<u32, BinaryError> {
    let (number, after) = rest.split_first_chunk().ok_or(BinaryError::Length { what })?;
    *rest = after;
    Ok(u32::from_be_bytes(*number))
}

fn text<'a>(rest: &mut &'a [u8], what: &'static str) -> Result<&'a str, BinaryError> {
    let length = number(rest, what)? as usize;
    let (text, after) = rest.split_at_checked(length).ok_or(BinaryError::Length { what })?;
    *rest = after;
    std::str::from_utf8(text).map_err(|_| BinaryError::Text { what })
}

#[cfg(test)]
pub(in crate::wire) mod tests;
