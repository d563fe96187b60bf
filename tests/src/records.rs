//! Monitoring records as a reader of the wire sees them, parsed without the project's own code.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// One wire message.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// `header.id`.
    pub id: String,
    /// `header.deploymentId`.
    pub deployment: String,
    /// `header.dataType`.
    pub data_type: String,
    /// `header.modelDigest`, of records of predictions.
    pub model_digest: Option<String>,
    /// `header.role`, likewise.
    pub role: Option<String>,
    /// `header.gateway`.
    pub gateway: Option<String>,
    /// The document inside `data`.
    pub data: Value,
}

impl Envelope {
    /// Parses a message.
    ///
    /// # Panics
    ///
    /// When a key that the known readers need is missing or has the wrong form.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let json: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let header = &json["header"];
        let string = |key: &str| {
            header[key].as_str().unwrap_or_else(|| panic!("{key} in {text}")).to_owned()
        };
        for key in ["libVersion", "language", "reserved"] {
            string(key);
        }
        assert_eq!(string("dataFormat"), "json", "{text}");
        assert_eq!(header["version"], 2, "{text}");
        let data = json["data"].as_str().unwrap_or_else(|| panic!("data is no string in {text}"));
        Self {
            id: string("id"),
            deployment: string("deploymentId"),
            data_type: string("dataType"),
            model_digest: header["modelDigest"].as_str().map(str::to_owned),
            role: header["role"].as_str().map(str::to_owned),
            gateway: header["gateway"].as_str().map(str::to_owned),
            data: serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")),
        }
    }

    /// The association ids of a message with predictions; none for others.
    pub fn associations(&self) -> Vec<String> {
        let ids = self.data["associationIds"].as_array();
        ids.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Whether the message is of this type.
    pub fn is(&self, data_type: &str) -> bool {
        self.data_type == data_type
    }
}

/// The spool files of a folder, by number.
pub fn spool_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.strip_prefix("fs_spool.")?.parse().ok()?;
            Some((number, path))
        })
        .collect();
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}

/// The records in a folder's spool files so far; a last line that is not whole yet is left out.
///
/// # Panics
///
/// When a whole line is no record.
#[track_caller]
pub fn spooled(folder: &Path) -> Vec<Envelope> {
    let mut records = Vec::new();
    for file in spool_files(folder) {
        let text = std::fs::read_to_string(&file).expect("a spool file is UTF-8");
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        records.extend(text[..whole].lines().map(Envelope::parse));
    }
    records
}
