//! `outpost train`: learn from a CSV file, seal what was learned, say how good it is.

use crate::cli::Train;
use crate::draw::{bar, bytes, number};
use crate::error::CliError;
use crate::{files, progress};
use engine::{Engine, EngineSettings};
use models::Unknown;
use models::train::{
    Algorithm, Candidate, CsvOptions, MissingPolicy, Settings, Spread, Table, TrainError, Trained,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// Longest bar beside an RMSE.
const BAR_WIDTH: usize = 20;

pub(crate) fn run(args: &Train) -> Result<ExitCode, CliError> {
    let settings = settings(args)?;
    let options = CsvOptions {
        ignore: args.ignored.iter().cloned().collect(),
        categorical: args.categorical.iter().cloned().collect(),
        numeric: args.numeric.iter().cloned().collect(),
        delimiter: delimiter(&args.delimiter)?,
    };
    // Fits may take minutes: that there is no such folder is said before.
    files::probe(&args.output)?;
    let text = files::read(&args.data)?;
    let table = Table::read_csv(&text, &options).map_err(|source| data(&args.data, source))?;
    eprintln!(
        "read {} rows of {} columns from {}",
        table.rows(),
        table.columns.len(),
        args.data.display()
    );

    let algorithms = if settings.algorithm.is_some() { 1 } else { Algorithm::ALL.len() };
    let mut shown = progress::Training::start(algorithms);
    let trained = models::train::train(&table, &settings, &mut |step| shown.show(step));
    shown.end();
    let trained = trained.map_err(|error| fault(&args.data, error))?;

    let engine = Engine::new(EngineSettings::default()).map_err(internal("start the engine"))?;
    let package = engine
        .build_package(&trained.model, &trained.manifest)
        .map_err(internal("seal the model into a package"))?;
    files::write(&args.output, &package)?;
    files::print(&describe(&trained, &args.output, package.len()))?;
    Ok(ExitCode::SUCCESS)
}

fn settings(args: &Train) -> Result<Settings, CliError> {
    let algorithm = match args.model.as_str() {
        "auto" => None,
        name => Some(
            name.parse::<Algorithm>()
                .map_err(|error| CliError::Usage(format!("--model: failed to {error}; or auto")))?,
        ),
    };
    let name = args.name.clone().unwrap_or_else(|| name_of(&args.data));
    Ok(Settings {
        algorithm,
        parameters: parameters(&args.params)?,
        folds: args.folds,
        seed: args.seed,
        missing: match args.missing.as_str() {
            "mean" => MissingPolicy::Mean,
            "median" => MissingPolicy::Median,
            "refuse" => MissingPolicy::Refuse,
            other => return Err(choice("--missing", other, "mean, median or refuse")),
        },
        unknown: match args.unknown.as_str() {
            "refuse" => Unknown::Refuse,
            "missing" => Unknown::Missing,
            "other" => Unknown::Other,
            other => return Err(choice("--unknown", other, "refuse, missing or other")),
        },
        version: args.model_version.clone(),
        ..Settings::new(args.target.clone(), name)
    })
}

fn delimiter(given: &str) -> Result<u8, CliError> {
    match given.as_bytes() {
        b"tab" | b"\t" => Ok(b'\t'),
        [one] if one.is_ascii_punctuation() && *one != b'"' => Ok(*one),
        _ => Err(choice("--delimiter", given, "one punctuation mark such as ; or the word tab")),
    }
}

fn choice(flag: &str, given: &str, allowed: &str) -> CliError {
    CliError::Usage(format!("{flag} is {allowed}, not `{given}`"))
}

fn parameters(given: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let mut parameters = BTreeMap::new();
    for parameter in given {
        let (name, value) = parameter.split_once('=').ok_or_else(|| {
            CliError::Usage(format!("--param takes name=value, as in alpha=0.5, not `{parameter}`"))
        })?;
        if parameters.insert(name.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(CliError::Usage(format!("--param {name} is given twice")));
        }
    }
    Ok(parameters)
}

/// A model's name out of a file's: lower case, and a dash for what a name cannot hold.
pub(crate) fn name_of(path: &Path) -> String {
    let stem =
        path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let allowed =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let name: String = stem.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let name = name.trim_matches(['-', '_', '.']);
    if name.is_empty() { "model".to_owned() } else { name.to_owned() }
}

fn data(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Data { path: path.to_owned(), source: source.into() }
}

/// A parameter or a name is the command line's fault; most else is the data's.
fn fault(path: &Path, error: TrainError) -> CliError {
    match error {
        TrainError::Manifest(_)
        | TrainError::Parameter(_)
        | TrainError::ParametersForAll
        | TrainError::Folds { .. }
        | TrainError::NoTarget { .. } => CliError::Usage(format!("failed to {error}")),
        error => data(path, error),
    }
}

fn internal<E>(what: &'static str) -> impl Fn(E) -> CliError
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| CliError::Internal { what: what.into(), source: source.into() }
}

fn describe(trained: &Trained, output: &Path, size: usize) -> String {
    let report = &trained.report;
    let folds = report.candidates.iter().map(|candidate| candidate.folds.len()).max().unwrap_or(0);
    let largest = report
        .candidates
        .iter()
        .filter_map(|candidate| candidate.rmse().map(|rmse| rmse.mean))
        .fold(0.0, f64::max);
    let mut text = format!(
        "cross-validation, {folds} folds, mean ± standard deviation (shorter bar: smaller error)\n\n    {:<18} {:<w$} {:<20} {:<20} R2\n",
        "",
        "",
        "RMSE",
        "MAE",
        w = BAR_WIDTH
    );
    for (at, candidate) in report.candidates.iter().enumerate() {
        let mark = if at == report.chosen { "=>" } else { "  " };
        text.push_str(&format!(" {mark} {}\n", line(candidate, largest)));
    }
    let manifest = &trained.manifest;
    let training = &report.training;
    text.push_str(&format!(
        "\non the training rows: RMSE {}, MAE {}, R2 {}\nwrote {} ({}): {} {}, {} features, predicts {}\n",
        number(training.rmse),
        number(training.mae),
        training.r2.map_or_else(|| "-".to_owned(), number),
        output.display(),
        bytes(size),
        manifest.name,
        manifest.version,
        manifest.features.len(),
        manifest.target,
    ));
    text
}

fn line(candidate: &Candidate, largest: f64) -> String {
    if let Some(failure) = &candidate.failure {
        return format!("{:<18} did not learn: {failure}", candidate.algorithm.name());
    }
    let spread = |spread: Option<Spread>| {
        spread.map_or_else(|| "-".to_owned(), |s| format!("{} ± {}", number(s.mean), number(s.std)))
    };
    let rmse = candidate.rmse();
    format!(
        "{:<18} {:<w$} {:<20} {:<20} {}",
        candidate.algorithm.name(),
        bar(rmse.as_ref().map_or(0.0, |rmse| rmse.mean), largest, BAR_WIDTH),
        spread(rmse),
        spread(candidate.mae()),
        spread(candidate.r2()),
        w = BAR_WIDTH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_a_name_that_a_manifest_takes() {
        assert_eq!(name_of(Path::new("data/Diabetes 2024.csv")), "diabetes-2024");
        assert_eq!(name_of(Path::new("-.csv")), "model");
        assert_eq!(name_of(Path::new("..")), "model");
    }

    #[test]
    fn parameters_need_a_name_and_a_value_once() {
        let ok = parameters(&["alpha=1.0".into(), "kernel = rbf".into()]).unwrap();
        assert_eq!(ok["alpha"], "1.0");
        assert_eq!(ok["kernel"], "rbf");
        assert!(parameters(&["alpha".into()]).is_err());
        assert!(parameters(&["alpha=1".into(), "alpha=2".into()]).is_err());
    }
}
