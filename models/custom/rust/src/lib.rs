//! A ridge regression of the progress of diabetes, written by hand.

wit_bindgen::generate!({ path: "wit", world: "scorer" });

use exports::outpost::model::scoring::{Batch, Decline, Feature, Guest, Predictions, Signature};

/// Each feature with what it adds to the prediction for each unit.
const WEIGHTS: [(&str, f64); 10] = [
    ("age", -0.03285239685543177),
    ("sex", -22.607045432279943),
    ("bmi", 5.6404052343656526),
    ("bp", 1.1189975700485106),
    ("s1", -0.9146734842698865),
    ("s2", 0.5849098252881734),
    ("s3", 0.17788523837880751),
    ("s4", 6.250441778661595),
    ("s5", 63.179080873617174),
    ("s6", 0.2877669028997868),
];
const INTERCEPT: f64 = -316.0771186042882;

struct Diabetes;

impl Guest for Diabetes {
    fn describe() -> Signature {
        let feature = |(name, _): (&str, f64)| Feature {
            name: name.to_string(),
            kind: "numeric".to_string(),
            levels: Vec::new(),
            metadata: Vec::new(),
        };
        Signature {
            features: WEIGHTS.map(feature).to_vec(),
            prediction_type: "regression".to_string(),
            target: "Y".to_string(),
            classes: Vec::new(),
            metadata: Vec::new(),
        }
    }

    fn score(batch: Batch) -> Result<Predictions, Decline> {
        if batch.numbers.len() != batch.rows as usize * WEIGHTS.len() || !batch.texts.is_empty() {
            return Err(decline("wrong-shape", "a row has 10 numbers", None, None));
        }
        let rows = batch.numbers.chunks_exact(WEIGHTS.len()).enumerate();
        let values =
            rows.map(|(row, numbers)| score_row(row, numbers)).collect::<Result<_, _>>()?;
        Ok(Predictions { values, metadata: Vec::new() })
    }
}

fn score_row(row: usize, numbers: &[f64]) -> Result<f64, Decline> {
    let mut sum = INTERCEPT;
    for ((name, weight), value) in WEIGHTS.iter().zip(numbers) {
        if value.is_nan() {
            let message = format!("{name} is missing");
            return Err(decline("missing-value", &message, Some(row), Some(name)));
        }
        sum += weight * value;
    }
    if !sum.is_finite() {
        return Err(decline("not-finite", "the numbers are too large to add up", Some(row), None));
    }
    Ok(sum)
}

fn decline(code: &str, message: &str, row: Option<usize>, feature: Option<&str>) -> Decline {
    Decline {
        code: code.to_string(),
        message: message.to_string(),
        row: row.and_then(|row| row.try_into().ok()),
        feature: feature.map(str::to_string),
    }
}

export!(Diabetes);
