//! `outpost inspect`: what a model package says about itself, without running it.

use crate::cli::Inspect;
use crate::draw::{bar, bytes, number, sparkline};
use crate::error::CliError;
use engine::Package;
use models::manifest::{Distribution, Manifest};
use models::{Feature, Kind, Missing};
use std::process::ExitCode;

/// How long the bar of the feature is that matters most.
const IMPORTANCE_WIDTH: usize = 30;
/// Widest that a feature's name or list of levels is printed.
const COLUMN_WIDTH_MAX: usize = 28;
/// As wide as a distribution of numbers is printed.
const DISTRIBUTION_WIDTH: usize = 49;

pub(crate) fn run(args: &Inspect) -> Result<ExitCode, CliError> {
    let package = super::open_package(&args.package)?;
    let text = if args.json { json(&package)? } else { describe(&package) };
    crate::files::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The manifest as JSON, with the digest and size of the file that carries it.
fn json(package: &Package) -> Result<String, CliError> {
    let value = serde_json::json!({
        "digest": package.digest().to_string(),
        "bytes": package.bytes().len(),
        "signatures": package.signatures().len(),
        "manifest": package.manifest(),
    });
    let text = serde_json::to_string_pretty(&value).map_err(|source| CliError::Internal {
        what: "write the manifest as JSON".into(),
        source: source.into(),
    })?;
    Ok(text + "\n")
}

fn describe(package: &Package) -> String {
    let manifest = package.manifest();
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        out.push_str(&text.to_string());
        out.push('\n');
    };
    line(format_args!("{} {}", manifest.name, manifest.version));
    line(format_args!("  digest      {}", package.digest()));
    line(format_args!("  size        {}", bytes(package.bytes().len())));
    line(format_args!("  signatures  {}", package.signatures().len()));
    line(format_args!("  predicts    {} ({})", manifest.target, manifest.prediction_type));
    line(format_args!("  learned by  {}", learned_by(manifest)));
    line(format_args!(
        "  from        {} rows of {}, sha256:{}",
        manifest.provenance.data_rows, manifest.provenance.source, manifest.provenance.data_sha256
    ));
    for (tool, version) in &manifest.provenance.tools {
        line(format_args!("  with        {tool} {version}"));
    }
    line(format_args!("  golden rows {}", manifest.golden.len()));
    line(format_args!("\nMetrics"));
    for (name, value) in &manifest.metrics {
        line(format_args!("  {name:<16} {}", number(*value)));
    }
    line(format_args!("\nFeatures"));
    let width = name_width(manifest);
    for (feature, seen) in manifest.features.iter().zip(&manifest.baseline.features) {
        line(format_args!("  {:<width$} {}", feature.name, describe_feature(feature, seen)));
    }
    if !manifest.baseline.importance.is_empty() {
        line(format_args!("\nHow much each feature matters"));
    }
    for (feature, share) in manifest.features.iter().zip(&manifest.baseline.importance) {
        let bar = bar(*share, 1.0, IMPORTANCE_WIDTH);
        line(format_args!("  {:<width$} {bar:<IMPORTANCE_WIDTH$} {share:.2}", feature.name));
    }
    line(format_args!("\nTarget and predictions in training"));
    let (target, predictions) = (&manifest.baseline.target, &manifest.baseline.predictions);
    line(format_args!("  {:<width$} {}", manifest.target, describe_distribution(target)));
    line(format_args!("  {:<width$} {}", "prediction", describe_distribution(predictions)));
    out
}

fn learned_by(manifest: &Manifest) -> String {
    let parameters: Vec<String> = manifest
        .provenance
        .parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!(
        "{} ({}), seed {}",
        manifest.provenance.algorithm,
        parameters.join(", "),
        manifest.provenance.seed
    )
}

fn name_width(manifest: &Manifest) -> usize {
    let names = manifest.features.iter().map(|feature| feature.name.chars().count());
    names.chain([manifest.target.chars().count(), 10]).max().unwrap_or(10).min(COLUMN_WIDTH_MAX)
}

fn describe_feature(feature: &Feature, seen: &Distribution) -> String {
    let missing = match (&feature.kind, feature.missing) {
        (_, Missing::Refuse) => "missing: refused".to_owned(),
        (_, Missing::Keep) => "missing: as such".to_owned(),
        (Kind::Numeric, Missing::Replace(value)) => format!("missing: {}", number(value)),
        (Kind::Categorical(levels), Missing::Replace(code)) => {
            let level = levels.get(code as usize).map_or("?", String::as_str);
            format!("missing: {level}")
        }
    };
    format!("{:<DISTRIBUTION_WIDTH$}  {missing}", describe_distribution(seen))
}

fn describe_distribution(seen: &Distribution) -> String {
    match seen {
        Distribution::Numeric { min, max, mean, counts, .. } => format!(
            "▕{:<10}▏ {:>8} .. {:<8} mean {:<8}",
            sparkline(counts),
            number(*min),
            number(*max),
            number(*mean)
        ),
        Distribution::Categorical { levels, other, .. } => {
            let counts: Vec<u64> = levels.iter().map(|(_, count)| *count).collect();
            let names: Vec<&str> = levels.iter().map(|(name, _)| name.as_str()).collect();
            let mut names = names.join(", ");
            if names.chars().count() > COLUMN_WIDTH_MAX {
                names = names.chars().take(COLUMN_WIDTH_MAX - 1).collect::<String>() + "…";
            }
            let rest = if *other > 0 { " and others" } else { "" };
            format!("▕{:<10}▏ {names}{rest}", sparkline(&counts))
        }
    }
}
