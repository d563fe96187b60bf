//! "Did you mean": the known name that is most like one that is not known.

/// How alike two names must be to be worth a suggestion (Jaro-Winkler, 1 is equal).
const ALIKE: f64 = 0.75;

/// The most similar of the names, if any is similar enough.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let likeness = |other: &str| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
    let best = names.map(|other| (likeness(other), other)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, other)| other.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn typing_errors_are_recognised_and_strangers_are_not() {
        let names = || ["alpha", "l1_ratio", "max_iter"].into_iter();
        assert_eq!(nearest("aplha", names()).as_deref(), Some("alpha"));
        assert_eq!(nearest("L1ratio", names()).as_deref(), Some("l1_ratio"));
        assert_eq!(nearest("zzz", names()), None);
    }
}
