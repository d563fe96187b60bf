//! What waits for whom, and whether all of it is whole.

use super::{fault, json, open};
use crate::cli::{SpoolCheck, SpoolStatus};
use crate::draw;
use crate::error::{CliError, EXIT_DATA};
use crate::progress::Checking;
use serde_json::{Value, json};
use spool::{ArchiveStatus, Backlog, Gap, Report};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn status(args: &SpoolStatus) -> Result<ExitCode, CliError> {
    let status = open(&args.outbox)?.status().map_err(fault)?;
    let now = SystemTime::now();
    let text = if args.json { json(&as_json(&status, now))? } else { describe(&status, now) };
    crate::files::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn check(args: &SpoolCheck) -> Result<ExitCode, CliError> {
    let archive = open(&args.outbox)?;
    let bar = Checking::start();
    let report = archive.check(|bytes, of| bar.show(bytes, of));
    bar.end();
    let report = report.map_err(fault)?;
    crate::files::print(&if args.json { json(&report_as_json(&report))? } else { tell(&report) })?;
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DATA) })
}

fn describe(status: &ArchiveStatus, now: SystemTime) -> String {
    let store = status.store_id.map_or("none yet".to_owned(), |id| id.to_string());
    let first = status.last_seq + 1 - status.records;
    let records = match status.records {
        0 => format!("none, the last was {}", status.last_seq),
        records => format!("{records}, numbers {first} to {}", status.last_seq),
    };
    let lost: Vec<String> =
        status.lost.by_reason().iter().map(|(why, count)| format!("{count} {why}")).collect();
    let quarantined = match status.quarantined.len() {
        0 => "none".to_owned(),
        _ => status.quarantined.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(", "),
    };
    let mut out = format!(
        "outbox       {}\nstore        {store}, format {}\nsegments     {}, {}\nrecords      {records}\n\
         oldest       {}\nlost         {}\nquarantined  {quarantined}\n",
        status.dir.display(),
        status.format,
        status.segments,
        draw::bytes(status.bytes as usize),
        age(status.oldest, now),
        lost.join(", "),
    );
    for gap in &status.gaps {
        out.push_str(&format!(
            "  gap        {} to {}: {}, {} ago\n",
            gap.first,
            gap.last,
            gap.why.word(),
            age(Some(gap.noticed), now)
        ));
    }
    if status.channels.is_empty() {
        out.push_str("\nno channel has ever run on it\n");
        return out;
    }
    let names = status.channels.iter().map(|channel| channel.channel.len());
    let width = names.max().unwrap_or(0).max("channel".len());
    out.push_str(&format!(
        "\n{:<width$}  {:>10}  {:>10}  {:>12}  {:>12}  {:>8}\n",
        "channel", "waiting", "bytes", "oldest", "dead letters", "dropped"
    ));
    for channel in &status.channels {
        out.push_str(&format!(
            "{:<width$}  {:>10}  {:>10}  {:>12}  {:>12}  {:>8}\n",
            channel.channel,
            channel.waiting_records,
            draw::bytes(channel.waiting_bytes as usize),
            age(channel.oldest, now),
            channel.dead_letters.records,
            channel.dead_letters.dropped,
        ));
    }
    out
}

/// How long ago; a clock that went back makes no negative age.
fn age(at: Option<SystemTime>, now: SystemTime) -> String {
    at.map_or("-".to_owned(), |at| draw::age(now.duration_since(at).unwrap_or_default()))
}

fn as_json(status: &ArchiveStatus, now: SystemTime) -> Value {
    let quarantined = status.quarantined.iter();
    json!({
        "outbox": status.dir,
        "storeId": status.store_id.map(|id| id.to_string()),
        "format": status.format,
        "segments": status.segments,
        "bytes": status.bytes,
        "records": status.records,
        "lastSeq": status.last_seq,
        "oldestAgeSeconds": seconds(status.oldest, now),
        "lost": status.lost.by_reason().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "gaps": status.gaps.iter().map(gap_as_json).collect::<Vec<_>>(),
        "quarantined": quarantined
            .map(|(name, bytes)| json!({ "file": name, "bytes": bytes }))
            .collect::<Vec<_>>(),
        "channels": status.channels.iter().map(|it| channel_as_json(it, now)).collect::<Vec<_>>(),
    })
}

fn channel_as_json(channel: &Backlog, now: SystemTime) -> Value {
    let letters = &channel.dead_letters;
    json!({
        "name": channel.channel,
        "doneSeq": channel.done_seq,
        "waitingRecords": channel.waiting_records,
        "waitingBytes": channel.waiting_bytes,
        "oldestAgeSeconds": seconds(channel.oldest, now),
        "deadLetters": {
            "records": letters.records,
            "bytes": letters.bytes,
            "dropped": letters.dropped,
            "unreadable": letters.unreadable,
        },
    })
}

fn gap_as_json(gap: &Gap) -> Value {
    let noticed = gap.noticed.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    json!({ "first": gap.first, "last": gap.last, "why": gap.why.word(), "noticedAt": noticed })
}

fn seconds(at: Option<SystemTime>, now: SystemTime) -> Option<u64> {
    at.map(|at| now.duration_since(at).unwrap_or_default().as_secs())
}

fn tell(report: &Report) -> String {
    let mut out = format!(
        "{} records in {} segments, {}\n",
        report.records,
        report.segments,
        draw::bytes(report.bytes as usize)
    );
    if report.torn_bytes > 0 {
        out.push_str(&format!(
            "{} at the end are not whole yet, or were cut off by a crash: no damage\n",
            draw::bytes(report.torn_bytes as usize)
        ));
    }
    for gap in &report.gaps {
        let (first, last, why) = (gap.first, gap.last, gap.why.word());
        out.push_str(&format!("records {first} to {last} are gone ({why}), which is noted\n"));
    }
    for finding in &report.findings {
        out.push_str(&format!("DAMAGE {}: {}; {}\n", finding.file, finding.what, finding.then));
    }
    if report.is_sound() {
        out.push_str("everything is as it was written\n");
    }
    out
}

fn report_as_json(report: &Report) -> Value {
    let findings = report.findings.iter();
    json!({
        "sound": report.is_sound(),
        "segments": report.segments,
        "bytes": report.bytes,
        "records": report.records,
        "tornBytes": report.torn_bytes,
        "gaps": report.gaps.iter().map(gap_as_json).collect::<Vec<_>>(),
        "findings": findings
            .map(|it| json!({ "file": it.file, "what": it.what, "then": it.then }))
            .collect::<Vec<_>>(),
    })
}
