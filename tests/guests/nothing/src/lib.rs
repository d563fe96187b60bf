//! A package that tries to get hold of everything that it must not have, one attempt a row.

wit_bindgen::generate!({ path: "../../../wit", world: "scorer" });

mod attempts;

use exports::outpost::model::scoring::{Batch, Decline, Feature, Guest, Predictions, Signature};

struct Nothing;

impl Guest for Nothing {
    fn describe() -> Signature {
        let feature = |name: &str| Feature {
            name: name.to_string(),
            kind: "numeric".to_string(),
            levels: Vec::new(),
            metadata: Vec::new(),
        };
        Signature {
            features: vec![feature("attempt"), feature("with")],
            prediction_type: "regression".to_string(),
            target: "got".to_string(),
            classes: Vec::new(),
            metadata: Vec::new(),
        }
    }

    fn score(batch: Batch) -> Result<Predictions, Decline> {
        let values = batch.numbers.chunks_exact(2).map(|row| match row[0] as usize {
            100 => attempts::read_input(),
            101 => attempts::write_output(row[1] as usize),
            102 => attempts::sleep(),
            103 => std::process::exit(row[1] as i32),
            104 => panic!("the row says {}", row[1]),
            105 => loop {},
            106 => attempts::draw(),
            number => attempts::attempt(number, row[1] as u16),
        });
        Ok(Predictions { values: values.map(|got| got as f64).collect(), metadata: Vec::new() })
    }
}

export!(Nothing);
