use serde_json::{Value, json};

use super::*;
use crate::message::Origin as From;

fn item(entry: &Value) -> Item {
    Item { json: entry.to_string().into_bytes(), rows: 1, entries: 1, origin: From::Own }
}

fn entry(id: &str, values: &Value) -> Value {
    let predictions: Vec<f64> = (0..values.as_array().unwrap().len()).map(|at| at as f64).collect();
    json!({"timestamp": "2026-03-01T10:30:00Z", "modelId": "m", "recordId": id,
        "features": [{"name": "x", "values": values}], "predictions": predictions})
}

fn summed(entries: &[Value]) -> (Vec<Value>, Vec<usize>) {
    let items: Vec<Item> = entries.iter().map(item).collect();
    let summed =
        Summed::of(&items, &Aggregation { bins: 3, categories_max: 2, ..Aggregation::default() });
    let plain = summed.plain.clone();
    let body: Value = serde_json::from_slice(&summed.body().0).unwrap();
    (body["data"].as_array().unwrap().clone(), plain)
}

#[test]
fn records_of_one_model_and_hour_are_one_entry_with_their_ids() {
    let (found, plain) = summed(&[entry("a", &json!([1.0, null])), entry("b", &json!([1.0, 2.5]))]);
    assert_eq!((found.len(), plain.len()), (1, 0));
    let stats = &found[0]["features"][0]["stats"];
    assert_eq!(found[0]["recordIds"], json!(["a", "b"]));
    assert_eq!(stats["missingCount"], 1);
    let numbers = &stats["numericStats"];
    assert_eq!(numbers["histogram"], json!({"centroids": [1.0, 2.5], "counts": [2, 1]}));
    assert_eq!((&numbers["count"], &numbers["sum"]), (&json!(3), &json!(4.5)));
    assert_eq!(found[0]["predictions"]["count"], 4);
}

#[test]
fn a_record_that_is_there_twice_is_in_a_sum_once() {
    let (found, plain) = summed(&[entry("a", &json!([1.0])), entry("a", &json!([1.0]))]);
    assert_eq!((&found[0]["recordIds"], plain.len()), (&json!(["a"]), 0));
    assert_eq!(found[0]["predictions"]["count"], 1);
}

#[test]
fn nothing_that_differs_is_in_one_sum() {
    let plain = entry("0", &json!([1.0]));
    let changes = [
        ("modelId", json!("n")),
        ("modelDigest", json!("sha256:00")),
        ("role", json!("canary")),
        ("gateway", json!("g")),
        ("timestamp", json!("2026-03-01T11:00:00Z")),
        ("features", json!([{"name": "y", "values": [1.0]}])),
        ("predictions", json!([[0.25, 0.75]])),
    ];
    let mut entries = vec![plain.clone()];
    for (key, value) in &changes {
        let mut other = plain.clone();
        other[*key] = value.clone();
        other["recordId"] = json!(key);
        entries.push(other);
    }
    let (found, _) = summed(&entries);
    assert_eq!(found.len(), 1 + changes.len(), "{found:?}");
}

#[test]
fn what_would_lose_something_stays_as_it_is() {
    let good = entry("0", &json!([1.0]));
    let changes = [
        ("recordId", Value::Null),
        ("timestamp", Value::Null),
        ("timestamp", json!("yesterday")),
        ("batchId", json!("b")),
        ("timeSeriesPredictionsReport", json!({"seriesId": ["s"]})),
        ("predictions", json!(["seven"])),
        ("predictions", json!([null])),
    ];
    for (key, value) in changes {
        let mut other = good.clone();
        other[key] = value;
        let (found, plain) = summed(&[other.clone(), good.clone()]);
        assert_eq!((found.len(), plain), (1, vec![0]), "{other}");
    }
}

#[test]
fn levels_are_counted_and_those_over_the_bound_only_in_the_count() {
    let (found, _) = summed(&[entry("a", &json!(["r", "g", "r", "b", null, 7]))]);
    let stats = &found[0]["features"][0]["stats"];
    let levels = stats.get("categoricalStats").unwrap_or(stats);
    assert_eq!(levels["categories"], json!({"values": ["g", "r"], "counts": [1, 2]}), "{stats}");
    assert_eq!((&levels["count"], &levels["missingCount"]), (&json!(5), &json!(1)));
}

#[test]
fn classes_are_in_their_order_with_what_won() {
    let mut one = entry("a", &json!([1.0, 2.0, 3.0]));
    one["classNames"] = json!(["yes", "no"]);
    one["predictions"] = json!([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]);
    let mut short = one.clone();
    short["predictions"] = json!([0.25, 0.5, 0.75]);
    for entry in [one, short] {
        let (found, _) = summed(&[entry]);
        let decisions: Vec<&Value> = found[0]["predictions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|class| &class["decisionCount"])
            .collect();
        assert_eq!(decisions, [&json!(2), &json!(1)]);
        assert_eq!(found[0]["predictions"][1]["sum"], 1.5);
    }
}

#[test]
fn outcomes_are_the_predictions_with_an_id_of_their_own() {
    let mut one = entry("a/1", &json!([1.0, 2.0]));
    assert!(outcomes(&item(&one)).is_none());
    one["associationIds"] = json!([null, null]);
    assert!(outcomes(&item(&one)).is_none());
    one["associationIds"] = json!(["k", null]);
    let told: Value = serde_json::from_slice(&outcomes(&item(&one)).unwrap().json).unwrap();
    assert_eq!(told["recordId"], "a/1#accuracy");
    assert!(told.get("features").is_none());
    for same in ["predictions", "associationIds", "timestamp", "modelId"] {
        assert_eq!(told[same], one[same]);
    }
}
