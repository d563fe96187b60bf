//! `outpost seal`: a hand-written component becomes a model package.
//!
//! Without a manifest one is made: from what the component says about itself, from what it does with missing values and
//! unknown levels, and from rows that it scores.

use crate::cli::Seal;
use crate::draw::bytes;
use crate::error::CliError;
use crate::files;
use engine::{Batch, Digest, LimitSettings, Probe, ScoreError, SealError, Signature, Subject};
use models::manifest::{
    Baseline, Distribution, Golden, MANIFEST_FORMAT, Manifest, Provenance, check,
};
use models::schema::UNKNOWN_LEVEL;
use models::{Feature, Kind, Missing, Unknown};
use std::collections::BTreeMap;
use std::process::ExitCode;

use super::rows::{self, Rows};

/// How many rows become golden ones, at most.
const GOLDEN_ROWS: usize = 20;
/// Rows that are scored in one call.
const CALL_ROWS: usize = 256;

pub(crate) fn run(args: &Seal) -> Result<ExitCode, CliError> {
    files::probe(&args.output)?;
    let component = files::read(&args.component)?;
    let bad =
        |source: SealError| CliError::Data { path: args.component.clone(), source: source.into() };
    let subject = super::engine()?.subject(component).map_err(bad)?;
    let limits = LimitSettings::default();
    let manifest = match &args.manifest {
        Some(path) => Manifest::from_json(&files::read(path)?)
            .map_err(|source| CliError::Data { path: path.clone(), source: source.into() })?,
        None => make(args, &subject, &limits, &bad)?,
    };
    let package = subject.seal(&manifest, &limits).map_err(bad)?;
    files::write(&args.output, package.bytes())?;
    files::print(&format!(
        "{} {}: {} features, {} golden rows, {}\nwrote {}\n",
        manifest.name,
        manifest.version,
        manifest.features.len(),
        manifest.golden.len(),
        bytes(package.bytes().len()),
        args.output.display()
    ))?;
    if manifest.golden.is_empty() {
        eprintln!("no golden rows: give --rows, and every start proves the package on them");
    }
    Ok(ExitCode::SUCCESS)
}

/// The manifest that fits the component.
fn make(
    args: &Seal,
    subject: &Subject,
    limits: &LimitSettings,
    bad: &dyn Fn(SealError) -> CliError,
) -> Result<Manifest, CliError> {
    let name = args.name.clone().unwrap_or_else(|| super::train::name_of(&args.component));
    let usage = |flag, error| CliError::Usage(format!("{flag}: {error}"));
    check::name(&name).map_err(|error| usage("--name", error))?;
    check::version(&args.model_version).map_err(|error| usage("--model-version", error))?;

    let linked = subject.link(limits).map_err(|error| bad(error.into()))?;
    let mut probe = linked.start().map_err(|error| bad(error.into()))?;
    let broke = |error: ScoreError| bad(engine::LoadError::FirstCall(error).into());
    let signature = probe.describe().map_err(broke)?;
    let features = signature.features();
    let mut features = features.map_err(|why| bad(SealError::Description(why.to_string())))?;
    let rows = match &args.rows {
        Some(path) => rows::read(path, &features, &signature.target)?,
        None => Rows { numbers: Vec::new(), lines: Vec::new(), target: None },
    };
    let predictions = score(args, &mut probe, &rows, features.len(), bad)?;
    let base = match rows.numbers.get(..features.len()) {
        Some(row) => row.to_vec(),
        None => vec![0.0; features.len()],
    };
    policies(&mut features, &base, |row| match probe.score(Batch { rows: 1, numbers: row }) {
        Ok(_) => Ok(true),
        Err(ScoreError::Declined(_)) => Ok(false),
        Err(error) => Err(broke(error)),
    })?;
    let digest = match &args.rows {
        Some(path) => Digest::of(&files::read(path)?),
        None => Digest::of(&[]),
    };
    Ok(manifest(name, args.model_version.clone(), signature, features, &rows, predictions, digest))
}

/// Scores all rows.
fn score(
    args: &Seal,
    probe: &mut Probe<'_>,
    rows: &Rows,
    width: usize,
    bad: &dyn Fn(SealError) -> CliError,
) -> Result<Vec<f64>, CliError> {
    let mut predictions = Vec::with_capacity(rows.lines.len());
    for numbers in rows.numbers.chunks(CALL_ROWS * width) {
        let batch = Batch { rows: (numbers.len() / width) as u32, numbers };
        match probe.score(batch) {
            Ok(values) => predictions.extend(values),
            Err(ScoreError::Declined(decline)) => {
                let row = predictions.len() + decline.row.unwrap_or(0) as usize;
                let line = rows.lines.get(row).copied().unwrap_or(0);
                let feature = decline.feature.map_or_else(String::new, |name| format!("{name}: "));
                let why = format!(
                    "line {line}: the model declines the row: {feature}{}",
                    decline.message
                );
                return Err(CliError::Data {
                    path: args.rows.clone().unwrap_or_default(),
                    source: why.into(),
                });
            }
            Err(error) => return Err(bad(engine::LoadError::FirstCall(error).into())),
        }
    }
    Ok(predictions)
}

/// Finds out what the model does with missing values and unknown levels.
fn policies(
    features: &mut [Feature],
    base: &[f64],
    mut scores: impl FnMut(&[f64]) -> Result<bool, CliError>,
) -> Result<(), CliError> {
    let mut with = |at: usize, value: f64| {
        let mut row = base.to_vec();
        row[at] = value;
        scores(&row)
    };
    for (at, feature) in features.iter_mut().enumerate() {
        feature.missing = if with(at, f64::NAN)? { Missing::Keep } else { Missing::Refuse };
        let categorical = matches!(feature.kind, Kind::Categorical(_));
        let takes = categorical && with(at, UNKNOWN_LEVEL)?;
        feature.unknown = if takes { Unknown::Other } else { Unknown::Refuse };
    }
    Ok(())
}

fn manifest(
    name: String,
    version: String,
    signature: Signature,
    features: Vec<Feature>,
    rows: &Rows,
    predictions: Vec<f64>,
    data: Digest,
) -> Manifest {
    let width = features.len();
    let column = |at: usize| rows.numbers.iter().skip(at).step_by(width).copied().collect();
    let seen = features.iter().enumerate().map(|(at, feature)| {
        let values: Vec<f64> = column(at);
        match &feature.kind {
            Kind::Numeric => Distribution::of_numbers(&values),
            Kind::Categorical(levels) => Distribution::of_codes(&values, levels),
        }
    });
    let count = predictions.len() as u64;
    let baseline = Baseline {
        rows: count,
        features: seen.collect(),
        target: Distribution::of_numbers(rows.target.as_deref().unwrap_or_default()),
        predictions: Distribution::of_numbers(&predictions),
        importance: Vec::new(),
    };
    let golden = rows.numbers.chunks_exact(width).zip(predictions).take(GOLDEN_ROWS);
    let golden = golden.map(|(row, prediction)| Golden {
        row: row.iter().map(|value| Some(*value).filter(|value| !value.is_nan())).collect(),
        prediction,
    });
    let outpost = ("outpost".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    Manifest {
        format: MANIFEST_FORMAT,
        name,
        version,
        prediction_type: signature.prediction_type,
        target: signature.target,
        baseline,
        metrics: BTreeMap::new(),
        golden: golden.collect(),
        provenance: Provenance {
            source: "custom".to_owned(),
            data_sha256: data.to_string().replace("sha256:", ""),
            data_rows: count,
            algorithm: "custom".to_owned(),
            parameters: BTreeMap::new(),
            seed: 0,
            tools: BTreeMap::from([outpost]),
        },
        features,
    }
}
