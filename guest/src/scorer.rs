//! The exports: `load` once, then `describe` and `score`.

extern crate alloc;

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::cell::RefCell;

use models::{Kind, Model, Scorer};

use crate::bindings::Guest as Stock;
use crate::bindings::exports::outpost::model::scoring::{
    Batch, Decline, Feature, Guest as Scoring, Predictions, Signature,
};
use crate::platform::tidy;

/// What the component exports.
pub(crate) struct Component;

/// The model, once it is there.
struct Single(RefCell<Option<Scorer>>);

#[expect(unsafe_code, reason = "a component instance runs on one thread at a time")]
// SAFETY: the target has no threads and the host never calls an instance from two threads at once.
unsafe impl Sync for Single {}

static MODEL: Single = Single(RefCell::new(None));

impl Stock for Component {
    fn load(tables: Vec<u8>) -> Result<(), String> {
        let mut slot = MODEL.0.borrow_mut();
        if slot.is_some() {
            return Err("this package has its model already".to_string());
        }
        tidy(true);
        let scorer = Model::decode(&tables).and_then(Model::scorer);
        drop(tables);
        tidy(false);
        *slot = Some(scorer.map_err(|error| error.to_string())?);
        Ok(())
    }
}

impl Scoring for Component {
    fn describe() -> Signature {
        let slot = MODEL.0.borrow();
        let (target, features) = match slot.as_ref().map(Scorer::model) {
            Some(model) => {
                (model.target.clone(), model.features.iter().map(self::feature).collect())
            }
            None => (String::new(), Vec::new()),
        };
        Signature {
            features,
            prediction_type: "regression".to_string(),
            target,
            classes: Vec::new(),
            metadata: Vec::new(),
        }
    }

    fn score(batch: Batch) -> Result<Predictions, Decline> {
        let mut slot = MODEL.0.borrow_mut();
        let Some(scorer) = slot.as_mut() else {
            return Err(decline("no-model", "the scorer has no model yet"));
        };
        if !batch.texts.is_empty() {
            return Err(decline("wrong-shape", "the model takes no text features"));
        }
        // No more room than the numbers can fill: `rows` alone must not be able to exhaust the memory.
        let mut values = Vec::with_capacity((batch.rows as usize).min(batch.numbers.len()));
        match scorer.score(batch.rows as usize, &batch.numbers, &mut values) {
            Ok(()) => Ok(Predictions { values, metadata: Vec::new() }),
            Err(why) => {
                let feature = why.feature.and_then(|at| scorer.model().features.get(at as usize));
                Err(Decline {
                    code: why.code.to_string(),
                    message: why.message,
                    row: why.row,
                    feature: feature.map(|feature| feature.name.clone()),
                })
            }
        }
    }
}

fn feature(feature: &models::Feature) -> Feature {
    let (kind, levels) = match &feature.kind {
        Kind::Numeric => ("numeric", Vec::new()),
        Kind::Categorical(levels) => ("categorical", levels.clone()),
    };
    Feature { name: feature.name.clone(), kind: kind.to_string(), levels, metadata: Vec::new() }
}

fn decline(code: &str, message: &str) -> Decline {
    Decline { code: code.to_string(), message: message.to_string(), row: None, feature: None }
}
