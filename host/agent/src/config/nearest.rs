//! The known name that somebody may have meant.

/// From this likeness on a known name is worth naming.
const ALIKE: f64 = 0.6;

/// The name that is most like a key.
pub(super) fn nearest(
    key: &str,
    names: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let likeness = |name: &str| strsim::jaro_winkler(&plain(key), &plain(name));
    names
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}
