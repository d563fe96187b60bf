//! What callers notice when one package follows on another.

use models::schema::{Feature, Kind, Missing};

/// What is new for callers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    /// Rows that were scored before are refused or mean something else now.
    pub(crate) breaking: Vec<String>,
    /// Nothing breaks, and somebody should know.
    pub(crate) harmless: Vec<String>,
}

/// Compares what two packages take.
pub(crate) fn differences(old: &[Feature], new: &[Feature]) -> Differences {
    let mut found = Differences::default();
    let named = |features: &'_ [Feature], name: &str| {
        features.iter().find(|feature| feature.name == name).cloned()
    };
    for old in old {
        let name = &old.name;
        let Some(new) = named(new, name) else {
            found.breaking.push(format!("feature {name:?} is gone"));
            continue;
        };
        match (&old.kind, &new.kind) {
            (Kind::Categorical(old), Kind::Categorical(new)) => {
                let gone: Vec<_> = old.iter().filter(|level| !new.contains(level)).collect();
                if !gone.is_empty() {
                    found.harmless.push(format!("feature {name:?} has lost the levels {gone:?}"));
                }
            }
            (Kind::Numeric, Kind::Numeric) => {}
            (old, new) => {
                let (old, new) = (word(old), word(new));
                found.breaking.push(format!("feature {name:?} was {old} and is {new}"));
            }
        }
    }
    for new in new.iter().filter(|new| named(old, &new.name).is_none()) {
        let name = &new.name;
        if new.missing == Missing::Refuse {
            found
                .breaking
                .push(format!("feature {name:?} is new, and rows without it are declined"));
        } else {
            found.harmless.push(format!("feature {name:?} is new"));
        }
    }
    found
}

fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Numeric => "numeric",
        Kind::Categorical(_) => "categorical",
    }
}

#[cfg(test)]
mod tests {
    use models::schema::Unknown;

    use super::*;

    fn feature(name: &str, levels: &[&str], missing: Missing) -> Feature {
        let kind = match levels {
            [] => Kind::Numeric,
            levels => Kind::Categorical(levels.iter().map(|level| (*level).to_owned()).collect()),
        };
        Feature { name: name.to_owned(), kind, missing, unknown: Unknown::Refuse }
    }

    #[test]
    fn what_breaks_callers_is_told_from_what_does_not() {
        let old = [
            feature("a", &[], Missing::Refuse),
            feature("b", &["x", "y"], Missing::Refuse),
            feature("c", &[], Missing::Refuse),
        ];
        let same = differences(&old, &[old[2].clone(), old[1].clone(), old[0].clone()]);
        assert_eq!(same, Differences::default());
        let new = [
            feature("b", &["y"], Missing::Refuse),
            feature("c", &["1"], Missing::Refuse),
            feature("d", &[], Missing::Refuse),
            feature("e", &[], Missing::Keep),
        ];
        let found = differences(&old, &new);
        assert_eq!(
            found.breaking,
            [
                "feature \"a\" is gone",
                "feature \"c\" was numeric and is categorical",
                "feature \"d\" is new, and rows without it are declined",
            ]
        );
        assert_eq!(
            found.harmless,
            ["feature \"b\" has lost the levels [\"x\"]", "feature \"e\" is new"]
        );
    }
}
