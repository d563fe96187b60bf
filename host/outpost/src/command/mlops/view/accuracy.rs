//! `outpost mlops accuracy`: each metric beside what it was in training.

use super::thousands;
use super::{
    Client, count, float, heading, list, number, percent, picture, print_json, query, text,
};
use crate::cli::AccuracyView;
use crate::draw::plain;
use crate::error::CliError;
use crate::files;
use serde_json::Value;
use std::fmt::Write as _;
use std::process::ExitCode;

pub(super) fn run(args: &AccuracyView) -> Result<ExitCode, CliError> {
    let client = Client::new(&args.server)?;
    let query = query(&args.stretch)?;
    let report = client.ask(&["deployments", &args.deployment, "accuracy"], &query)?;
    if args.server.json {
        return print_json(&report);
    }
    files::print(&draw(&args.deployment, &report))?;
    Ok(ExitCode::SUCCESS)
}

fn draw(deployment: &str, report: &Value) -> String {
    let mut out = heading(deployment, report);
    writeln!(
        out,
        "  {} predictions with their outcomes, {} of those that could have one\n",
        thousands(count(report, "/rows")),
        percent(float(report, "/known")),
    )
    .expect("a string takes everything");
    writeln!(out, "  {:<24}{:>12}{:>12}{:>10}", "metric", "value", "training", "change")
        .expect("a string takes everything");
    let buckets = list(report, "/buckets");
    let metrics = report["metrics"].as_object();
    for (name, metric) in metrics.into_iter().flatten() {
        let over_time = picture(buckets.iter().map(|bucket| bucket["metrics"].get(name)?.as_f64()));
        let change = float(metric, "/percentChange").map(|change| change / 100.0);
        let why = match text(metric, "/reason") {
            "" => String::new(),
            reason => format!("({})", plain(reason)),
        };
        let left_out = match count(metric, "/leftOut") {
            0 => String::new(),
            rows => format!("  {} rows left out", thousands(rows)),
        };
        let line = format!(
            "  {:<24}{:>12}{:>12}{:>10}  {over_time}{why}{left_out}",
            plain(name),
            number(float(metric, "/value")),
            number(float(metric, "/baselineValue")),
            percent(change),
        );
        writeln!(out, "{}", line.trim_end()).expect("a string takes everything");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_metric_stands_beside_training() {
        let report = json!({
            "window": {"start": "2026-11-24T23:00:00Z", "end": "2026-11-25T23:00:00Z"},
            "rows": 1200, "known": 0.75,
            "metrics": {
                "RMSE": {"value": 60.0, "baselineValue": 50.0, "percentChange": 20.0, "rows": 1200, "leftOut": 0},
                "RMSLE": {"value": null, "reason": "noRowsInDomain", "rows": 0, "leftOut": 1200},
            },
            "buckets": [{"metrics": {"RMSE": 30.0}}, {"metrics": {"RMSE": 60.0}}],
        });
        let text = draw("diabetes", &report);
        assert!(text.contains("1,200 predictions with their outcomes, 75 % of those"), "{text}");
        let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap().to_owned();
        let rmse = line("RMSE");
        for part in [" 60 ", " 50 ", " 20 %", "▄█"] {
            assert!(rmse.contains(part), "{part:?} in {rmse:?}");
        }
        assert!(
            line("RMSLE").contains("-         -         -  (noRowsInDomain)  1,200 rows left out")
                || line("RMSLE").contains("(noRowsInDomain)  1,200 rows left out")
        );
    }
}
