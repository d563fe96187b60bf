//! What changes an outbox. Its lock keeps a running gateway from being disturbed.

use crate::cli::{SpoolPurge, SpoolRequeue};
use crate::error::CliError;
use spool::repair::{self, RepairError};
use spool::{Archive, OpenError, OutboxSettings};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Bytes that a segment adds to the records of one batch.
const OVERHEAD: usize = 64;

pub(super) fn requeue(args: &SpoolRequeue) -> Result<ExitCode, CliError> {
    exists(&args.outbox)?;
    let ids: BTreeSet<String> = args.id.iter().cloned().collect();
    let ids = (!args.all).then_some(&ids);
    let records = repair::requeue(&args.outbox, settings(), &args.channel, ids).map_err(fault)?;
    let from = &args.channel;
    crate::files::print(&format!("{records} dead letters of {from} are in the outbox again\n"))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn purge(args: &SpoolPurge) -> Result<ExitCode, CliError> {
    exists(&args.outbox)?;
    let dir = &args.outbox;
    let of = args.channel.as_deref().map_or("all channels".to_owned(), |name| name.to_owned());
    let what = if args.dead_letters {
        format!("the dead letters of {of}")
    } else if args.delivered {
        "the segments that every channel has passed".to_owned()
    } else if args.quarantined {
        "the damaged segments that were set aside".to_owned()
    } else {
        format!("the place of channel {of}, and the records that only it has not had")
    };
    if let Some(channel) = &args.channel
        && !args.dead_letters
    {
        super::open(dir)?.waiting(channel).map_err(super::fault)?;
    }
    if !args.yes {
        confirm(&what)?;
    }
    let done = if args.dead_letters {
        repair::purge_dead_letters(dir, settings(), args.channel.as_deref())
            .map(|records| format!("{records} dead letters removed"))
    } else if args.delivered {
        repair::purge_delivered(dir, settings()).map(|bytes| format!("{bytes} bytes removed"))
    } else if args.quarantined {
        repair::purge_quarantined(dir, settings()).map(|files| format!("{files} files removed"))
    } else {
        let channel = args.channel.as_deref().unwrap_or_default();
        repair::forget_channel(dir, settings(), channel).map(|()| format!("{channel} forgotten"))
    };
    crate::files::print(&(done.map_err(fault)? + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Opening makes an outbox where there is none, which is not what is meant here.
fn exists(dir: &Path) -> Result<(), CliError> {
    Archive::open(dir).map(drop).map_err(super::fault)
}

/// Bounds that take every record that a gateway with other settings took.
fn settings() -> OutboxSettings {
    let plain = OutboxSettings::default();
    OutboxSettings { record_bytes: plain.queue_bytes - OVERHEAD, min_free_bytes: 0, ..plain }
}

fn confirm(what: &str) -> Result<(), CliError> {
    let stop = |text: &str| Err(CliError::Usage(text.to_owned()));
    if !io::stdin().is_terminal() {
        return stop(&format!("this removes {what}; say --yes"));
    }
    eprint!("Remove {what}? [y/N] ");
    let mut answer = String::new();
    let read = io::stderr().flush().and_then(|()| io::stdin().read_line(&mut answer));
    match (read, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => stop("nothing was removed"),
    }
}

fn fault(error: RepairError) -> CliError {
    match error {
        RepairError::Open(OpenError::Locked { dir }) => CliError::Unavailable {
            what: "change the outbox while a gateway runs; stop it first".to_owned(),
            source: OpenError::Locked { dir }.into(),
        },
        RepairError::NoLetter { .. } => CliError::Usage(format!("failed to {error}")),
        RepairError::Io { action, file, source } => CliError::File { action, path: file, source },
        error => {
            CliError::Unavailable { what: "change the outbox".to_owned(), source: error.into() }
        }
    }
}
