//! What parent and child say to each other. All numbers are little-endian.
//!
//! | bytes of a request | |
//! |---|---|
//! | 16 | [`ASKED`] |
//! | 1 | the placement: 0 pool, 1 reserved, 2 compact |
//! | 8, 8 | limits: seconds of processor time, bytes of memory |
//! | 8 | length of the package |
//! | … | the package |
//!
//! | bytes of an answer | |
//! |---|---|
//! | 16 | [`ANSWERED`] |
//! | 1 | 0 machine code, 1 why the package cannot be compiled, 2 out of memory |
//! | 8 | length of what follows the head |
//! | 32 | its SHA-256 |
//! | … | machine code as wasmtime serialises it, or a text |

use sha2::{Digest as _, Sha256};

use crate::runtime::Placement;

/// How a request starts.
const ASKED: &[u8; 16] = b"outpost compile\n";
/// How an answer starts.
const ANSWERED: &[u8; 16] = b"outpost code 1 \n";
/// Bytes of a request before the package.
pub(super) const REQUEST_BYTES: usize = 16 + 1 + 4 * 8;
/// Bytes of an answer before its content.
pub(super) const HEAD_BYTES: u64 = 16 + 1 + 8 + 32;

/// What a child is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) placement: Placement,
    pub(super) cpu_seconds: u64,
    pub(super) memory_bytes: u64,
    pub(super) package_bytes: u64,
    /// How far the child stands back behind others when processors are short.
    pub(super) nice: u64,
}

/// What a child answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Code(Vec<u8>),
    Invalid(String),
    OutOfMemory,
}

impl Request {
    pub(super) fn bytes(&self) -> [u8; REQUEST_BYTES] {
        let mut bytes = [0; REQUEST_BYTES];
        bytes[..16].copy_from_slice(ASKED);
        bytes[16] = match self.placement {
            Placement::Pool => 0,
            Placement::Reserved => 1,
            Placement::Compact => 2,
        };
        let numbers = [self.cpu_seconds, self.memory_bytes, self.package_bytes, self.nice];
        for (place, number) in bytes[17..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// None when the bytes are no request.
    pub(super) fn read(bytes: &[u8; REQUEST_BYTES]) -> Option<Self> {
        let rest = bytes.strip_prefix(ASKED)?;
        let (&placement, mut numbers) = rest.split_first()?;
        let placement = match placement {
            0 => Placement::Pool,
            1 => Placement::Reserved,
            2 => Placement::Compact,
            _other => return None,
        };
        let mut next = || {
            let (number, rest) = numbers.split_first_chunk()?;
            numbers = rest;
            Some(u64::from_le_bytes(*number))
        };
        Some(Self {
            placement,
            cpu_seconds: next()?,
            memory_bytes: next()?,
            package_bytes: next()?,
            nice: next()?,
        })
    }
}

impl Answer {
    /// The head and the content.
    pub(super) fn parts(&self) -> ([u8; HEAD_BYTES as usize], &[u8]) {
        let (kind, content) = match self {
            Self::Code(code) => (0, code.as_slice()),
            Self::Invalid(why) => (1, why.as_bytes()),
            Self::OutOfMemory => (2, &[][..]),
        };
        let mut head = [0; HEAD_BYTES as usize];
        head[..16].copy_from_slice(ANSWERED);
        head[16] = kind;
        head[17..25].copy_from_slice(&(content.len() as u64).to_le_bytes());
        head[25..].copy_from_slice(&Sha256::digest(content));
        (head, content)
    }

    /// Takes a whole answer. The error says what is wrong with it.
    pub(super) fn read(mut bytes: Vec<u8>) -> Result<Self, &'static str> {
        let rest = bytes.strip_prefix(ANSWERED).ok_or("it does not begin like one")?;
        let (&kind, rest) = rest.split_first().ok_or(CUT)?;
        let (length, rest) = rest.split_first_chunk().ok_or(CUT)?;
        let (sum, content) = rest.split_first_chunk::<32>().ok_or(CUT)?;
        if content.len() as u64 != u64::from_le_bytes(*length) {
            return Err(CUT);
        }
        if Sha256::digest(content).as_slice() != sum {
            return Err("it is damaged");
        }
        match kind {
            0 => Ok(Self::Code(bytes.split_off(HEAD_BYTES as usize))),
            1 => Ok(Self::Invalid(String::from_utf8_lossy(content).into_owned())),
            2 => Ok(Self::OutOfMemory),
            _other => Err("its kind is unknown"),
        }
    }
}

/// What is wrong with an answer that has another length than it says.
const CUT: &str = "it is cut off";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_are_written() {
        for placement in [Placement::Pool, Placement::Reserved, Placement::Compact] {
            let request = Request {
                placement,
                cpu_seconds: 7,
                memory_bytes: 1 << 40,
                package_bytes: 300,
                nice: 10,
            };
            let mut bytes = request.bytes();
            assert_eq!(Request::read(&bytes), Some(request));
            bytes[16] = 3;
            assert_eq!(Request::read(&bytes), None);
            bytes[0] = 0;
            assert_eq!(Request::read(&bytes), None);
        }
    }

    #[test]
    fn an_answer_is_whole_or_refused() {
        for answer in [Answer::Code(vec![7; 40]), Answer::Invalid("no".into()), Answer::OutOfMemory]
        {
            let (head, content) = answer.parts();
            let bytes = [&head[..], content].concat();
            for end in 0..bytes.len() {
                assert!(Answer::read(bytes[..end].to_vec()).is_err(), "{end}");
            }
            assert_eq!(Answer::read([&bytes[..], b"x"].concat()), Err(CUT));
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 0x10;
                assert!(Answer::read(changed).is_err(), "{at}");
            }
            assert_eq!(Answer::read(bytes), Ok(answer));
        }
    }
}
