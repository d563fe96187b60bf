//! Reading, writing and checking a manifest.

use super::{Distribution, MANIFEST_FORMAT, Manifest};
use crate::{
    model::{
        TableError,
        validate::{self, level_index},
    },
    schema::{Kind, UNKNOWN_LEVEL},
};

/// The longest name of a model, in bytes; it becomes part of URLs, file names and topics.
pub const NAME_BYTES_MAX: usize = 64;
/// The longest version of a model, in bytes.
pub const VERSION_BYTES_MAX: usize = 64;

/// Why something is not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a key is missing or of the wrong type.
    #[error("read the manifest: it is not what this program writes")]
    Json(#[source] serde_json::Error),
    /// Written by a newer version of this program.
    #[error(
        "read the manifest: it has format {found}, this program reads formats up to {MANIFEST_FORMAT}; update this program"
    )]
    Newer {
        /// The manifest's format.
        found: u32,
    },
    /// Readable, but a field holds something impossible.
    #[error("use the manifest: `{field}` {rule}")]
    Invalid {
        /// Path of the field.
        field: String,
        /// The rule that it breaks.
        rule: String,
    },
}

/// The one key that every format has.
#[derive(serde::Deserialize)]
struct Format {
    format: u32,
}

impl Manifest {
    /// The manifest as JSON, the same bytes for the same manifest.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self)
            .expect("every type here has a JSON form, and a vector takes whatever is written")
    }

    /// Reads a manifest and checks it.
    ///
    /// # Errors
    ///
    /// [`ManifestError`]; a newer format is told apart from damage, whatever else has changed in it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        let Format { format } = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        if format > MANIFEST_FORMAT {
            return Err(ManifestError::Newer { found: format });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`] with the first field that is wrong.
    pub fn validate(&self) -> Result<(), ManifestError> {
        if self.format != MANIFEST_FORMAT {
            return Err(invalid("format", format!("is {}, not {MANIFEST_FORMAT}", self.format)));
        }
        name(&self.name)?;
        version(&self.version)?;
        if self.prediction_type != "regression" {
            return Err(invalid(
                "prediction_type",
                "is not `regression`, the only one that this program knows",
            ));
        }
        if self.target.is_empty() {
            return Err(invalid("target", "is empty"));
        }
        if let Err(TableError::Invalid { at, rule, .. }) = validate::features(&self.features) {
            return Err(invalid(format!("features[{at}]"), rule));
        }
        if self.baseline.features.len() != self.features.len() {
            return Err(invalid("baseline.features", "does not have one entry for each feature"));
        }
        for (at, (feature, distribution)) in
            self.features.iter().zip(&self.baseline.features).enumerate()
        {
            let agree = matches!(
                (&feature.kind, distribution),
                (Kind::Numeric, Distribution::Numeric { .. })
                    | (Kind::Categorical(_), Distribution::Categorical { .. })
            );
            if !agree {
                return Err(invalid(
                    format!("baseline.features[{at}]"),
                    "is not of the feature's kind",
                ));
            }
        }
        let importance = &self.baseline.importance;
        if !importance.is_empty() && importance.len() != self.features.len() {
            return Err(invalid("baseline.importance", "does not have one entry for each feature"));
        }
        if let Some(at) = importance.iter().position(|share| !(0.0..=1.0).contains(share)) {
            return Err(invalid(format!("baseline.importance[{at}]"), "is not from 0 to 1"));
        }
        if let Some((metric, _)) = self.metrics.iter().find(|(_, value)| !value.is_finite()) {
            return Err(invalid(format!("metrics.{metric}"), "is not a finite number"));
        }
        self.golden_rows()
    }

    fn golden_rows(&self) -> Result<(), ManifestError> {
        for (at, golden) in self.golden.iter().enumerate() {
            if golden.row.len() != self.features.len() {
                return Err(invalid(
                    format!("golden[{at}].row"),
                    "does not have one value for each feature",
                ));
            }
            if !golden.prediction.is_finite() {
                return Err(invalid(format!("golden[{at}].prediction"), "is not a finite number"));
            }
            for (value, feature) in golden.row.iter().zip(&self.features) {
                let fits = |value: f64| match &feature.kind {
                    Kind::Numeric => value.is_finite(),
                    Kind::Categorical(levels) => {
                        value == UNKNOWN_LEVEL || level_index(value, levels.len()).is_some()
                    }
                };
                if value.is_some_and(|value| !fits(value)) {
                    return Err(invalid(
                        format!("golden[{at}].row"),
                        format!("holds a value that `{}` cannot have", feature.name),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Checks a model's name.
///
/// # Errors
///
/// [`ManifestError::Invalid`] that says what a name may be.
pub fn name(name: &str) -> Result<(), ManifestError> {
    let allowed =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !starts || name.len() > NAME_BYTES_MAX || !name.chars().all(allowed) {
        let rule = format!(
            "is `{name}`; it must be 1 to {NAME_BYTES_MAX} lower-case letters, digits, `-`, `_` or `.`, a letter or digit first"
        );
        return Err(invalid("name", rule));
    }
    Ok(())
}

/// Checks a model's version.
///
/// # Errors
///
/// [`ManifestError::Invalid`] that says what a version may be.
pub fn version(version: &str) -> Result<(), ManifestError> {
    let visible = version.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if version.is_empty() || version.len() > VERSION_BYTES_MAX || !visible {
        return Err(invalid(
            "version",
            format!("is `{version}`; it must be 1 to {VERSION_BYTES_MAX} bytes without spaces"),
        ));
    }
    Ok(())
}

fn invalid(field: impl Into<String>, rule: impl Into<String>) -> ManifestError {
    ManifestError::Invalid { field: field.into(), rule: rule.into() }
}

#[cfg(test)]
mod tests;
