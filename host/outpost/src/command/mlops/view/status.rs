//! `outpost mlops status`: one line a deployment, or all about one.

use super::{
    Client, count, float, heading, list, number, percent, picture, print_json, query, text,
};
use super::{thousands, verdict};
use crate::cli::StatusView;
use crate::draw::{age, plain};
use crate::error::CliError;
use crate::files;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

/// Characters of a digest that tell it from others.
const DIGEST_CHARS: usize = 12;

pub(super) fn run(args: &StatusView) -> Result<ExitCode, CliError> {
    let client = Client::new(&args.server)?;
    let query = query(&args.stretch)?;
    let health = |id: &str| client.ask(&["deployments", id, "health"], &query);
    let Some(deployment) = &args.deployment else {
        let deployments = client.ask(&["deployments"], &[("limit", "1000".to_owned())])?;
        let ids: Vec<&str> = list(&deployments, "/data").iter().map(|it| text(it, "/id")).collect();
        let mut reports = Vec::new();
        for id in ids {
            reports.push((id, health(id)?));
        }
        if args.server.json {
            let all = reports.iter().map(|(id, report)| json!({"id": id, "health": report}));
            return print_json(&Value::Array(all.collect()));
        }
        files::print(&overview(&reports))?;
        return Ok(ExitCode::SUCCESS);
    };
    let report = health(deployment)?;
    if args.server.json {
        return print_json(&report);
    }
    files::print(&one(deployment, &report, Timestamp::now()))?;
    Ok(ExitCode::SUCCESS)
}

fn overview(reports: &[(&str, Value)]) -> String {
    if reports.is_empty() {
        return "There is no deployment yet.\n".to_owned();
    }
    let width = reports.iter().map(|(id, _)| id.chars().count()).max().unwrap_or(0).max(10);
    let mut out = String::new();
    for (id, report) in reports {
        let line = format!(
            "{:width$}  {:>12} requests  {:>9} errors  p99 {:>8} ms  {}  {}",
            plain(id),
            thousands(count(report, "/totals/requests")),
            percent(errors(report)),
            number(float(report, "/totals/executionTime/p99")),
            requests(report),
            verdict(text(report, "/status")),
        );
        writeln!(out, "{}", line.trim_end()).expect("a string takes everything");
    }
    out
}

fn errors(report: &Value) -> Option<f64> {
    Some(float(report, "/totals/userErrorRate")? + float(report, "/totals/systemErrorRate")?)
}

fn requests(report: &Value) -> String {
    picture(list(report, "/buckets").iter().map(|bucket| float(bucket, "/requests")))
}

fn one(deployment: &str, report: &Value, now: Timestamp) -> String {
    let mut out = heading(deployment, report);
    let mut line = |name: &str, what: String| {
        writeln!(out, "{}", format!("  {name:<12}{what}").trim_end())
            .expect("a string takes everything");
    };
    line("verdict", verdict(text(report, "/status")).to_owned());
    line(
        "requests",
        format!("{:<12}{}", thousands(count(report, "/totals/requests")), requests(report)),
    );
    line("predictions", thousands(count(report, "/totals/predictions")));
    let failed = list(report, "/buckets")
        .iter()
        .map(|bucket| Some(float(bucket, "/userErrors")? + float(bucket, "/systemErrors")?));
    line(
        "errors",
        format!(
            "{:<12}{}  {} the callers', {} the model's or its host's",
            percent(errors(report)),
            picture(failed),
            thousands(count(report, "/totals/userErrors")),
            thousands(count(report, "/totals/systemErrors")),
        ),
    );
    let time = |of: &str| number(float(report, &format!("/totals/executionTime/{of}")));
    line(
        "time, ms",
        format!(
            "median {}   p90 {}   p95 {}   p99 {}",
            time("median"),
            time("p90"),
            time("p95"),
            time("p99")
        ),
    );
    line(
        "load",
        format!(
            "median {} requests a minute, peak {}",
            number(float(report, "/totals/load/median")),
            number(float(report, "/totals/load/peak"))
        ),
    );
    line(
        "rows",
        format!(
            "{}; {} without association id, {} over the limit",
            thousands(count(report, "/usage/rows")),
            thousands(count(report, "/usage/withoutAssociationId")),
            thousands(count(report, "/usage/rateLimited")),
        ),
    );
    line(
        "clocks",
        format!(
            "last record made {}, received {}; {} skewed",
            ago(text(report, "/clock/last"), now),
            ago(text(report, "/clock/received"), now),
            thousands(count(report, "/clock/skewed")),
        ),
    );
    let groups = list(report, "/groups");
    if !groups.is_empty() {
        writeln!(
            out,
            "\n  {:<11}{:<15}{:<20}{:>12}{:>10}{:>10}{:>12}",
            "part", "package", "gateway", "requests", "errors", "p99, ms", "rows"
        )
        .expect("a string takes everything");
    }
    for group in groups {
        let digest = text(group, "/modelDigest");
        let package = match digest.split_once(':') {
            Some((_, hex)) => hex.get(..DIGEST_CHARS).unwrap_or(hex),
            None => text(group, "/modelId").get(..DIGEST_CHARS).unwrap_or(text(group, "/modelId")),
        };
        let errors = float(group, "/userErrorRate").zip(float(group, "/systemErrorRate"));
        writeln!(
            out,
            "  {:<11}{:<15}{:<20}{:>12}{:>10}{:>10}{:>12}",
            plain(text(group, "/role")),
            plain(package),
            plain(text(group, "/gateway")),
            thousands(count(group, "/requests")),
            percent(errors.map(|(user, system)| user + system)),
            number(float(group, "/executionTime/p99")),
            thousands(count(group, "/usage/rows")),
        )
        .expect("a string takes everything");
    }
    out
}

fn ago(time: &str, now: Timestamp) -> String {
    let Ok(time) = time.parse::<Timestamp>() else { return "never".to_owned() };
    match Duration::try_from(now.duration_since(time)) {
        Ok(passed) => format!("{} ago", age(passed)),
        Err(_) => "in the future".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Value {
        json!({
            "window": {"start": "2026-11-24T23:00:00Z", "end": "2026-11-25T23:00:00Z"},
            "status": "yellow",
            "totals": {
                "requests": 12000, "predictions": 24000, "userErrors": 120, "systemErrors": 60,
                "userErrorRate": 0.01, "systemErrorRate": 0.005,
                "executionTime": {"median": 0.25, "p90": 0.5, "p95": 0.75, "p99": 1.5},
                "load": {"median": 6.5, "peak": 14},
            },
            "usage": {"rows": 24000, "withoutAssociationId": 3, "rateLimited": 0},
            "clock": {"skewed": 2, "last": "2026-11-25T22:59:00Z", "received": null},
            "buckets": [
                {"requests": 4000, "userErrors": 0, "systemErrors": 0},
                {"requests": 8000, "userErrors": 120, "systemErrors": 60},
            ],
            "groups": [{
                "role": "champion", "modelDigest": "sha256:0123456789abcdef", "gateway": "ward-3\u{1b}",
                "requests": 12000, "userErrorRate": 0.01, "systemErrorRate": 0.005,
                "executionTime": {"p99": 1.5}, "usage": {"rows": 24000},
            }],
        })
    }

    #[test]
    fn one_deployment_has_all_its_numbers_and_pictures() {
        let text = one("diabetes", &report(), "2026-11-25T23:00:00Z".parse().unwrap());
        for part in [
            "diabetes   2026-11-24 23:00 to 2026-11-25 23:00 UTC\n",
            "verdict     YELLOW\n",
            "requests    12,000      ▄█\n",
            "errors      1.5 %        █  120 the callers', 60 the model's",
            "median 0.25   p90 0.5   p95 0.75   p99 1.5\n",
            "median 6.5 requests a minute, peak 14\n",
            "24,000; 3 without association id, 0 over the limit\n",
            "last record made 1 min 0 s ago, received never; 2 skewed\n",
            "champion   0123456789ab   ward-3\u{fffd}",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
    }

    #[test]
    fn all_deployments_have_a_line_each() {
        let text = overview(&[("diabetes", report())]);
        assert!(text.starts_with("diabetes          12,000 requests      1.5 % errors"), "{text}");
        assert!(text.ends_with("▄█  YELLOW\n"), "{text}");
        assert_eq!(overview(&[]), "There is no deployment yet.\n");
    }
}
