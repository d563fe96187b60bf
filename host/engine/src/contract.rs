//! The contract as Rust: what `bindgen!` makes of `wit/`, and its conversion to and from our own types.
//! Nothing else in this room sees a generated type.

use models::{Feature, Kind, Missing, TableError, Unknown, manifest::Manifest};
use wasmtime::Store;
use wasmtime::component::{Component, types::ComponentItem};

use crate::error::{Decline, LoadError};
use crate::instance::Host;
use crate::scorer::Batch;
use crate::wasi;

mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "outpost:model/scorer",
        ownership: Borrowing { duplicate_if_necessary: false },
    });
}

use generated::exports::outpost::model::scoring as wit;

/// The interface that every package exports.
pub(crate) const INTERFACE: &str = "outpost:model/scoring@0.1.0";
/// The same without its version.
const INTERFACE_NAME: &str = "outpost:model/scoring";
/// The functions of [`INTERFACE`].
const FUNCTIONS: [&str; 2] = ["describe", "score"];

/// Where a component has its exports, so that an instance needs no look-up by name.
pub(crate) type Indices = generated::ScorerIndices;
/// The typed functions of one instance.
pub(crate) type Exports = generated::Scorer;

/// Refuses a component that imports anything but the parts of WASI that are there. The stock scorer imports nothing at all.
pub(crate) fn check_imports(component: &Component) -> Result<(), LoadError> {
    let strange = imports(component).into_iter().find(|name| !wasi::provides(name));
    match strange {
        None => Ok(()),
        Some(name) if name.starts_with("wasi:") => Err(LoadError::Wasi(name)),
        Some(name) => Err(LoadError::Import(name)),
    }
}

/// What a component imports.
pub(crate) fn imports(component: &Component) -> Vec<String> {
    let ty = component.component_type();
    ty.imports(component.engine()).map(|(name, _)| name.to_string()).collect()
}

/// Whether a component imports WASI. What it imports has been checked.
pub(crate) fn imports_wasi(component: &Component) -> bool {
    component.component_type().imports(component.engine()).next().is_some()
}

/// Refuses a component that does not export the contract, and names what is missing.
pub(crate) fn check_exports(component: &Component) -> Result<(), LoadError> {
    let engine = component.engine();
    let ty = component.component_type();
    let Some(export) = ty.get_export(engine, INTERFACE) else {
        let other = ty.exports(engine).map(|(name, _)| name).find(|name| {
            name.split('@').next().is_some_and(|unversioned| unversioned == INTERFACE_NAME)
        });
        return Err(match other {
            Some(name) => LoadError::Contract(name.to_string()),
            None => LoadError::Export(INTERFACE.to_string()),
        });
    };
    let ComponentItem::ComponentInstance(interface) = export.ty else {
        return Err(LoadError::Export(INTERFACE.to_string()));
    };
    match FUNCTIONS.iter().find(|name| interface.get_export(engine, name).is_none()) {
        None => Ok(()),
        Some(name) => Err(LoadError::Export(format!("{INTERFACE}#{name}"))),
    }
}

/// Asks for the signature.
pub(crate) fn signature(exports: &Exports, store: &mut Store<Host>) -> wasmtime::Result<Signature> {
    let wit::Signature { features, prediction_type, target, classes, metadata: _ } =
        exports.outpost_model_scoring().call_describe(store)?;
    let features = features
        .into_iter()
        .map(|wit::Feature { name, kind, levels, metadata: _ }| Input { name, kind, levels });
    Ok(Signature { features: features.collect(), prediction_type, target, classes })
}

/// Asks for predictions.
pub(crate) fn score(
    exports: &Exports,
    store: &mut Store<Host>,
    batch: Batch<'_>,
) -> wasmtime::Result<Result<Vec<f64>, Decline>> {
    let batch = wit::Batch { rows: batch.rows, numbers: batch.numbers, texts: &[] };
    let answer = exports.outpost_model_scoring().call_score(store, batch)?;
    Ok(match answer {
        Ok(predictions) => Ok(predictions.values),
        Err(wit::Decline { code, message, row, feature }) => {
            Err(Decline { code, message, row, feature })
        }
    })
}

/// What a package says that it takes and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Its inputs, in the order of a batch's columns.
    pub features: Vec<Input>,
    /// `regression`, or what nobody here knows.
    pub prediction_type: String,
    /// The column that it predicts.
    pub target: String,
    /// Labels of classes; a regression has none.
    pub classes: Vec<String>,
}

/// One input, as a package describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The name by which rows bind.
    pub name: String,
    /// `numeric`, `categorical`, or what nobody here knows.
    pub kind: String,
    /// The levels of a categorical one.
    pub levels: Vec<String>,
}

/// Why a signature is none that this program can serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignatureFault(String);

impl Signature {
    /// The inputs as a manifest has them; what the model does with missing values and unknown levels does not show here.
    ///
    /// # Errors
    ///
    /// [`SignatureFault`] names what is wrong.
    pub fn features(&self) -> Result<Vec<Feature>, SignatureFault> {
        let fault = |what: String| Err(SignatureFault(what));
        if self.prediction_type != "regression" {
            return fault(format!(
                "the prediction type is `{}`, not `regression`",
                self.prediction_type
            ));
        }
        if !self.classes.is_empty() {
            return fault("a regression has no classes".to_string());
        }
        if self.target.is_empty() {
            return fault("the target is empty".to_string());
        }
        let features = self.features.iter().map(Input::feature).collect::<Result<Vec<_>, _>>()?;
        match models::check_features(&features) {
            Ok(()) => Ok(features),
            Err(TableError::Invalid { at, rule, .. }) => {
                let name = features.get(at).map_or("", |feature| feature.name.as_str());
                fault(format!("feature {at} (`{name}`) {rule}"))
            }
            Err(error) => fault(error.to_string()),
        }
    }

    /// Compares with the manifest. The error says what differs.
    pub(crate) fn agrees(&self, manifest: &Manifest) -> Result<(), String> {
        if self.target != manifest.target {
            return Err(differ("target", &self.target, &manifest.target));
        }
        if self.prediction_type != manifest.prediction_type {
            return Err(differ(
                "prediction type",
                &self.prediction_type,
                &manifest.prediction_type,
            ));
        }
        if !self.classes.is_empty() {
            return Err(differ("number of classes", &self.classes.len(), &0));
        }
        if self.features.len() != manifest.features.len() {
            let (ours, theirs) = (self.features.len(), manifest.features.len());
            return Err(differ("number of features", &ours, &theirs));
        }
        self.features.iter().zip(&manifest.features).try_for_each(same_feature)
    }
}

impl Input {
    fn feature(&self) -> Result<Feature, SignatureFault> {
        let kind = match self.kind.as_str() {
            "numeric" if self.levels.is_empty() => Kind::Numeric,
            "numeric" => {
                return Err(SignatureFault(format!(
                    "the numeric feature {} has levels",
                    self.name
                )));
            }
            "categorical" => Kind::Categorical(self.levels.clone()),
            other => {
                let rule = "not `numeric` or `categorical`";
                return Err(SignatureFault(format!("feature {} is `{other}`, {rule}", self.name)));
            }
        };
        let (missing, unknown) = (Missing::Keep, Unknown::Other);
        Ok(Feature { name: self.name.clone(), kind, missing, unknown })
    }
}

fn same_feature((Input { name, kind, levels }, feature): (&Input, &Feature)) -> Result<(), String> {
    let (wanted_kind, wanted_levels) = match &feature.kind {
        Kind::Numeric => ("numeric", [].as_slice()),
        Kind::Categorical(levels) => ("categorical", levels.as_slice()),
    };
    if *name != feature.name {
        return Err(differ("feature", name, &feature.name));
    }
    if kind != wanted_kind {
        return Err(differ(&format!("kind of feature {name}"), kind, &wanted_kind));
    }
    if levels != wanted_levels {
        return Err(format!("the levels of feature {name} differ"));
    }
    Ok(())
}

fn differ(what: &str, code: &dyn std::fmt::Display, manifest: &dyn std::fmt::Display) -> String {
    format!("{what} is {code} in the code and {manifest} in the manifest")
}
