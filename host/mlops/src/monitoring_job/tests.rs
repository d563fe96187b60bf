//! Files, cut into calls.

use super::*;

fn job(columns: Value) -> Job {
    let intake = json!({"type": "localFile"});
    serde_json::from_value(
        json!({"deploymentId": "d", "intakeSettings": intake, "monitoringColumns": columns}),
    )
    .unwrap()
}

fn body(bytes: &Option<Vec<u8>>) -> Value {
    serde_json::from_slice(bytes.as_ref().unwrap()).unwrap()
}

#[test]
fn columns_that_no_setting_names_are_features() {
    let job = job(json!({"predictionsColumns": "p", "associationIdColumn": "id",
        "actualsValueColumn": "y", "actedUponColumn": "acted", "actualsTimestampColumn": "when"}));
    let text =
        b"\xef\xbb\xbfa, c,p,id,y,acted,when\n1,x,2.5,q,3,yes,2026-01-01T00:00:00Z\nNA,7,3,r,,,\n";
    let mut file = File::open(&job, "j", Some("b"), text).unwrap();
    let calls = file.next().unwrap().unwrap();
    assert_eq!((calls.rows, calls.failed, file.percent()), (2, 0, 100));
    let entry = &body(&calls.inputs)["data"][0];
    let features =
        json!([{"name": "a", "values": [1.0, null]}, {"name": "c", "values": ["x", 7.0]}]);
    assert_eq!(entry["features"], features);
    assert_eq!(entry["predictions"], json!([2.5, 3.0]));
    assert_eq!(entry["associationIds"], json!(["q", "r"]));
    assert_eq!((&entry["recordId"], &entry["batchId"]), (&json!("j-0"), &json!("b")));
    let actual = json!({"recordId": "j-0", "associationId": "q", "actualValue": 3.0,
        "wasActedOn": true, "timestamp": "2026-01-01T00:00:00Z"});
    assert_eq!(body(&calls.actuals)["data"], json!([actual]));
    assert!(file.next().unwrap().is_none());
}

#[test]
fn classes_have_a_probability_each() {
    let classes =
        json!([{"className": "no", "columnName": "p0"}, {"className": "yes", "columnName": "p1"}]);
    let job = job(json!({"predictionsColumns": classes}));
    let mut file = File::open(&job, "j", None, b"p1,p0\n0.75,0.25\n").unwrap();
    let entry = &body(&file.next().unwrap().unwrap().inputs)["data"][0];
    assert_eq!(entry["predictions"], json!([[0.25, 0.75]]));
    assert_eq!(entry["classNames"], json!(["no", "yes"]));
    assert_eq!(entry["features"], json!([]));
}

#[test]
fn a_row_that_cannot_be_counted_says_where_and_the_others_are() {
    let job = job(json!({"predictionsColumns": "p"}));
    let mut file = File::open(&job, "j", None, b"a,p\n1,2\n1,x\n1\n2,3\n").unwrap();
    let calls = file.next().unwrap().unwrap();
    assert_eq!((calls.rows, calls.failed), (2, 2));
    assert_eq!(calls.first_fault.as_deref(), Some("line 3: \"p\" must be a number"));
}

#[test]
fn a_file_is_always_cut_in_the_same_places() {
    let job = job(json!({"predictionsColumns": "p"}));
    let text = format!("p\n{}", "1\n".repeat(ROWS_A_CALL + 1));
    let ids = || {
        let mut file = File::open(&job, "j", None, text.as_bytes()).unwrap();
        let mut ids = Vec::new();
        while let Some(calls) = file.next().unwrap() {
            ids.push((body(&calls.inputs)["data"][0]["recordId"].to_string(), calls.rows));
        }
        ids
    };
    assert_eq!(ids(), [("\"j-0\"".to_owned(), ROWS_A_CALL as u64), ("\"j-1\"".to_owned(), 1)]);
    assert_eq!(ids(), ids());
}

#[test]
fn what_cannot_be_done_names_its_field() {
    let cases = [
        (json!({"predictionsColumns": []}), "monitoringColumns.predictionsColumns"),
        (
            json!({"predictionsColumns": "p", "actualsValueColumn": "y"}),
            "monitoringColumns.associationIdColumn",
        ),
    ];
    for (columns, field) in cases {
        let fault = job(columns).check().unwrap_err().to_string();
        assert!(fault.starts_with(&format!("`{field}`")), "{fault}");
    }
    let mut odd = job(json!({"predictionsColumns": "p"}));
    odd.csv_settings.encoding = "latin-1".to_owned();
    assert!(odd.check().unwrap_err().to_string().contains("must be utf-8"));
    odd.csv_settings = CsvSettings { delimiter: 'é', ..CsvSettings::default() };
    assert!(odd.check().unwrap_err().to_string().contains("ASCII"));
    let job = job(json!({"predictionsColumns": "p"}));
    let missing = File::open(&job, "j", None, b"a\n1\n");
    assert!(missing.unwrap_err().to_string().contains("no column \"p\""));
}
