//! What each route does: read what the request says, call the fleet on a thread that may wait, tell what came of it.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use engine::Package;
use gateway::fleet::{Change, ChangeError, ChangeFault, Event, Place, Push};
use hyper::{
    HeaderMap, StatusCode,
    body::Incoming,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, TRANSFER_ENCODING},
    http::request::Parts,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use tracing::{error, info};

use crate::{
    answer::{self, Answer},
    body::{self, Limit},
    guard::Caller,
    openapi,
    operate::Operate,
    problem::Problem,
    routes::Action,
    server::Room,
};

/// A detached signature: the bytes of PACKAGE.sig in base64.
const X_OUTPOST_SIGNATURE: HeaderName = HeaderName::from_static("x-outpost-signature");
/// Bytes of a JSON body; 413 above.
pub(crate) const JSON_BYTES_MAX: usize = 64 << 10;
const WASM: &str = "application/wasm";
const JSON: &str = "application/json";

/// A request that was let in.
pub(crate) struct Request<'a> {
    pub(crate) caller: Caller,
    pub(crate) action: Action,
    /// The path's parameters.
    pub(crate) values: Vec<String>,
    pub(crate) parts: &'a Parts,
    pub(crate) body: &'a mut Incoming,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Promote {
    challenger: Option<String>,
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    share: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Default_ {
    deployment: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    filter: String,
}

/// What the query of an upload says.
#[derive(Debug, Default, PartialEq)]
struct Upload {
    canary: Option<f64>,
    force: bool,
}

/// Does what a request asks for.
pub(crate) async fn act(room: &Arc<Room>, mut request: Request<'_>) -> Result<Answer, Problem> {
    let mut values = std::mem::take(&mut request.values).into_iter();
    let id = values.next().unwrap_or_default();
    let name = values.next().unwrap_or_default();
    let by = request.caller.name.clone();
    match request.action {
        Action::Page => Ok(room.page.answer()),
        Action::OpenApi => Ok(answer::with_type(StatusCode::OK, JSON, openapi::DOCUMENT)),
        Action::Status => answer::json(&room.call(|fleet| fleet.report()).await?),
        Action::Deployments => answer::json(&room.call(|fleet| fleet.report().deployments).await?),
        Action::Deployment => {
            let of = id.clone();
            let found = room.call(move |fleet| fleet.deployment(&of)).await?;
            answer::json(&found.ok_or_else(|| Problem::no_deployment(&id))?)
        }
        Action::Events => {
            let of = deployment_of_query(request.parts.uri.query().unwrap_or_default())?;
            answer::json(&room.call(move |fleet| fleet.events(of.as_deref())).await?)
        }
        Action::Deploy | Action::AddChallenger => push(room, request, id, name).await,
        Action::Promote => {
            let Promote { challenger, force } = if has_body(&request.parts.headers) {
                read_json(&mut request, room).await?
            } else {
                Promote { challenger: None, force: false }
            };
            change(room, move |fleet| fleet.promote(&id, challenger.as_deref(), force, &by)).await
        }
        Action::Rollback => change(room, move |fleet| fleet.rollback(&id, &by)).await,
        Action::SetCanary => {
            let Share { share } = read_json(&mut request, room).await?;
            let share = check_share("share", share)?;
            change(room, move |fleet| fleet.set_canary_share(&id, share, &by)).await
        }
        Action::AbortCanary => change(room, move |fleet| fleet.abort_canary(&id, &by)).await,
        Action::RemoveChallenger => {
            change(room, move |fleet| fleet.remove_challenger(&id, &name, &by)).await
        }
        Action::Remove => change(room, move |fleet| fleet.remove(&id, &by)).await,
        Action::SetDefault => {
            let Default_ { deployment } = read_json(&mut request, room).await?;
            change(room, move |fleet| fleet.set_default(&deployment, &by)).await
        }
        Action::Drain => switch(room, "drain", None, by).await,
        Action::Resume => switch(room, "resume", None, by).await,
        Action::DrainOne => switch(room, "drain", Some(id), by).await,
        Action::ResumeOne => switch(room, "resume", Some(id), by).await,
        Action::Log => {
            let Log { filter } = read_json(&mut request, room).await?;
            set_log(room, filter, by).await
        }
    }
}

/// Receives a package and puts it into a deployment.
async fn push(
    room: &Arc<Room>,
    request: Request<'_>,
    deployment: String,
    name: String,
) -> Result<Answer, Problem> {
    let Request { caller, action, parts, body, .. } = request;
    let upload = Upload::of(parts.uri.query().unwrap_or_default(), action == Action::Deploy)?;
    let place = match (action, upload.canary) {
        (Action::AddChallenger, _) => Place::Challenger(name),
        (_, Some(share)) => Place::Canary(share),
        (_, None) => Place::Champion,
    };
    check_media(&parts.headers, WASM)?;
    let signature = signature(&parts.headers)?;
    // Held until the package is loaded: that takes more memory than receiving it.
    let turn = Arc::clone(&room.uploads).try_acquire_owned().map_err(|_| Problem::busy())?;
    let limit = Limit {
        bytes: room.settings.package_bytes,
        time: room.settings.body_time,
        setting: Some("admin.package_bytes_max"),
    };
    let bytes = body::read(body, limit).await?;
    let by = caller.name;
    let pushed = room.call(move |fleet| {
        let _turn = turn;
        let package = Package::parse(bytes).map_err(|error| {
            info!(deployment, by, %error, "What was sent is no model package");
            Problem::package(&error)
        })?;
        fleet
            .push(Push { deployment, package, signature, place, force: upload.force, by })
            .map_err(refused)
    });
    changed(pushed.await??)
}

impl Upload {
    fn of(query: &str, takes_canary: bool) -> Result<Self, Problem> {
        let mut upload = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "canary" if takes_canary => {
                    let share = value.parse().map_err(|_| wrong_share("canary"))?;
                    upload.canary = Some(check_share("canary", share)?);
                }
                "force" => {
                    let wrong = |_| Problem::invalid("force", "must be true or false");
                    upload.force = value.parse().map_err(wrong)?;
                }
                _ => {
                    let takes = if takes_canary { "canary and force" } else { "force" };
                    return Err(Problem::invalid(
                        "query",
                        format!("may have {takes}, and not {key:?}"),
                    ));
                }
            }
        }
        Ok(upload)
    }
}

fn deployment_of_query(query: &str) -> Result<Option<String>, Problem> {
    let mut of = None;
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        if key != "deployment" {
            return Err(Problem::invalid("query", format!("may have deployment, and not {key:?}")));
        }
        of = Some(value.into_owned());
    }
    Ok(of)
}

fn check_share(field: &'static str, share: f64) -> Result<f64, Problem> {
    if share > 0.0 && share < 1.0 { Ok(share) } else { Err(wrong_share(field)) }
}

fn wrong_share(field: &'static str) -> Problem {
    Problem::invalid(field, "must be a share of the requests above 0 and below 1, as 0.05")
}

fn signature(headers: &HeaderMap) -> Result<Option<Vec<u8>>, Problem> {
    let wrong = || {
        Problem::invalid("X-Outpost-Signature", "must be the bytes of PACKAGE.sig in base64, once")
    };
    let mut given = headers.get_all(X_OUTPOST_SIGNATURE).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(text), None) => STANDARD.decode(text.as_bytes()).map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// Whether a body follows, also an empty one whose length is not said.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

fn check_media(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let mut given = headers.get_all(CONTENT_TYPE).iter();
    let fits = match (given.next(), given.next()) {
        (Some(given), None) => given.to_str().is_ok_and(|given| {
            given.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(expected))
        }),
        _ => false,
    };
    if fits { Ok(()) } else { Err(Problem::media(expected)) }
}

async fn read_json<T: DeserializeOwned>(
    request: &mut Request<'_>,
    room: &Room,
) -> Result<T, Problem> {
    check_media(&request.parts.headers, JSON)?;
    let limit = Limit { bytes: JSON_BYTES_MAX, time: room.settings.body_time, setting: None };
    let bytes = body::read(request.body, limit).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::invalid("body", format!("does not fit: {error}")))
}

async fn change(
    room: &Arc<Room>,
    call: impl FnOnce(&dyn Operate) -> Result<Change, ChangeError> + Send + 'static,
) -> Result<Answer, Problem> {
    changed(room.call(|fleet| call(fleet).map_err(refused)).await??)
}

fn changed(change: Change) -> Result<Answer, Problem> {
    answer::json(&change)
}

/// Takes a deployment, or the whole gateway, out of service or back.
async fn switch(
    room: &Arc<Room>,
    action: &'static str,
    deployment: Option<String>,
    by: String,
) -> Result<Answer, Problem> {
    let of = deployment.clone();
    let call = move |fleet: &dyn Operate| match action {
        "drain" => fleet.drain(of.as_deref(), &by),
        _ => fleet.resume(of.as_deref(), &by),
    };
    room.call(move |fleet| call(fleet).map_err(refused)).await??;
    answer::json(&json!({ "deployment": deployment, "action": action }))
}

async fn set_log(room: &Arc<Room>, filter: String, by: String) -> Result<Answer, Problem> {
    let done = (room.hooks.set_log)(&filter);
    let event = Event {
        at: jiff::Timestamp::now().to_string(),
        deployment: None,
        action: "log-level",
        by,
        from: None,
        to: None,
        done: done.is_ok(),
        message: Some(filter.clone()),
    };
    room.call(move |fleet| fleet.note(event)).await?;
    done.map_err(|why| Problem::invalid("filter", format!("is no log filter: {why}")))?;
    answer::json(&json!({ "filter": filter, "action": "log-level" }))
}

fn refused(error: ChangeError) -> Problem {
    if error.fault() == ChangeFault::Host {
        error!(%error, "A change failed");
    }
    Problem::change(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_an_upload_says_what_it_may() {
        let of = |query| Upload::of(query, true).ok();
        assert_eq!(of(""), Some(Upload::default()));
        assert_eq!(of("canary=0.05&force=true"), Some(Upload { canary: Some(0.05), force: true }));
        assert_eq!(of("force=false"), Some(Upload::default()));
        for wrong in [
            "canary=0",
            "canary=1",
            "canary=5%25",
            "canary=nan",
            "canary=-1",
            "force=yes",
            "force",
            "canry=0.1",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert!(Upload::of("canary=0.05", false).is_err());
        assert!(Upload::of("force=true", false).is_ok());
    }
}
