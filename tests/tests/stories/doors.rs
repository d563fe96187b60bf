//! The same row through every door of `/predict`.

use tests::{Answer, Gateway, README_ROW, Serve, fields};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const CSV: (&str, &str) = ("Content-Type", "text/csv");

fn gateway(folder: &tempfile::TempDir) -> Gateway {
    Serve::ridge(&folder.path().join("outbox")).start()
}

fn json_row() -> String {
    let fields: Vec<String> =
        fields(README_ROW).iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn csv_row() -> String {
    let (names, values): (Vec<&str>, Vec<&str>) = fields(README_ROW).into_iter().unzip();
    format!("{}\n{}\n", names.join(","), values.join(","))
}

#[test]
fn every_door_gives_scikit_learns_number() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder);
    let mut client = gateway.client();
    let mut ask = |method: &str, target: &str, headers: &[(&str, &str)], body: &str| {
        client.send(method, target, headers, body).unwrap()
    };
    let query = format!("/predict?{README_ROW}");
    let answers: [Answer; 7] = [
        // What the README's curl line sends: a GET with a form body.
        ask("GET", "/predict", &[FORM], README_ROW),
        ask("POST", "/predict", &[FORM], README_ROW),
        ask("GET", &query, &[], ""),
        ask("POST", "/predict", &[JSON], &json_row()),
        ask("POST", "/predict", &[JSON], &format!("[{0},{0}]", json_row())),
        ask("POST", "/predict", &[CSV], &csv_row()),
        ask(
            "POST",
            "/predict",
            &[FORM],
            &README_ROW.replace("age=30", "age=3e1").replace("bmi=23", "bmi=23.0"),
        ),
    ];
    let expected = crate::stories::readme::scikit_learns_number();
    let first = answers[0].predictions()[0];
    assert!((first / expected - 1.0).abs() < 1e-6, "{first} is not scikit-learn's {expected}");
    for answer in &answers {
        for prediction in answer.predictions() {
            assert_eq!(prediction.to_bits(), first.to_bits(), "{}", answer.body);
        }
    }
    assert_eq!(answers[4].predictions().len(), 2);
}

#[test]
fn rows_in_a_batch_get_scikit_learns_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder);
    let (rows, expected) = crate::stories::readme::scikit_learns_ridge();
    let names: Vec<&str> = fields(README_ROW).iter().map(|(name, _)| *name).collect();
    let mut csv = format!("{}\n", names.join(","));
    for row in &rows {
        let values: Vec<&str> = names.iter().map(|name| row[*name].as_str().unwrap()).collect();
        csv.push_str(&format!("{}\n", values.join(",")));
    }
    let answer = gateway.client().send("POST", "/predict", &[CSV], &csv).unwrap();
    let given = answer.predictions();
    assert_eq!(given.len(), expected.len());
    for (given, expected) in given.iter().zip(&expected) {
        assert!((given / expected - 1.0).abs() < 1e-6, "{given} is not {expected}");
    }
}

#[test]
fn a_refused_field_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder);
    for (field, wrong) in [
        ("age=30", "age=NaN"),
        ("bmi=23", "bmi=Infinity"),
        ("bp=100", "bp=0x1E"),
        ("s1=157", "s1=1_000"),
        ("s2=70", "s2=true"),
        ("s6=88", "s6=88&s6=88"),
        ("s5=3", "s5=3&unheard=1"),
    ] {
        let answer = gateway.predict(&README_ROW.replace(field, wrong));
        let named =
            if wrong.contains("unheard") { "unheard" } else { field.split('=').next().unwrap() };
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["field"], named, "{wrong}: {}", answer.body);
    }
    // This model saw no missing value in training, so it declines one; that is not the caller's spelling.
    let declined = gateway.predict(&README_ROW.replace("bmi=23", "bmi="));
    assert_eq!(
        (declined.status, &declined.json()["field"]),
        (422, &"bmi".into()),
        "{}",
        declined.body
    );
}

#[test]
fn a_get_whose_body_got_lost_is_no_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder);
    let answer = gateway.client().send("GET", "/predict", &[FORM], "").unwrap();
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.json()["detail"].as_str().unwrap().contains("GET"), "{}", answer.body);
}

#[test]
fn the_clients_request_id_wins() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder);
    let headers = [FORM, ("X-Request-Id", "ward-7")];
    let answer = gateway.client().send("POST", "/predict", &headers, README_ROW).unwrap();
    assert_eq!(answer.header("x-request-id"), Some("ward-7"));
    assert_eq!(answer.json()["requestId"], "ward-7");
    assert!(answer.header("x-model-digest").unwrap().starts_with("sha256:"));
}

#[test]
fn health_and_metrics_count_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder);
    gateway.predict(README_ROW);
    gateway.predict("age=thirty");
    assert_eq!(gateway.get("/healthz").status, 200);
    let metrics = gateway.get("/metrics").body;
    let count = |status: &str| {
        let line = metrics.lines().find(|line| {
            line.starts_with("gateway_requests_total{")
                && line.contains("predict")
                && line.contains(&format!("\"{status}\""))
        });
        line.and_then(|line| line.rsplit_once(' ')).map(|(_, count)| count.to_owned())
    };
    assert_eq!(
        (count("200").as_deref(), count("400").as_deref()),
        (Some("1"), Some("1")),
        "{metrics}"
    );
}
