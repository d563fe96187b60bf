//! What a number looks like in the text doors (form, query, CSV), the same in each.
//!
//! An optional sign, digits with an optional point (at least one digit), an optional exponent. Blanks around it are
//! dropped. Nothing at all and `null` are missing. `NaN`, `Infinity`, hexadecimal, digit separators and decimal commas are no numbers. The value
//! is the nearest `f64`, as in the JSON door, so that `30`, `30.0` and `3e1` are the same everywhere.

/// A text that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotNumber {
    /// Not in the grammar.
    Form,
    /// In the grammar, but too large for an `f64`.
    Range,
}

/// Reads a number; none when it is missing.
pub(crate) fn parse(text: &str) -> Result<Option<f64>, NotNumber> {
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() || text == "null" {
        return Ok(None);
    }
    if !is_decimal(text.as_bytes()) {
        return Err(NotNumber::Form);
    }
    let value: f64 = text.parse().map_err(|_| NotNumber::Form)?;
    if value.is_finite() { Ok(Some(value)) } else { Err(NotNumber::Range) }
}

fn is_decimal(text: &[u8]) -> bool {
    let rest = strip_sign(text);
    let (whole, rest) = digits(rest);
    let (fraction, rest) = match rest.split_first() {
        Some((b'.', rest)) => digits(rest),
        _ => (0, rest),
    };
    if whole + fraction == 0 {
        return false;
    }
    match rest.split_first() {
        None => true,
        Some((b'e' | b'E', rest)) => {
            let (exponent, rest) = digits(strip_sign(rest));
            exponent > 0 && rest.is_empty()
        }
        Some(_) => false,
    }
}

fn strip_sign(text: &[u8]) -> &[u8] {
    match text.split_first() {
        Some((b'+' | b'-', rest)) => rest,
        _ => text,
    }
}

fn digits(text: &[u8]) -> (usize, &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count, &text[count..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_many_spellings() {
        for text in ["30", "30.0", "3e1", "3E+1", "+30", " 30\t", "030", "300e-1", "30.", ".3e2"] {
            assert_eq!(parse(text), Ok(Some(30.0)), "{text}");
        }
        assert_eq!(parse("-0").unwrap().unwrap().to_bits(), (-0.0f64).to_bits());
        assert_eq!(parse("9007199254740993"), Ok(Some(9007199254740992.0)));
        assert_eq!(parse("5e-324"), Ok(Some(f64::from_bits(1))));
    }

    #[test]
    fn nothing_and_null_are_missing() {
        assert_eq!(parse(""), Ok(None));
        assert_eq!(parse(" \t "), Ok(None));
        assert_eq!(parse("null"), Ok(None));
    }

    #[test]
    fn what_only_looks_like_a_number_is_none() {
        for text in [
            "NaN", "nan", "inf", "Infinity", "-inf", "0x1E", "1_000", "1,5", "1 000", "e5", ".",
            "-", "+", "1e", "1e+", "--1", "1.2.3", "true", "Null", "30abc", "٣٠", "\n30",
        ] {
            assert_eq!(parse(text), Err(NotNumber::Form), "{text}");
        }
        assert_eq!(parse("1e309"), Err(NotNumber::Range));
        assert_eq!(parse("-1e999"), Err(NotNumber::Range));
    }
}
