//! The model package as a file: one component with the manifest in a custom section.
//!
//! # Form
//!
//! A WebAssembly component with a custom section named [`MANIFEST_SECTION`] that holds the manifest as JSON. Signatures
//! may follow (`signature.rs`), and nothing else behind them. The package's digest is the SHA-256 of all bytes of the file.
//!
//! # Failure
//!
//! A file from anywhere is read with a size limit, and every way in which it is no package has an error of its own.
//! That its code is valid, and does what the manifest says, is checked when it is loaded.

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use models::manifest::MANIFEST_SECTION;
use models::manifest::Manifest;
use sha2::{Digest as _, Sha256};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

use crate::error::{PackageError, SealError};
use crate::signature::{SIGNATURE_BYTES, SIGNATURE_SECTION, SIGNATURES};

/// The largest file that is taken for a package, in bytes.
pub const PACKAGE_BYTES: u64 = 512 << 20;

/// The first four bytes of every WebAssembly file.
const MAGIC: &[u8; 4] = b"\0asm";

/// The SHA-256 of bytes, most of all a package's. Shown as `sha256:<hex>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// A model package in memory. Its manifest is read, its code is not looked at yet.
#[derive(Clone, Debug)]
pub struct Package {
    bytes: Vec<u8>,
    manifest: Manifest,
    digest: Digest,
    /// Where the first signature begins: what they sign ends there.
    signed: usize,
    signatures: Vec<[u8; SIGNATURE_BYTES]>,
}

/// A section of a component, outside what is nested in it.
enum Section<'a> {
    Custom(&'a str, &'a [u8]),
    Other,
}

impl Package {
    /// Reads a package from a file of at most [`PACKAGE_BYTES`].
    ///
    /// # Errors
    ///
    /// As [`Package::parse`], and [`PackageError::Read`] when the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, PackageError> {
        let unreadable = |source| PackageError::Read { path: path.to_path_buf(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(PACKAGE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::parse(bytes)
    }

    /// Takes a package's bytes.
    ///
    /// # Errors
    ///
    /// [`PackageError`] says why the bytes are no package.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, PackageError> {
        check_size(bytes.len() as u64)?;
        if !bytes.starts_with(MAGIC) {
            return Err(PackageError::NotWasm);
        }
        let sections = sections(&bytes)?;
        let manifest = find_manifest(&sections)?;
        let manifest = Manifest::from_json(manifest).map_err(PackageError::Manifest)?;
        let (signed, signatures) = find_signatures(&sections)?;
        let signed = signed.unwrap_or(bytes.len());
        let digest = Digest::of(&bytes);
        Ok(Self { bytes, manifest, digest, signed, signatures })
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole file.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What signatures in the file sign: all bytes before the first of them.
    #[must_use]
    pub fn signed_bytes(&self) -> &[u8] {
        &self.bytes[..self.signed]
    }

    /// The signatures in the file. Nobody has verified them yet.
    #[must_use]
    pub fn signatures(&self) -> &[[u8; SIGNATURE_BYTES]] {
        &self.signatures
    }

    /// What the package says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest of the whole file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Appends a manifest to a component that has none.
pub(crate) fn attach_manifest(component: &mut Vec<u8>, json: &[u8]) {
    let section = CustomSection { name: MANIFEST_SECTION.into(), data: json.into() };
    section.append_to_component(component);
}

/// A component out of a component or a core module that carries its component type.
pub(crate) fn component(bytes: Vec<u8>) -> Result<Vec<u8>, SealError> {
    check_size(bytes.len() as u64).map_err(SealError::Package)?;
    if !bytes.starts_with(MAGIC) {
        return Err(SealError::Package(PackageError::NotWasm));
    }
    match sections(&bytes) {
        Ok(_) => Ok(bytes),
        Err(PackageError::CoreModule) => encode(&bytes),
        Err(error) => Err(SealError::Package(error)),
    }
}

/// The start of the names of the custom sections in which toolchains leave a module's component type.
const COMPONENT_TYPE: &str = "component-type";

fn encode(module: &[u8]) -> Result<Vec<u8>, SealError> {
    let typed = Parser::new(0).parse_all(module).any(|payload| {
        matches!(payload, Ok(Payload::CustomSection(it)) if it.name().starts_with(COMPONENT_TYPE))
    });
    if !typed {
        return Err(SealError::Module("there is no component type in it".to_string()));
    }
    let encoded = ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode());
    encoded.map_err(|error| {
        let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
        SealError::Module(chain.join(": ").replace('\n', " "))
    })
}

/// Refuses a component that has a manifest or a signature.
pub(crate) fn check_bare(bytes: &[u8]) -> Result<(), SealError> {
    let sections = sections(bytes).map_err(SealError::Package)?;
    let ours = |(_, section): &(usize, Section<'_>)| {
        matches!(section, Section::Custom(MANIFEST_SECTION | SIGNATURE_SECTION, _))
    };
    if sections.iter().any(ours) { Err(SealError::Sealed) } else { Ok(()) }
}

fn check_size(bytes: u64) -> Result<(), PackageError> {
    if bytes > PACKAGE_BYTES {
        return Err(PackageError::TooLarge { bytes, limit: PACKAGE_BYTES });
    }
    Ok(())
}

/// The manifest section's content. Sections of nested modules and components do not count.
fn find_manifest<'a>(sections: &[(usize, Section<'a>)]) -> Result<&'a [u8], PackageError> {
    let mut found = sections.iter().filter_map(|(_, section)| match section {
        Section::Custom(MANIFEST_SECTION, data) => Some(*data),
        _ => None,
    });
    match (found.next(), found.next()) {
        (Some(manifest), None) => Ok(manifest),
        (None, _) => Err(PackageError::NoManifest),
        (Some(_), Some(_)) => Err(PackageError::TwoManifests),
    }
}

/// The signatures, and where the first of them begins. What is behind that may not be anything else, or it would be
/// signed by nobody.
fn find_signatures(
    sections: &[(usize, Section<'_>)],
) -> Result<(Option<usize>, Vec<[u8; SIGNATURE_BYTES]>), PackageError> {
    let mut first = None;
    let mut signatures = Vec::new();
    for (start, section) in sections {
        match section {
            Section::Custom(SIGNATURE_SECTION, data) => {
                first.get_or_insert(*start);
                signatures.push((*data).try_into().map_err(|_| PackageError::Signature)?);
            }
            _ if first.is_some() => return Err(PackageError::BehindSignature),
            _ => {}
        }
    }
    if signatures.len() > SIGNATURES {
        return Err(PackageError::Signatures { count: signatures.len(), limit: SIGNATURES });
    }
    Ok((first, signatures))
}

/// All sections with the places where they begin.
fn sections(bytes: &[u8]) -> Result<Vec<(usize, Section<'_>)>, PackageError> {
    let mut parser = Parser::new(0);
    let mut rest = bytes;
    let mut sections = Vec::new();
    loop {
        let start = bytes.len() - rest.len();
        let damaged = |error: wasmparser::BinaryReaderError| PackageError::Damaged(error.into());
        let chunk = match parser.parse(rest, true) {
            Ok(chunk) => chunk,
            Err(error) if start == 0 && bytes.len() >= 8 => {
                tracing::debug!(%error, "File head not understood");
                return Err(PackageError::Layer);
            }
            Err(error) => return Err(damaged(error)),
        };
        let wasmparser::Chunk::Parsed { consumed, payload } = chunk else {
            return Err(PackageError::Damaged("the file ends in the middle of a section".into()));
        };
        rest = &rest[consumed..];
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } => {
                return Err(PackageError::CoreModule);
            }
            Payload::Version { .. } => {}
            Payload::ModuleSection { unchecked_range, .. }
            | Payload::ComponentSection { unchecked_range, .. } => {
                let nested = unchecked_range.end - unchecked_range.start;
                rest = rest.get(nested..).ok_or_else(|| {
                    PackageError::Damaged("a nested module is longer than the file".into())
                })?;
                sections.push((start, Section::Other));
            }
            Payload::CustomSection(section) => {
                sections.push((start, Section::Custom(section.name(), section.data())));
            }
            Payload::End(_) => return Ok(sections),
            _ => sections.push((start, Section::Other)),
        }
    }
}
