//! Which version is newer.

/// A version as numbers; none when it is anything but numbers with dots between them. `v1.2` counts as `1.2`.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let mut numbers: Vec<u64> =
        version.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    while numbers.last() == Some(&0) && numbers.len() > 1 {
        numbers.pop();
    }
    Some(numbers)
}

/// Whether `version` may follow on `floor`: it is as high at least. What cannot be compared is not.
pub(crate) fn follows(version: &str, floor: &str) -> bool {
    if version == floor {
        return true;
    }
    match (numbers(version), numbers(floor)) {
        (Some(version), Some(floor)) => version >= floor,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, floor) in
            [("10", "9"), ("1.10", "1.9"), ("2", "1.9.9"), ("1.0", "1"), ("v2", "1"), ("a", "a")]
        {
            assert!(follows(version, floor), "{version} after {floor}");
        }
        for (version, floor) in
            [("9", "10"), ("1", "1.0.1"), ("2-beta", "1"), ("2", "x"), ("", "1")]
        {
            assert!(!follows(version, floor), "{version} after {floor}");
        }
    }
}
