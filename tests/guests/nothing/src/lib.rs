//! A package that tries to get hold of everything that it must not have, one attempt a row.

wit_bindgen::generate!({ path: "../../../wit", world: "scorer" });

mod attempts;

use std::io::{Read as _, Write as _};
use std::time::Instant;

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
            100 => read_input(),
            101 => write_output(row[1] as usize),
            102 => sleep(),
            103 => std::process::exit(row[1] as i32),
            104 => panic!("the row says {}", row[1]),
            105 => loop {},
            106 => attempts::draw(),
            number => attempts::attempt(number, row[1] as u16),
        });
        Ok(Predictions { values: values.map(|got| got as f64).collect(), metadata: Vec::new() })
    }
}

/// Bytes on standard input.
fn read_input() -> usize {
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap_or(0)
}

/// Writes so many KiB to both outputs, and gives how many arrived.
fn write_output(kibibytes: usize) -> usize {
    let line = [b'x'; 1024];
    let written = |out: &mut dyn std::io::Write| {
        (0..kibibytes).filter(|_| out.write_all(&line).is_ok()).count()
    };
    let count = written(&mut std::io::stdout()) + written(&mut std::io::stderr());
    drop(std::io::stdout().flush());
    count
}

/// Nanoseconds that pass while it sleeps for an hour.
fn sleep() -> usize {
    let before = Instant::now();
    std::thread::sleep(std::time::Duration::from_secs(3600));
    before.elapsed().as_nanos() as usize
}

export!(Nothing);
