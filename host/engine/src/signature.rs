//! Signatures of model packages: Ed25519 over the exact bytes of the file.
//!
//! # Form
//!
//! Keys are PEM files as other tools write them: `PRIVATE KEY` (PKCS #8) and `PUBLIC KEY` (SPKI). A detached signature is
//! 64 bytes over all bytes of the package. One in the package is a custom section named [`SIGNATURE_SECTION`] of 64 bytes,
//! over all bytes before the first such section; several keys may sign one package, each with a section of its own.
//!
//! # Operation
//!
//! Whoever verifies has pinned keys. One good signature by one of them is enough: that is how keys are rotated. First the
//! new key is pinned beside the old one everywhere, then packages are signed with it, then the old one is taken out.
//! Verifying looks at the frame of the file alone, so it comes before anything is compiled.
//!
//! # Failure
//!
//! A package without a signature and one that no pinned key has signed are different errors. Weak public keys, for which
//! anybody can make signatures, are refused when they are read.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use wasm_encoder::{ComponentSection as _, CustomSection};
use zeroize::Zeroizing;

use crate::error::Cause;
use crate::package::Package;

/// The custom section that holds a signature.
pub const SIGNATURE_SECTION: &str = "outpost:signature";
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = Signature::BYTE_SIZE;
/// Signatures in one package; a rotation of keys needs two.
pub const SIGNATURES: usize = 8;
/// Bytes of the key's hash that people compare.
const FINGERPRINT_BYTES: usize = 8;

/// The key that signs. Its memory is wiped when it is dropped; it is never printed.
pub struct SecretKey(SigningKey);

/// The key that verifies. Shown as its fingerprint, the start of its SHA-256 in hex.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not a secret key.
    #[error("read the key: it is no Ed25519 private key in PEM form (PKCS #8)")]
    Secret(#[source] Cause),
    /// Not a public key.
    #[error("read the key: it is no Ed25519 public key in PEM form (SPKI)")]
    Public(#[source] Cause),
    /// A public key whose signatures anybody can make.
    #[error(
        "read the key: it is weak, anybody can sign for it; make another with `outpost keygen`"
    )]
    Weak,
    /// It cannot be written.
    #[error("write the key")]
    Write(#[source] Cause),
    /// The operating system gave no random bytes.
    #[error("make a key: the operating system has no random bytes")]
    Random(#[source] Cause),
}

/// A package is not signed by anybody who is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("trust the package: it is not signed")]
    Unsigned,
    /// None of the keys has signed these bytes.
    #[error("trust the package: none of the {keys} pinned keys has signed it as it is")]
    Untrusted {
        /// How many keys were tried.
        keys: usize,
    },
    /// The detached signature has a wrong length.
    #[error("trust the package: its detached signature has {bytes} bytes instead of 64")]
    Detached {
        /// Its length.
        bytes: usize,
    },
}

impl SecretKey {
    /// Makes a new key from the operating system's random bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`].
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|error| KeyError::Random(error.into()))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads a PEM file's text.
    ///
    /// # Errors
    ///
    /// [`KeyError::Secret`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_pem(text)
            .map(Self)
            .map_err(|error| KeyError::Secret(error.to_string().into()))
    }

    /// Hands the PEM text, which is wiped afterwards, to `take`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Write`].
    pub fn with_pem<T>(&self, take: impl FnOnce(&str) -> T) -> Result<T, KeyError> {
        let pem = self.0.to_pkcs8_pem(LineEnding::LF);
        let pem = pem.map_err(|error| KeyError::Write(error.to_string().into()))?;
        Ok(take(&pem))
    }

    /// The key for those who verify.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// A detached signature of a file.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(bytes).to_bytes()
    }

    /// The package with one more signature in it. A package that this key has signed already stays as it is.
    #[must_use]
    pub fn attach(&self, package: Package) -> Vec<u8> {
        let signed = verify(&package, None, &[self.public()]).is_ok();
        let signature = self.sign(package.signed_bytes());
        let mut bytes = package.into_bytes();
        if !signed {
            let section =
                CustomSection { name: SIGNATURE_SECTION.into(), data: signature[..].into() };
            section.append_to_component(&mut bytes);
        }
        bytes
    }
}

impl PublicKey {
    /// Reads a PEM file's text.
    ///
    /// # Errors
    ///
    /// [`KeyError::Public`] and [`KeyError::Weak`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_public_key_pem(text)
            .map_err(|error| KeyError::Public(error.to_string().into()))?;
        if key.is_weak() { Err(KeyError::Weak) } else { Ok(Self(key)) }
    }

    /// The PEM text.
    ///
    /// # Errors
    ///
    /// [`KeyError::Write`].
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let pem = self.0.to_public_key_pem(LineEnding::LF);
        pem.map_err(|error| KeyError::Write(error.to_string().into()))
    }

    fn has_signed(&self, bytes: &[u8], signature: [u8; SIGNATURE_BYTES]) -> bool {
        self.0.verify_strict(bytes, &Signature::from_bytes(&signature)).is_ok()
    }
}

/// Looks for a good signature of a package by one of `keys`, and gives that key.
///
/// # Errors
///
/// [`SignatureError`] says what is missing.
pub fn verify<'k>(
    package: &Package,
    detached: Option<&[u8]>,
    keys: &'k [PublicKey],
) -> Result<&'k PublicKey, SignatureError> {
    let detached = detached.map(|bytes| {
        <[u8; SIGNATURE_BYTES]>::try_from(bytes)
            .map_err(|_| SignatureError::Detached { bytes: bytes.len() })
    });
    let outside = detached.transpose()?.map(|signature| (package.bytes(), signature));
    let inside = package.signatures().iter().map(|signature| (package.signed_bytes(), *signature));
    let signatures: Vec<_> = outside.into_iter().chain(inside).collect();
    if signatures.is_empty() {
        return Err(SignatureError::Unsigned);
    }
    let good = |key: &&PublicKey| {
        signatures.iter().any(|(bytes, signature)| key.has_signed(bytes, *signature))
    };
    keys.iter().find(good).ok_or(SignatureError::Untrusted { keys: keys.len() })
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKey").field(&self.public()).finish()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = Sha256::digest(self.0.as_bytes());
        digest[..FINGERPRINT_BYTES].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
