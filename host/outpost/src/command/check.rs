//! `outpost check`: the conformance test of the contract, one line a check.

use crate::cli::Check;
use crate::draw::bytes;
use crate::error::{CliError, EXIT_DATA, chain};
use crate::files;
use engine::{Figures, LimitSettings, Report, Verdict};
use models::Feature;
use std::process::ExitCode;
use std::time::Duration;

/// As wide as the names of checks are printed.
const NAME_WIDTH: usize = 15;

pub(crate) fn run(args: &Check) -> Result<ExitCode, CliError> {
    let component = files::read(&args.component)?;
    let rows = |features: &[Feature]| match &args.rows {
        None => Ok(Vec::new()),
        Some(path) => super::rows::read(path, features, "")
            .map(|rows| rows.numbers)
            .map_err(|error| format!("failed to {}", chain(&error))),
    };
    let report = super::engine()?.check(component, &LimitSettings::default(), &rows);
    let text = if args.json { json(&report)? } else { draw(&report) };
    files::print(&text)?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DATA) })
}

fn draw(report: &Report) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let mark = match finding.verdict {
            Verdict::Passed => "ok  ",
            Verdict::Failed => "FAIL",
            Verdict::Skipped => "-   ",
        };
        let mut lines = finding.detail.lines();
        let first = lines.next().unwrap_or_default();
        out.push_str(&format!("{mark}  {:<NAME_WIDTH$}  {first}\n", finding.check));
        for line in lines {
            out.push_str(&format!("      {:<NAME_WIDTH$}  {line}\n", ""));
        }
    }
    out.push_str(&figures(&report.figures));
    let failed = count(report, Verdict::Failed);
    let verdict = match failed {
        0 => "keeps to the contract",
        _ => "does not keep to the contract",
    };
    out.push_str(&format!(
        "\n{verdict}: {} ok, {failed} failed, {} not run\n",
        count(report, Verdict::Passed),
        count(report, Verdict::Skipped)
    ));
    out
}

fn count(report: &Report, verdict: Verdict) -> usize {
    report.findings.iter().filter(|finding| finding.verdict == verdict).count()
}

fn figures(figures: &Figures) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("      {name:<NAME_WIDTH$}  {value}\n")));
    };
    line("compiled in", figures.compile.map(time));
    line("started in", figures.start.map(time));
    line("one row in", figures.one_row.map(time));
    let largest = figures.largest_rows.zip(figures.largest);
    line("largest batch", largest.map(|(rows, took)| format!("{rows} rows in {}", time(took))));
    let memory = figures.declared_bytes.zip(figures.memory_bytes);
    line(
        "memory",
        memory.map(|(declared, now)| {
            let size = |count| bytes(usize::try_from(count).unwrap_or(usize::MAX));
            format!("{}, of which it starts with {}", size(now), size(declared))
        }),
    );
    if lines.is_empty() { String::new() } else { format!("\n{}", lines.concat()) }
}

fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1e-3 => format!("{:.1} µs", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{seconds:.1} s"),
    }
}

fn json(report: &Report) -> Result<String, CliError> {
    let findings = report.findings.iter().map(|finding| {
        let verdict = match finding.verdict {
            Verdict::Passed => "ok",
            Verdict::Failed => "fail",
            Verdict::Skipped => "skipped",
        };
        serde_json::json!({ "check": finding.check, "verdict": verdict, "detail": finding.detail })
    });
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let figures = &report.figures;
    let value = serde_json::json!({
        "passed": report.passed(),
        "findings": findings.collect::<Vec<_>>(),
        "figures": {
            "compile_seconds": seconds(figures.compile),
            "start_seconds": seconds(figures.start),
            "one_row_seconds": seconds(figures.one_row),
            "largest_batch_rows": figures.largest_rows,
            "largest_batch_seconds": seconds(figures.largest),
            "declared_bytes": figures.declared_bytes,
            "memory_bytes": figures.memory_bytes,
        },
    });
    let text = serde_json::to_string_pretty(&value).map_err(|source| CliError::Internal {
        what: "write the report as JSON".into(),
        source: source.into(),
    })?;
    Ok(text + "\n")
}
