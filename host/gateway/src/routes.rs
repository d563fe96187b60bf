//! Which path is answered by what.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use hyper::{Method, Request, body::Incoming};
use percent_encoding::percent_decode_str;

use crate::{
    answer::{self, Answer},
    fault::Fault,
    fleet::Slot,
    metrics::Route,
    pages,
    predict::predict,
    problem::Problem,
    request_id::RequestId,
    state::State,
};

/// Answers one request.
pub(crate) async fn answer(state: &Arc<State>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path();
    let (route, answer) = match path {
        "/predict" => {
            let slot = state.slots.load().default().cloned();
            (Route::Predict, predicted(state, slot, request).await)
        }
        "/" => (Route::Index, page(state, &request, pages::index)),
        "/healthz" => (Route::Health, page(state, &request, pages::health)),
        "/readyz" => (Route::Ready, page(state, &request, pages::ready)),
        "/metrics" => (Route::Metrics, page(state, &request, pages::metrics)),
        _ => {
            match path.strip_prefix("/deployments/").and_then(|rest| rest.strip_suffix("/predict"))
            {
                Some(id) if !id.is_empty() && !id.contains('/') => {
                    let id = percent_decode_str(id).decode_utf8_lossy();
                    let slot = state.slots.load().get(&id).cloned();
                    (Route::Predict, predicted(state, slot, request).await)
                }
                _ => (Route::Other, refuse(state, &request, &Fault::NoRoute)),
            }
        }
    };
    state.metrics.answered(route, answer.status());
    answer
}

async fn predicted(
    state: &Arc<State>,
    slot: Option<Arc<Slot>>,
    request: Request<Incoming>,
) -> Answer {
    let Some(slot) = slot else { return refuse(state, &request, &Fault::NoDeployment) };
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return refuse(state, &request, &Fault::Method { allow: "GET, POST" });
    }
    if state.paused.load(Relaxed) || slot.draining.load(Relaxed) {
        return refuse(state, &request, &Fault::Draining);
    }
    let lineup = slot.lineup.load_full();
    match lineup.champion {
        Some(_) => predict(state, slot, lineup, request).await,
        None => refuse(state, &request, &Fault::NoModel),
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
