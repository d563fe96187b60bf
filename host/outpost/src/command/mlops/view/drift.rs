//! `outpost mlops drift`: each column beside the training data.

use super::{
    Client, count, float, heading, list, number, percent, picture, print_json, query, text,
};
use super::{thousands, time, verdict};
use crate::cli::{Distance, DriftView};
use crate::draw::{bar, plain, sparkline};
use crate::error::CliError;
use crate::files;
use serde_json::Value;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Widest bar.
const BAR: usize = 12;
/// Widest that a name is printed.
const NAME: usize = 24;

pub(super) fn run(args: &DriftView) -> Result<ExitCode, CliError> {
    let client = Client::new(&args.server)?;
    let mut query = query(&args.stretch)?;
    if let Some(metric) = args.metric {
        let metric = match metric {
            Distance::Psi => "psi",
            Distance::KullbackLeibler => "kullbackLeibler",
            Distance::JensenShannon => "jensenShannon",
            Distance::Hellinger => "hellinger",
            Distance::HistogramIntersection => "histogramIntersection",
        };
        query.push(("metric", metric.to_owned()));
    }
    let reference = [
        ("referenceStart", "--reference-start", &args.reference_start),
        ("referenceEnd", "--reference-end", &args.reference_end),
    ];
    for (name, flag, value) in reference {
        if let Some(value) = value {
            query.push((name, time(flag, value)?));
        }
    }
    let report = client.ask(&["deployments", &args.deployment, "drift"], &query)?;
    if args.server.json {
        return print_json(&report);
    }
    files::print(&draw(&args.deployment, &report))?;
    Ok(ExitCode::SUCCESS)
}

fn draw(deployment: &str, report: &Value) -> String {
    let mut out = heading(deployment, report);
    let threshold = float(report, "/threshold").unwrap_or(0.0);
    let other = if report["reference"].is_null() { "of training" } else { "of the other window" };
    writeln!(
        out,
        "  {}: {} rows beside {} {other}; {} above {} has drifted\n",
        verdict(text(report, "/status")),
        thousands(count(report, "/rows")),
        thousands(count(report, "/baselineRows")),
        plain(text(report, "/metric")),
        number(Some(threshold)),
    )
    .expect("a string takes everything");
    let buckets = list(report, "/buckets");
    if let Some(target) = report.get("target").filter(|target| !target.is_null()) {
        let over_time = picture(buckets.iter().map(|bucket| float(bucket, "/target")));
        column(
            &mut out,
            &format!("{} (predicted)", text(target, "/name")),
            target,
            threshold,
            &over_time,
        );
    }
    for feature in list(report, "/features") {
        let name = text(feature, "/name");
        let over_time =
            picture(buckets.iter().map(|bucket| bucket["features"].get(name)?.as_f64()));
        column(&mut out, name, feature, threshold, &over_time);
    }
    out
}

/// A line: how far it is, where the values were and are, and how it came to that.
fn column(out: &mut String, name: &str, column: &Value, threshold: f64, over_time: &str) {
    let counts =
        |of: &str| -> Vec<u64> { list(column, "/bins").iter().map(|bin| count(bin, of)).collect() };
    let drift = float(column, "/drift");
    // A bar as long as can be is twice the threshold.
    let length = bar(drift.unwrap_or(0.0), 2.0 * threshold, BAR);
    let missing = float(column, "/missing").filter(|missing| *missing > 0.0);
    let missing =
        missing.map_or_else(String::new, |share| format!("  {} missing", percent(Some(share))));
    let name: String = plain(name).chars().take(NAME).collect();
    let line = format!(
        "  {name:<NAME$} {:>7} {length:<BAR$} {:<16} {} -> {}  {over_time}{missing}",
        number(drift.map(|drift| (drift * 1000.0).round() / 1000.0)),
        verdict(text(column, "/status")),
        sparkline(&counts("/baselineCount")),
        sparkline(&counts("/count")),
    );
    writeln!(out, "{}", line.trim_end()).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_column_shows_where_it_was_and_is() {
        let bins = json!([
            {"kind": "below", "than": 1.0, "count": 0, "baselineCount": 0},
            {"kind": "step", "from": 1.0, "to": 2.0, "count": 10, "baselineCount": 40},
            {"kind": "missing", "count": 40, "baselineCount": 0},
        ]);
        let report = json!({
            "window": {"start": "2026-11-24T23:00:00Z", "end": "2026-11-25T23:00:00Z"},
            "reference": null, "status": "red", "metric": "psi", "threshold": 0.15, "rows": 2000, "baselineRows": 442,
            "target": null,
            "features": [{"name": "bmi", "status": "red", "drift": 0.61234, "missing": 0.8, "bins": bins}],
            "buckets": [{"features": {"bmi": 0.1}}, {"features": {"bmi": 0.2}}],
        });
        let text = draw("diabetes", &report);
        assert!(
            text.contains("RED: 2,000 rows beside 442 of training; psi above 0.15 has drifted"),
            "{text}"
        );
        let line = text.lines().last().unwrap();
        for part in
            ["bmi ", " 0.612 ", "████████████", " RED ", " █  ->  ▂█", "  ▄█", "80 % missing"]
        {
            assert!(line.contains(part), "{part:?} in {line:?}");
        }
    }
}
