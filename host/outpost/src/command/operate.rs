//! The commands for operators: each is one call of a running gateway's admin API.

mod client;
mod status;
mod upload;

use crate::cli::{
    AddChallenger, Canary, Challenger, Deploy, OfAny, OfDeployment, Operate, Promote, Remote,
    RemoveChallenger, Sent, ShareOrAbort,
};
use crate::error::CliError;
use crate::trust::signature_beside;
use crate::{draw, files};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use client::{Call, Client};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::process::ExitCode;

/// What an id in a path is written in.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(crate) fn run(command: &Operate) -> Result<ExitCode, CliError> {
    match command {
        Operate::Status(args) => status::run(args),
        Operate::Deploy(args) => deploy(args),
        Operate::Promote(args) => promote(args),
        Operate::Rollback(OfDeployment { deployment, remote }) => change(
            remote,
            Call::post(format!("{}/rollback", path(deployment)), format!("roll {deployment} back")),
        ),
        Operate::Canary(args) => canary(args),
        Operate::Challenger(Challenger::Add(args)) => add_challenger(args),
        Operate::Challenger(Challenger::Remove(args)) => {
            let RemoveChallenger { deployment, name, remote } = args;
            let what = format!("remove challenger {name} of {deployment}");
            change(remote, Call::delete(challenger_path(deployment, name), what))
        }
        Operate::Undeploy(OfDeployment { deployment, remote }) => {
            change(remote, Call::delete(path(deployment), format!("remove {deployment}")))
        }
        Operate::Default(OfDeployment { deployment, remote }) => {
            let call =
                Call::put("/api/v1/default".into(), format!("make {deployment} the default"));
            change(remote, call.json(&json!({ "deployment": deployment })))
        }
        Operate::Drain(args) => switch(args, "drain", "takes no requests until `outpost resume`"),
        Operate::Resume(args) => switch(args, "resume", "takes requests again"),
        Operate::LogLevel(args) => {
            let call = Call::put("/api/v1/log".into(), "change the log".into());
            Client::new(&args.remote)?.call(call.json(&json!({ "filter": args.filter })))?;
            say(&format!("the gateway logs {} until its next start\n", draw::plain(&args.filter)))
        }
    }
}

fn path(deployment: &str) -> String {
    format!("/api/v1/deployments/{}", utf8_percent_encode(deployment, SEGMENT))
}

fn challenger_path(deployment: &str, name: &str) -> String {
    format!("{}/challengers/{}", path(deployment), utf8_percent_encode(name, SEGMENT))
}

fn deploy(args: &Deploy) -> Result<ExitCode, CliError> {
    let Deploy { deployment, sent, canary, remote } = args;
    let mut query = vec![];
    query.extend(canary.map(|share| format!("canary={share}")));
    query.extend(sent.force.then(|| "force=true".to_owned()));
    let mut target = format!("{}/deploy", path(deployment));
    if !query.is_empty() {
        target = format!("{target}?{}", query.join("&"));
    }
    let what = format!("deploy {} to {deployment}", sent.package.display());
    change(remote, package(sent, Call::post(target, what))?)
}

fn add_challenger(args: &AddChallenger) -> Result<ExitCode, CliError> {
    let AddChallenger { deployment, sent, name, remote } = args;
    let of_file = || sent.package.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = name.clone().or_else(of_file).unwrap_or_default();
    let mut target = challenger_path(deployment, &name);
    if sent.force {
        target.push_str("?force=true");
    }
    let what = format!("add challenger {name} to {deployment}");
    change(remote, package(sent, Call::put(target, what))?)
}

/// Adds the package and the signature that came apart from it.
fn package(sent: &Sent, call: Call) -> Result<Call, CliError> {
    let package = super::open_package(&sent.package)?;
    let beside = signature_beside(&sent.package);
    let signature = match &sent.signature {
        Some(path) => Some(files::read(path)?),
        None if beside.exists() => Some(files::read(&beside)?),
        None => None,
    };
    Ok(call.package(package.into_bytes(), signature.map(|bytes| STANDARD.encode(bytes))))
}

fn promote(args: &Promote) -> Result<ExitCode, CliError> {
    let Promote { deployment, challenger, force, remote } = args;
    let what = match challenger {
        Some(name) => format!("promote challenger {name} of {deployment}"),
        None => format!("promote the canary of {deployment}"),
    };
    let call = Call::post(format!("{}/promote", path(deployment)), what);
    change(remote, call.json(&json!({ "challenger": challenger, "force": force })))
}

fn canary(args: &Canary) -> Result<ExitCode, CliError> {
    let Canary { deployment, share, remote } = args;
    let target = format!("{}/canary", path(deployment));
    let call = match share {
        ShareOrAbort::Abort => Call::delete(target, format!("end the canary of {deployment}")),
        ShareOrAbort::Share(share) => {
            Call::put(target, format!("change the canary of {deployment}"))
                .json(&json!({ "share": share }))
        }
    };
    change(remote, call)
}

fn switch(args: &OfAny, action: &str, so: &str) -> Result<ExitCode, CliError> {
    let (target, who) = match &args.deployment {
        Some(id) => (format!("{}/{action}", path(id)), format!("deployment {id}")),
        None => (format!("/api/v1/{action}"), "the gateway".to_owned()),
    };
    Client::new(&args.remote)?.call(Call::post(target, format!("{action} {who}")))?;
    say(&format!("{} {so}\n", draw::plain(&who)))
}

/// Makes a change and says what it was.
fn change(remote: &Remote, call: Call) -> Result<ExitCode, CliError> {
    let change = Client::new(remote)?.call(call)?;
    say(&tell(&change))
}

fn tell(change: &Value) -> String {
    let text = |key: &str| draw::plain(change[key].as_str().unwrap_or("none"));
    let mut out = format!("{}: {}\n", text("deployment"), text("action"));
    // A change of the gateway itself has neither.
    let moved = !(change["from"].is_null() && change["to"].is_null());
    for key in ["from", "to"].into_iter().filter(|_| moved) {
        out.push_str(&format!("  {key:<5} {}\n", text(key)));
    }
    for warning in change["warnings"].as_array().into_iter().flatten() {
        out.push_str(&format!("  note  {}\n", draw::plain(warning.as_str().unwrap_or_default())));
    }
    out
}

fn say(text: &str) -> Result<ExitCode, CliError> {
    files::print(text)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_segment_of_a_path() {
        assert_eq!(path("ward-3.b_1"), "/api/v1/deployments/ward-3.b_1");
        assert_eq!(challenger_path("a/b", "ü?"), "/api/v1/deployments/a%2Fb/challengers/%C3%BC%3F");
    }

    #[test]
    fn a_change_is_told_whole_and_plain() {
        let change = json!({
            "deployment": "d", "action": "deploy", "from": null, "to": "sha256:1", "warnings": ["new \u{1b}[31mfeature"]
        });
        assert_eq!(
            tell(&change),
            "d: deploy\n  from  none\n  to    sha256:1\n  note  new \u{fffd}[31mfeature\n"
        );
    }
}
