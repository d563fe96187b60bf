//! What ids, names and shares may be.

use super::{NAME_CHARS, change::ChangeError};

/// Ids are parts of paths, of file names and of commands.
pub(super) fn check_name(field: &'static str, name: &str) -> Result<(), ChangeError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=NAME_CHARS).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') {
        return Ok(());
    }
    let rule = format!(
        "must be 1 to {NAME_CHARS} letters, digits, `.`, `_` or `-`, not beginning with a dot"
    );
    Err(ChangeError::Invalid { field, rule })
}

/// Ids of the settings are the caller's own business, as long as they can be a path's segment, escaped where needed.
pub(super) fn check_id(id: &str) -> Result<(), ChangeError> {
    let fits = (1..=NAME_CHARS).contains(&id.chars().count());
    if fits && !id.contains('/') && !id.chars().any(char::is_control) {
        return Ok(());
    }
    let rule = format!("must be 1 to {NAME_CHARS} characters, without `/` and control characters");
    Err(ChangeError::Invalid { field: "id", rule })
}

pub(super) fn check_share(share: f64) -> Result<(), ChangeError> {
    if share > 0.0 && share < 1.0 {
        return Ok(());
    }
    let rule =
        "must be above 0 and below 1 (100 %); `promote` gives a canary everything".to_owned();
    Err(ChangeError::Invalid { field: "share", rule })
}
