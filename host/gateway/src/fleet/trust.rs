//! Whom packages must be signed by, and whether they may be older than what served before.

use engine::{Package, PublicKey, SignatureError};

use super::{change::ChangeError, versions};

/// What is asked of a package before anything of it is compiled.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Keys that are trusted. Without any, signatures are not looked at: there is nobody to trust.
    pub keys: Vec<PublicKey>,
    /// Whether packages without a signature are refused.
    pub only_signed: bool,
    /// Whether a champion's version may only rise, so that nobody brings an old package back that was signed once and has a
    /// fault that is known now. A `rollback` by somebody with the right to it is another thing and stays possible.
    pub only_newer: bool,
}

impl Trust {
    /// The key that has signed a package; none of an unsigned one, where that is allowed. A detached signature counts like
    /// one in the package.
    ///
    /// # Errors
    ///
    /// When the signature is wrong, by nobody who is trusted, or missing and needed.
    pub fn signer(
        &self,
        package: &Package,
        detached: Option<&[u8]>,
    ) -> Result<Option<&PublicKey>, SignatureError> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        match engine::verify(package, detached, &self.keys) {
            Ok(key) => Ok(Some(key)),
            Err(SignatureError::Unsigned) if !self.only_signed => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Refuses a version below `floor`, the highest that served.
    pub(super) fn newer(&self, version: &str, floor: Option<&str>) -> Result<(), ChangeError> {
        match floor {
            Some(floor) if self.only_newer && !versions::follows(version, floor) => {
                Err(ChangeError::Older { version: version.to_owned(), floor: floor.to_owned() })
            }
            _ => Ok(()),
        }
    }
}
