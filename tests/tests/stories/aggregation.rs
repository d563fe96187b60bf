//! One gateway's messages reach two servers: as they came, and summed up by an agent that is killed again and again. Both
//! servers say the same of drift, accuracy and health: nothing is lost in the sums, and nothing is in two of them.

use serde_json::{Value, json};
use tests::{AgentChannel, Gateway, Mlops, Monitor, Outpost, Serve, wait_until};

const DEPLOYMENT: &str = "diabetes";
const KILLS: u64 = 5;
/// Predictions between two kills, more than one sum has.
const ROUND: u64 = 150;
const AGGREGATION: &str = "aggregation: {enabled: true, windowMs: 50, recordsMax: 64}";

#[test]
fn sums_say_what_the_rows_say_and_kills_lose_nothing_and_count_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let [plain, summed] = [(); 2].map(|()| {
        let server = Mlops::start();
        let package = server.upload(Outpost::ridge());
        server.deploy(&package, DEPLOYMENT);
        server
    });
    let settings = ["plain", "summed"].map(|name| {
        format!(
            "[[spooler]]\nname = {name:?}\ntype = \"filesystem\"\ndirectory = {:?}\n",
            path(&format!("{name}-spool"))
        )
    });
    let settings = format!("[deployment]\nid = {DEPLOYMENT:?}\n{}", settings.concat());
    let app = Serve::ridge(&path("outbox")).settings(&settings).durable().start();
    let agent = |server: &Mlops, name: &str, more: &str| {
        let (spool, home) = (path(&format!("{name}-spool")), path(name));
        std::fs::create_dir_all(&home).unwrap();
        let channels = [AgentChannel::Files(&spool)];
        let file = Monitor::configure(&home, &server.url(), &channels, more);
        Monitor::known_by(server.token(), &file, &[])
    };
    let as_they_came = agent(&plain, "plain", "");
    let mut sums = agent(&summed, "summed", AGGREGATION);
    let mut answered = Vec::new();
    for kill in 0..KILLS {
        for number in 0..ROUND {
            answered.push(predict(&app, kill * ROUND + number));
            // At another point of its work each time.
            if number == ROUND * (kill + 1) / (KILLS + 1) {
                sums.kill();
                sums = agent(&summed, "summed", AGGREGATION);
            }
        }
    }
    let actual = |(id, value): (usize, &f64)| json!({"associationId": format!("row-{id}"), "actualValue": value + (id % 11) as f64});
    let body = Value::Array(answered.iter().enumerate().map(actual).collect()).to_string();
    let kind = [("Content-Type", "application/json")];
    let answer = app.client().send("POST", "/actuals", &kind, &body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);

    let all = answered.len() as u64;
    for server in [&plain, &summed] {
        wait_until("numbers that reach what was answered", || {
            let health = server.health(DEPLOYMENT);
            let here = counted(&health) >= all
                && whole(&health, "/totals/requests") >= all
                && whole(&server.accuracy(DEPLOYMENT), "/rows") >= all;
            here.then_some(())
        });
    }
    // What they have, they tell before they end.
    assert!(as_they_came.stop().success() && sums.stop().success());
    assert!(!path("summed").join("state/rejected.jsonl").exists());

    let health = [&plain, &summed].map(|server| server.health(DEPLOYMENT));
    assert_eq!(health[0]["totals"]["requests"], health[1]["totals"]["requests"]);
    assert_eq!(health[0]["totals"]["predictions"], health[1]["totals"]["predictions"]);
    assert_eq!(health.each_ref().map(counted), [all, all]);
    // Sums were sent, and the predictions beside them do not count as rows again.
    assert_eq!(health.each_ref().map(|health| whole(health, "/usage/untracked")), [0, all]);

    let drift = [&plain, &summed].map(|server| server.drift(DEPLOYMENT));
    assert_eq!(drift.each_ref().map(|drift| whole(drift, "/rows")), [all, all]);
    assert!(!drift[0]["features"].as_array().unwrap().is_empty());
    assert_eq!(drift[0]["features"], drift[1]["features"]);
    assert_eq!(drift[0]["target"], drift[1]["target"]);
    assert_eq!(drift[0]["status"], drift[1]["status"]);

    let accuracy = [&plain, &summed].map(|server| server.accuracy(DEPLOYMENT));
    assert_eq!(accuracy.each_ref().map(|accuracy| whole(accuracy, "/rows")), [all, all]);
    for metric in ["RMSE", "MAE", "R Squared", "MAPE"] {
        let at = format!("/metrics/{metric}/value");
        let value = |accuracy: &Value| accuracy.pointer(&at).and_then(Value::as_f64);
        let [Some(one), Some(other)] = accuracy.each_ref().map(value) else {
            panic!("{metric}: {}", accuracy[0]);
        };
        assert!((one - other).abs() <= 1e-12 * one.abs(), "{metric}: {one}, {other}");
    }
}

/// Asks for a row that differs from those around it, and gives the answer.
fn predict(app: &Gateway, number: u64) -> f64 {
    let (age, sex, bmi) =
        (20 + number % 60, 1 + number % 2, 18.0 + (number * 7 % 160) as f64 / 10.0);
    let (bp, s5) = (60 + number * 13 % 80, 3.2 + (number % 29) as f64 / 10.0);
    let form = format!(
        "age={age}&sex={sex}&bmi={bmi}&bp={bp}&s1=157&s2=70&s3=40&s4=4&s5={s5}&s6=88&associationId=row-{number}"
    );
    let answer = app.predict(&form);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.predictions()[0]
}

/// Rows that count for drift.
fn counted(health: &Value) -> u64 {
    whole(health, "/usage/rows").saturating_sub(whole(health, "/usage/untracked"))
}

fn whole(value: &Value, at: &str) -> u64 {
    value.pointer(at).and_then(Value::as_u64).unwrap_or(0)
}
