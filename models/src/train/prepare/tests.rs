use super::*;
use crate::train::CsvOptions;

fn table(text: &str) -> Table {
    Table::read_csv(text.as_bytes(), &CsvOptions::default()).expect("good CSV")
}

fn prepare(text: &str, change: impl FnOnce(&mut Settings)) -> Result<Prepared, TrainError> {
    let mut settings = Settings::new("y", "m");
    change(&mut settings);
    Prepared::new(&table(text), &settings)
}

fn message(text: &str) -> String {
    prepare(text, |_| {}).expect_err("bad data").to_string()
}

/// A file of two columns, `x` and `y`.
fn rows(count: usize, x: impl Fn(usize) -> String) -> String {
    (0..count).fold("x,y\n".to_owned(), |text, row| format!("{text}{},{}\n", x(row), row % 3))
}

#[test]
fn categories_become_a_column_for_each_level() {
    let prepared = prepare("y,c,x\n1,b,5\n2,a,6\n", |_| {}).expect("good data");
    let level = |code| Column::Level { feature: 0, code };
    assert_eq!(prepared.columns, [level(0), level(1), Column::Number { feature: 1 }]);
    assert_eq!(prepared.numbers, [1.0, 5.0, 0.0, 6.0]);
    let widened = prepared.widen(&prepared.features, &[1, 0]).expect("good rows");
    assert_eq!(widened, [1.0, 0.0, 6.0, 0.0, 1.0, 5.0]);
}

#[test]
fn only_features_with_gaps_are_filled_and_from_the_rows_learned_from() {
    let text = "y,full,gap,c\n1,1,2,b\n2,2,,b\n3,3,4,\n4,4,9,a\n";
    let policies = |features: &[Feature]| features.iter().map(|f| f.missing).collect::<Vec<_>>();
    let prepared = prepare(text, |_| {}).expect("good data");
    let replaced = |gap, c| [Missing::Refuse, Missing::Replace(gap), Missing::Replace(c)];
    assert_eq!(policies(&prepared.features), replaced(5.0, 1.0));
    assert_eq!(policies(&prepared.features_from(&[0, 2])), replaced(3.0, 1.0));
    // Where a fold has no value the whole column speaks; of equally frequent levels the first.
    assert_eq!(policies(&prepared.features_from(&[1, 3])), replaced(9.0, 0.0));
    assert_eq!(policies(&prepared.features_from(&[1])), replaced(5.0, 1.0));
    let median = prepare(text, |s| s.missing = MissingPolicy::Median).expect("good data");
    assert_eq!(policies(&median.features), replaced(4.0, 1.0));
    let refused = prepare(text, |s| s.missing = MissingPolicy::Refuse).expect_err("gaps");
    assert!(matches!(refused, TrainError::MissingRefused { feature, line: 3 } if feature == "gap"));
}

#[test]
fn an_even_median_is_the_middle() {
    assert_eq!(stand_in(&mut [4.0, 1.0, 2.0, 9.0], &Kind::Numeric, MissingPolicy::Median), 3.0);
}

#[test]
fn targets_must_be_numbers_without_gaps() {
    assert!(message("x,Y\n1,2\n").contains("did you mean `Y`?"));
    assert!(message("x,y\n1,2\n1,two\n").contains("but line 3 has `two`"));
    assert!(message("x,y\n1,2\n1,\n1,NA\n").contains("missing in 2 rows, first on line 3"));
    assert!(message("y\n1\n2\n").contains("no column besides the target"));
    assert!(message("x,y\n,2\nNA,3\n").contains("`x` has no values at all"));
}

#[test]
fn identifiers_and_row_counts_are_recognised() {
    let half = rows(SUSPECT_ROWS, |row| format!("n{}", row / 2));
    assert!(prepare(&half, |_| {}).is_ok(), "half as many levels as rows are a category");
    let more = rows(SUSPECT_ROWS, |row| format!("n{}", row.min(10)));
    assert!(
        message(&more).contains(
            "11 levels in 20 rows, like an identifier (it is text because line 2 has `n0`)"
        )
    );
    assert!(
        prepare(&rows(SUSPECT_ROWS - 1, |row| format!("n{row}")), |_| {}).is_ok(),
        "too few rows to tell"
    );
    assert!(message(&rows(SUSPECT_ROWS, |row| (row + 7).to_string())).contains("counts the rows"));
    assert!(prepare(&rows(SUSPECT_ROWS, |row| (row * 2).to_string()), |_| {}).is_ok());
    assert!(
        prepare(&rows(SUSPECT_ROWS - 1, |row| row.to_string()), |_| {}).is_ok(),
        "too few rows to tell"
    );
}

#[test]
fn what_was_asked_for_is_not_suspected() {
    let mut table = table(&rows(SUSPECT_ROWS, |row| row.to_string()));
    table.columns[0].forced = true;
    assert!(Prepared::new(&table, &Settings::new("y", "m")).is_ok());
}

#[test]
fn levels_have_a_limit() {
    let levels = |count: usize| rows(count * 3, |row| format!("n{}", row % count));
    assert!(prepare(&levels(LEVELS_MAX), |_| {}).is_ok());
    assert!(message(&levels(LEVELS_MAX + 1)).contains("129 levels, more than 128"));
}
