//! Classes: which one a row's probabilities decide for, and which one a text means.
//!
//! Accuracy and drift decide by the same rules, so that the shares of a drift report are those of the table of hits and
//! misses.

use super::Target;

impl Target {
    /// The class that is predicted: of two the positive one from the threshold on, of several the most probable one, the
    /// first of equals. None where there is no class to predict, or where a number is no probability.
    ///
    /// Of two classes the last number alone counts. Probabilities need not add up to one.
    #[must_use]
    pub fn decision(&self, probabilities: &[f64]) -> Option<usize> {
        match self {
            Self::Regression => None,
            Self::Binary { threshold, .. } => {
                is_positive(*probabilities.last()?, *threshold).map(usize::from)
            }
            Self::Multiclass { classes } => most_probable(probabilities, classes.len()),
        }
    }
}

/// Whether the positive one of two classes is predicted; none where its number is no probability.
pub(super) fn is_positive(score: f64, threshold: f64) -> Option<bool> {
    (0.0..=1.0).contains(&score).then_some(score >= threshold)
}

/// The most probable class, of equals the first, as scikit-learn has it; none where a number is no probability.
pub(super) fn most_probable(probabilities: &[f64], classes: usize) -> Option<usize> {
    let fits =
        probabilities.len() == classes && probabilities.iter().all(|p| (0.0..=1.0).contains(p));
    let all = probabilities.iter().enumerate().filter(|_| fits);
    all.reduce(|best, one| if one.1 > best.1 { one } else { best }).map(|(at, _)| at)
}

/// The class that a text means: its name; else its name in other letters, as true and false are written in capitals by
/// some; else the same number, as a column with a missing value has 1.0 for 1.
#[must_use]
pub fn class_of(classes: &[String], text: &str) -> Option<usize> {
    let place = |means: &dyn Fn(&str) -> bool| classes.iter().position(|class| means(class));
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    place(&|class| class == text)
        .or_else(|| place(&|class| class.eq_ignore_ascii_case(text)))
        .or_else(|| {
            let said = number(text)?;
            place(&|class| number(class) == Some(said))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn two_classes_are_decided_by_the_last_number_from_the_threshold_on() {
        let classes = ["no", "yes"].map(str::to_owned);
        let target = Target::Binary { classes, threshold: 0.3 };
        for (row, class) in [
            (&[0.7, 0.3][..], Some(1)),
            (&[0.7, 0.3 - f64::EPSILON], Some(0)),
            (&[0.3], Some(1)),
            // They need not add up to one.
            (&[0.9, 0.9], Some(1)),
            (&[0.0, 0.0], Some(0)),
            (&[f64::NAN, 1.0], Some(1)),
            (&[0.5, f64::NAN], None),
            (&[0.0, 1.0 + 1e-9], None),
            (&[1.0, -1e-9], None),
            (&[], None),
        ] {
            assert_eq!(target.decision(row), class, "{row:?}");
        }
    }

    #[test]
    fn several_classes_are_decided_by_the_first_of_the_largest() {
        let target = Target::Multiclass { classes: names(&["a", "b", "c"]) };
        for (row, class) in [
            (&[0.2, 0.5, 0.3][..], Some(1)),
            (&[0.4, 0.2, 0.4], Some(0)),
            (&[0.0, 0.0, 0.0], Some(0)),
            (&[0.9, 1.0, 0.9], Some(1)),
            (&[0.5, 0.5, f64::NAN], None),
            (&[0.0, 0.0, 1.5], None),
            (&[0.5, 0.5], None),
        ] {
            assert_eq!(target.decision(row), class, "{row:?}");
        }
        assert_eq!(Target::Regression.decision(&[1.0]), None);
    }

    #[test]
    fn a_class_is_found_by_its_name_before_what_is_like_it() {
        let classes = names(&["True", "true", "False", "1", "01", "2.50"]);
        for (text, place) in [
            ("true", Some(1)),
            ("TRUE", Some(0)),
            ("false", Some(2)),
            ("1", Some(3)),
            ("01", Some(4)),
            ("1.0", Some(3)),
            ("2.5", Some(5)),
            ("3", None),
            ("", None),
            ("nan", None),
            ("maybe", None),
        ] {
            assert_eq!(class_of(&classes, text), place, "{text:?}");
        }
        // These are names, not numbers.
        assert_eq!(class_of(&names(&["NaN", "inf"]), "nan"), Some(0));
        assert_eq!(class_of(&names(&["NaN", "inf"]), "infinity"), None);
    }
}
