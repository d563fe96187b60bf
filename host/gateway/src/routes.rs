//! Which path is answered by what.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use hyper::{Method, Request, body::Incoming};
use percent_encoding::percent_decode_str;

use crate::{
    actuals::actuals,
    answer::{self, Answer},
    fault::Fault,
    fleet::{Lineup, Slot},
    metrics::Route,
    pages,
    predict::predict,
    problem::Problem,
    request_id::RequestId,
    state::State,
};

/// What a deployment can be asked for.
#[derive(Clone, Copy, Debug)]
enum Call {
    Predict,
    Actuals,
}

/// Answers one request.
pub(crate) async fn answer(state: &Arc<State>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path();
    let (route, answer) = match path {
        "/" => (Route::Index, page(state, &request, pages::index)),
        "/healthz" => (Route::Health, page(state, &request, pages::health)),
        "/readyz" => (Route::Ready, page(state, &request, pages::ready)),
        "/metrics" => (Route::Metrics, page(state, &request, pages::metrics)),
        _ => match of_deployment(state, path) {
            Some((Call::Predict, slot)) => (Route::Predict, predicted(state, slot, request).await),
            Some((Call::Actuals, slot)) => (Route::Actuals, told(state, slot, request).await),
            None => (Route::Other, refuse(state, &request, &Fault::NoRoute)),
        },
    };
    state.metrics.answered(route, answer.status());
    answer
}

/// What a path asks a deployment for, and the deployment, if there is one.
fn of_deployment(state: &State, path: &str) -> Option<(Call, Option<Arc<Slot>>)> {
    let call = |name| match name {
        "predict" => Some(Call::Predict),
        "actuals" => Some(Call::Actuals),
        _ => None,
    };
    let rest = path.strip_prefix('/')?;
    if let Some(call) = call(rest) {
        return Some((call, state.slots.load().default().cloned()));
    }
    let (id, name) = rest.strip_prefix("deployments/")?.rsplit_once('/')?;
    let call = call(name).filter(|_| !id.is_empty() && !id.contains('/'))?;
    let id = percent_decode_str(id).decode_utf8_lossy();
    Some((call, state.slots.load().get(&id).cloned()))
}

/// The deployment when it takes requests, and who takes part in it.
fn open(
    state: &State,
    slot: Option<Arc<Slot>>,
    request: &Request<Incoming>,
    methods: &[Method],
    allow: &'static str,
) -> Result<(Arc<Slot>, Arc<Lineup>), Fault> {
    let slot = slot.ok_or(Fault::NoDeployment)?;
    if !methods.contains(request.method()) {
        return Err(Fault::Method { allow });
    }
    if state.paused.load(Relaxed) || slot.draining.load(Relaxed) {
        return Err(Fault::Draining);
    }
    let lineup = slot.lineup.load_full();
    if lineup.champion.is_none() {
        return Err(Fault::NoModel);
    }
    Ok((slot, lineup))
}

async fn predicted(
    state: &Arc<State>,
    slot: Option<Arc<Slot>>,
    request: Request<Incoming>,
) -> Answer {
    match open(state, slot, &request, &[Method::GET, Method::POST], "GET, POST") {
        Ok((slot, lineup)) => predict(state, slot, lineup, request).await,
        Err(fault) => refuse(state, &request, &fault),
    }
}

async fn told(state: &Arc<State>, slot: Option<Arc<Slot>>, request: Request<Incoming>) -> Answer {
    let open = open(state, slot, &request, &[Method::POST], "POST");
    match open.map(|(_, lineup)| lineup.champion.as_ref().map(|it| Arc::clone(&it.serving))) {
        Ok(Some(serving)) => actuals(state, serving, request).await,
        Ok(None) => refuse(state, &request, &Fault::NoModel),
        Err(fault) => refuse(state, &request, &fault),
    }
}

/// Answers a `GET` or `HEAD` with a page; hyper leaves the body of a `HEAD` out.
fn page(
    state: &Arc<State>,
    request: &Request<Incoming>,
    page: fn(&Arc<State>) -> Result<Answer, Fault>,
) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refuse(state, request, &Fault::Method { allow: "GET, HEAD" });
    }
    page(state).unwrap_or_else(|fault| refuse(state, request, &fault))
}

fn refuse(state: &State, request: &Request<Incoming>, fault: &Fault) -> Answer {
    let problem = Problem::of(fault);
    state.metrics.refused(problem.kind);
    let id = match RequestId::of(request.headers()) {
        Ok(Some(id)) => id,
        _ => state.ids.next(),
    };
    answer::problem(fault, &problem, &id)
}
