use super::*;

fn read(text: &str) -> Result<Table, CsvError> {
    Table::read_csv(text.as_bytes(), &CsvOptions::default())
}

fn message(text: &str) -> String {
    read(text).expect_err("a broken rule").to_string()
}

fn options(set: impl FnOnce(&mut CsvOptions)) -> CsvOptions {
    let mut options = CsvOptions::default();
    set(&mut options);
    options
}

fn levels(column: &TableColumn) -> Vec<&str> {
    match &column.kind {
        Kind::Numeric => Vec::new(),
        Kind::Categorical(levels) => levels.iter().map(String::as_str).collect(),
    }
}

#[test]
fn kinds_are_inferred_and_gaps_recognised() {
    let table = read("\u{feff}x , c,y\n 1,b,NA\n\n-2.5e1,\"a, \"\"q\"\"\",null\n+.5,,3\n")
        .expect("good CSV");
    assert_eq!(table.lines, [2, 4, 5]);
    let [x, c, y] = &table.columns[..] else { panic!("three columns") };
    assert_eq!(
        (x.name.as_str(), &x.kind, &x.values[..]),
        ("x", &Kind::Numeric, &[1.0, -25.0, 0.5][..])
    );
    assert_eq!(levels(c), ["a, \"q\"", "b"]);
    assert_eq!((c.values[0], c.values[1], c.values[2].is_nan()), (1.0, 0.0, true));
    assert_eq!(c.not_a_number, Some(("b".into(), 2)));
    assert_eq!(
        (&y.kind, y.values[0].is_nan(), y.values[1].is_nan(), y.values[2]),
        (&Kind::Numeric, true, true, 3.0)
    );
}

#[test]
fn what_others_call_numbers_is_text() {
    for odd in ["inf", "Infinity", "-inf", "0x1E", "1_000", "true", "1,5", "--1", "1e", "NaN%"] {
        let table = read(&format!("x\n\"{odd}\"\n1\n")).expect("good CSV");
        assert_ne!(table.columns[0].kind, Kind::Numeric, "{odd}");
    }
}

#[test]
fn every_listed_word_is_a_gap() {
    for word in MISSING {
        let table = read(&format!("x,y\n{word},1\n2,1\n")).expect("good CSV");
        assert!(
            table.columns[0].values[0].is_nan() && table.columns[0].kind == Kind::Numeric,
            "{word:?}"
        );
    }
}

#[test]
fn ragged_rows_are_named_by_their_line() {
    // The quoted line break makes line 3 part of the row that begins on line 2.
    assert!(message("a,b\n\"x\ny\",1\n1,2,3\n").contains("line 4 has 3 fields, the header has 2"));
    assert!(message("a,b\r\n1,2\r\n\r\n1\r\n").contains("line 4 has 1 fields"));
}

#[test]
fn broken_headers_are_named() {
    assert!(message("").contains("is empty"));
    assert!(message("a,b\n").contains("no rows"));
    assert!(message("a,,b\n1,2,3\n").contains("column 2 has no name"));
    assert!(message("a,b,a\n1,2,3\n").contains("two columns are named `a`"));
    assert!(message("a;b\n1;2\n").contains("set the delimiter"));
    let wide = |columns: usize| (0..columns).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    assert!(message(&wide(COLUMNS_MAX + 1)).contains("10001 columns"));
    assert!(message(&wide(COLUMNS_MAX)).contains("no rows"));
}

#[test]
fn bytes_that_are_not_text_are_named_by_their_line() {
    let error =
        Table::read_csv(b"a,b\n1,2\n\xff,2\n", &CsvOptions::default()).expect_err("not UTF-8");
    assert!(matches!(error, CsvError::Encoding { line: 3 }), "{error:?}");
}

#[test]
fn numbers_have_a_largest_one() {
    assert!(read("x\n1e100\n-1e100\n").is_ok());
    assert!(message("x\n1\n1.1e100\n").contains("line 3"));
    assert!(message("x\n1e999\n").contains("`x` has inf on line 2"));
}

#[test]
fn options_force_and_ignore() {
    let text = "id,zip,x\n1,10,1\n2,20,oops\n";
    let both = options(|o| {
        o.ignore.insert("id".into());
        o.categorical.insert("zip".into());
    });
    let table = Table::read_csv(text.as_bytes(), &both).expect("good CSV");
    assert_eq!(table.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["zip", "x"]);
    assert_eq!((levels(&table.columns[0]), table.columns[0].forced), (vec!["10", "20"], true));
    let fails = |options: &CsvOptions| {
        Table::read_csv(text.as_bytes(), options).expect_err("a broken rule").to_string()
    };
    assert!(
        fails(&options(|o| {
            o.numeric.insert("x".into());
        }))
        .contains("line 3 has `oops`")
    );
    assert!(
        fails(&options(|o| {
            o.ignore.insert("zyp".into());
        }))
        .contains("did you mean `zip`?")
    );
    let two = options(|o| {
        o.numeric.insert("x".into());
        o.categorical.insert("x".into());
    });
    assert!(fails(&two).contains("choose one"));
    let semicolon = options(|o| o.delimiter = b';');
    assert_eq!(Table::read_csv(b"a;b\n1;2\n", &semicolon).expect("good CSV").columns.len(), 2);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0u8..=255, 0..200)) {
        if let Ok(table) = Table::read_csv(&bytes, &CsvOptions::default()) {
            assert!(table.rows() > 0 && table.columns.iter().all(|column| column.values.len() == table.rows()));
        }
    }
}
