//! Small pictures for the terminal, for where a person would rather look than read.

const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const BAR: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// One character a count, as high as the count is beside the largest; an empty bin is a space.
pub(crate) fn sparkline(counts: &[u64]) -> String {
    let largest = counts.iter().copied().max().unwrap_or(0).max(1);
    let height = |count: u64| {
        let step = (u128::from(count) * 8).div_ceil(u128::from(largest)).clamp(1, 8);
        EIGHTHS[step as usize - 1]
    };
    counts.iter().map(|&count| if count == 0 { ' ' } else { height(count) }).collect()
}

/// A bar of `value` beside `largest`, at most `width` characters long, in steps of an eighth of one.
pub(crate) fn bar(value: f64, largest: f64, width: usize) -> String {
    if !(value > 0.0 && largest > 0.0) {
        return String::new();
    }
    let eighths = ((value / largest).min(1.0) * width as f64 * 8.0).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(BAR[eighths % 8 - 1]);
    }
    bar
}

/// A number in at most seven significant digits, without an exponent where people would not write one.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) {
        return format!("{value:.3e}");
    }
    let decimals = (4 - size.max(1.0).log10().floor() as i32).clamp(0, 4) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A count of bytes as people read it.
pub(crate) fn bytes(count: usize) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

/// How long ago something was, in the two largest units that say something.
pub(crate) fn age(age: std::time::Duration) -> String {
    let seconds = age.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Text from elsewhere, without what a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparkline_shows_empty_small_and_full_bins() {
        assert_eq!(sparkline(&[0, 1, 50, 100]), " ▁▄█");
        assert_eq!(sparkline(&[0, 0]), "  ");
        assert_eq!(sparkline(&[u64::MAX]), "█");
    }

    #[test]
    fn bar_is_as_long_as_its_share() {
        assert_eq!(bar(1.0, 1.0, 4), "████");
        assert_eq!(bar(0.5, 1.0, 4), "██");
        assert_eq!(bar(0.5, 4.0, 4), "▌");
        assert_eq!(bar(0.0, 1.0, 4), "");
        assert_eq!(bar(f64::NAN, 1.0, 4), "");
    }

    #[test]
    fn ages_have_two_units() {
        let age = |seconds| age(std::time::Duration::from_secs(seconds));
        assert_eq!(age(0), "0 s");
        assert_eq!(age(59), "59 s");
        assert_eq!(age(61), "1 min 1 s");
        assert_eq!(age(3600), "1 h 0 min");
        assert_eq!(age(90_000), "1 d 1 h");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(46.277198918661), "46.277");
        assert_eq!(number(442.0), "442");
        assert_eq!(number(0.0), "0");
        assert_eq!(number(123456.7), "123457");
        assert_eq!(number(-0.00001), "-1.000e-5");
    }
}
