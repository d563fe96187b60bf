//! `outpost status`: what a running gateway's deployments do, drawn for a terminal.

use super::client::{Call, Client};
use super::{path, say};
use crate::cli::Status;
use crate::draw::{age, bar, bytes, number, plain, sparkline};
use crate::error::CliError;
use crate::files;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Looks that a sparkline shows.
const LOOKS: usize = 20;
/// Widest that a name is printed.
const NAME_WIDTH_MAX: usize = 32;
/// Characters of a digest that tell it from others.
const DIGEST_CHARS: usize = 12;
const SHARE_WIDTH: usize = 10;
/// Events that are shown.
const EVENTS: usize = 10;
const CLEAR: &str = "\x1b[H\x1b[2J";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fleet {
    version: String,
    uptime_seconds: f64,
    ready: bool,
    draining: bool,
    reasons: Vec<String>,
    warnings: Vec<String>,
    deployments: Vec<Deployment>,
    outbox: Option<Outbox>,
    channels: Vec<Channel>,
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deployment {
    id: String,
    is_default: bool,
    draining: bool,
    champion: Option<Package>,
    canary: Option<Canary>,
    challengers: Vec<Challenger>,
    errors: u64,
    requests_per_second: f64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    digest: String,
    name: String,
    version: String,
    broken: u64,
    late: u64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

#[derive(Deserialize)]
struct Canary {
    share: f64,
    package: Package,
    comparison: Comparison,
}

#[derive(Deserialize)]
struct Challenger {
    name: String,
    package: Package,
    comparison: Comparison,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Comparison {
    rows: u64,
    mean_difference: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outbox {
    healthy: bool,
    trouble: Option<String>,
    stored_bytes: u64,
    queued_records: u64,
    refused: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Channel {
    name: String,
    waiting_records: u64,
    oldest_age_seconds: Option<f64>,
    paused: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    at: String,
    deployment: Option<String>,
    action: String,
    by: String,
    done: bool,
    message: Option<String>,
}

/// Requests a second of the last looks, by deployment.
type Past = BTreeMap<String, Vec<u64>>;

pub(super) fn run(args: &Status) -> Result<ExitCode, CliError> {
    let client = Client::new(&args.remote)?;
    let mut past = Past::new();
    loop {
        let text = look(&client, args, &mut past)?;
        if !args.watch {
            return say(&text);
        }
        let clear = if std::io::stdout().is_terminal() { CLEAR } else { "" };
        files::print(&format!("{clear}{text}"))?;
        sleep(PAUSE);
    }
}

fn look(client: &Client, args: &Status, past: &mut Past) -> Result<String, CliError> {
    if let (Some(id), true) = (&args.deployment, args.json) {
        return pretty(&client.call(Call::get(path(id), format!("look at {id}")))?);
    }
    let value = client.call(Call::get("/api/v1/status".into(), "look at the gateway".into()))?;
    if args.json {
        return pretty(&value);
    }
    let mut fleet: Fleet = serde_json::from_value(value).map_err(|source| CliError::Internal {
        what: "understand the gateway's status; is it of another version?".into(),
        source: source.into(),
    })?;
    if let Some(id) = &args.deployment {
        fleet.deployments.retain(|deployment| deployment.id == *id);
        fleet.events.retain(|event| event.deployment.as_ref() == Some(id));
        if fleet.deployments.is_empty() {
            return Err(CliError::Usage(format!("there is no deployment {id:?}")));
        }
    }
    for deployment in &fleet.deployments {
        let points = past.entry(deployment.id.clone()).or_default();
        points.push((deployment.requests_per_second * 100.0) as u64);
        if points.len() > LOOKS {
            points.remove(0);
        }
    }
    Ok(describe(&fleet, past))
}

fn pretty(value: &Value) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|source| CliError::Internal {
        what: "write the answer as JSON".into(),
        source: source.into(),
    })?;
    Ok(text + "\n")
}

/// A line of the table.
struct Row {
    name: String,
    state: String,
    model: String,
    digest: String,
    share: String,
    rate: String,
    p50: String,
    p99: String,
    errors: String,
    more: String,
}

fn describe(fleet: &Fleet, past: &Past) -> String {
    let state = match (fleet.draining, fleet.ready) {
        (true, _) => "draining",
        (_, true) => "ready",
        _ => "not ready",
    };
    let up = age(Duration::try_from_secs_f64(fleet.uptime_seconds).unwrap_or_default());
    let mut out = format!("gateway {}, up {up}: {state}\n", plain(&fleet.version));
    for (kind, lines) in [("reason", &fleet.reasons), ("warning", &fleet.warnings)] {
        for line in lines {
            out.push_str(&format!("  {kind}: {}\n", plain(line)));
        }
    }
    out.push('\n');
    table(
        &mut out,
        fleet.deployments.iter().flat_map(|deployment| rows(deployment, past)).collect(),
    );
    outbox(&mut out, fleet);
    if !fleet.events.is_empty() {
        out.push_str("\nlast events\n");
    }
    for event in fleet.events.iter().take(EVENTS) {
        let of =
            event.deployment.as_deref().map(|id| format!(" {}", plain(id))).unwrap_or_default();
        let not = if event.done { "" } else { " NOT DONE" };
        let why =
            event.message.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
        let (at, action, by) = (plain(&event.at), plain(&event.action), plain(&event.by));
        out.push_str(&format!("  {at}  {action}{of} by {by}{not}{why}\n"));
    }
    out
}

fn rows(deployment: &Deployment, past: &Past) -> Vec<Row> {
    let canary_share = deployment.canary.as_ref().map_or(0.0, |canary| canary.share);
    let state = if deployment.draining { "draining" } else { "champion" };
    let mut first = match &deployment.champion {
        Some(champion) => row(state, champion, 1.0 - canary_share),
        None => Row { state: "nothing loaded".into(), ..Row::empty() },
    };
    first.name = name(&deployment.id) + if deployment.is_default { " *" } else { "" };
    first.rate = number(deployment.requests_per_second);
    first.p50 = milliseconds(deployment.p50_ms);
    first.p99 = milliseconds(deployment.p99_ms);
    first.errors = deployment.errors.to_string();
    first.more = match past.get(&deployment.id) {
        Some(points) if points.len() > 1 => sparkline(points),
        _ => String::new(),
    };
    let mut rows = vec![first];
    if let Some(canary) = &deployment.canary {
        let row = row("canary", &canary.package, canary.share);
        rows.push(Row { more: compared(&canary.comparison), ..row });
    }
    for challenger in &deployment.challengers {
        let row = row(&format!("challenger {}", name(&challenger.name)), &challenger.package, 0.0);
        rows.push(Row { share: String::new(), more: compared(&challenger.comparison), ..row });
    }
    rows
}

impl Row {
    fn empty() -> Self {
        let none = String::new;
        Self {
            name: none(),
            state: none(),
            model: none(),
            digest: none(),
            share: none(),
            rate: none(),
            p50: none(),
            p99: none(),
            errors: none(),
            more: none(),
        }
    }
}

fn row(state: &str, package: &Package, share: f64) -> Row {
    let digest = package.digest.rsplit(':').next().unwrap_or_default();
    Row {
        state: state.to_owned(),
        model: name(&format!("{} {}", package.name, package.version)),
        digest: plain(digest).chars().take(DIGEST_CHARS).collect(),
        share: format!(
            "{:>5} {}",
            format!("{}%", number(100.0 * share)),
            bar(share, 1.0, SHARE_WIDTH)
        ),
        p50: milliseconds(package.p50_ms),
        p99: milliseconds(package.p99_ms),
        errors: (package.broken + package.late).to_string(),
        ..Row::empty()
    }
}

/// Against the champion.
fn compared(comparison: &Comparison) -> String {
    match comparison.mean_difference {
        Some(mean) => format!("mean difference {} on {} rows", number(mean), comparison.rows),
        None => "not compared yet".to_owned(),
    }
}

fn milliseconds(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), number)
}

fn name(text: &str) -> String {
    let text = plain(text);
    if text.chars().count() <= NAME_WIDTH_MAX {
        return text;
    }
    text.chars().take(NAME_WIDTH_MAX - 1).chain(['…']).collect()
}

fn table(out: &mut String, rows: Vec<Row>) {
    if rows.is_empty() {
        out.push_str("no deployment yet: `outpost deploy ID PACKAGE` makes one\n");
        return;
    }
    let head = [
        "deployment",
        "state",
        "model",
        "digest",
        "share",
        "req/s",
        "p50 ms",
        "p99 ms",
        "errors",
        "",
    ];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows.into_iter().map(|row| {
        [
            row.name, row.state, row.model, row.digest, row.share, row.rate, row.p50, row.p99,
            row.errors, row.more,
        ]
    }));
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for line in &lines {
        let mut text = String::new();
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            match column {
                // Numbers.
                5..=8 => text.push_str(&format!("{cell:>width$}  ")),
                _ => text.push_str(&format!("{cell:<width$}  ")),
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
}

fn outbox(out: &mut String, fleet: &Fleet) {
    let Some(outbox) = &fleet.outbox else { return };
    let state = match (&outbox.trouble, outbox.healthy) {
        (Some(trouble), _) => plain(trouble),
        (None, true) => "healthy".to_owned(),
        (None, false) => "in trouble".to_owned(),
    };
    out.push_str(&format!(
        "\noutbox: {state}, {}, {} records queued, {} refused\n",
        bytes(usize::try_from(outbox.stored_bytes).unwrap_or(usize::MAX)),
        outbox.queued_records,
        outbox.refused
    ));
    for channel in &fleet.channels {
        let oldest =
            channel.oldest_age_seconds.and_then(|age| Duration::try_from_secs_f64(age).ok());
        let oldest =
            oldest.map_or(String::new(), |oldest| format!(", the oldest for {}", age(oldest)));
        let paused = channel
            .paused
            .as_deref()
            .map_or(String::new(), |why| format!(", PAUSED: {}", plain(why)));
        let name = plain(&channel.name);
        out.push_str(&format!(
            "  {name}: {} records wait{oldest}{paused}\n",
            channel.waiting_records
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(digest: &str) -> Value {
        json!({ "digest": format!("sha256:{digest}"), "name": "m\u{7}", "version": "1", "broken": 1, "late": 2, "p50Ms": 0.25, "p99Ms": null })
    }

    #[test]
    fn the_table_shows_shares_and_comparisons_and_nothing_that_a_terminal_obeys() {
        let comparison = json!({ "rows": 40, "meanDifference": -1.5 });
        let fleet = json!({
            "version": "1", "uptimeSeconds": 61.0, "ready": true, "draining": false, "reasons": [], "warnings": ["slow disk"],
            "deployments": [{
                "id": "diabetes", "isDefault": true, "draining": false, "champion": package("aaaaaaaaaaaaaaaa"),
                "canary": { "share": 0.05, "package": package("bb"), "comparison": comparison },
                "challengers": [{ "name": "trees", "package": package("cc"), "comparison": { "rows": 0, "meanDifference": null } }],
                "errors": 7, "requestsPerSecond": 12.5, "p50Ms": 0.5, "p99Ms": 2.0
            }],
            "outbox": { "healthy": true, "trouble": null, "storedBytes": 2048, "queuedRecords": 3, "refused": 0 },
            "channels": [{ "name": "kafka", "waitingRecords": 9, "oldestAgeSeconds": 90.0, "paused": "no topic" }],
            "events": [{ "at": "2026", "deployment": "diabetes", "action": "deploy", "by": "ci", "done": false, "message": "old\u{1b}" }]
        });
        let fleet: Fleet = serde_json::from_value(fleet).unwrap();
        let past = Past::from([("diabetes".into(), vec![0, 1250])]);
        let text = describe(&fleet, &past);
        for part in [
            "up 1 min 1 s: ready",
            "warning: slow disk",
            "diabetes *",
            "aaaaaaaaaaaa ",
            "95% █████████▌",
            "5% ▌",
            "challenger trees",
            "mean difference -1.5 on 40 rows",
            "not compared yet",
            "12.5",
            " █",
            "healthy, 2.0 KiB, 3 records queued",
            "kafka: 9 records wait, the oldest for 1 min 30 s, PAUSED: no topic",
            "2026  deploy diabetes by ci NOT DONE: old\u{fffd}",
            "m\u{fffd} 1",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'));
    }
}
