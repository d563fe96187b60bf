//! The pages beside `/predict`: what is here, whether it lives, whether it is ready, what it counts.

use std::sync::Arc;

use hyper::{StatusCode, header::HeaderValue};
use serde_json::json;
use spool::ChannelStatus;

use crate::{
    answer::{self, Answer},
    fault::Fault,
    fleet::{Readiness, Slot},
    metrics,
    state::State,
};

/// What can be called here.
pub(crate) fn index(state: &Arc<State>) -> Result<Answer, Fault> {
    page(
        StatusCode::OK,
        &json!({
            "service": "outpost gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "name": state.settings.name,
            "default": state.slots.load().default().map(|slot| &*slot.id),
            "deployments": deployments(state),
            "call": {
                "predict": "GET or POST /predict with features as query, form, JSON or CSV",
                "actuals": "POST /actuals with associationId and actualValue, the same ways",
                "deployment": "/deployments/{id}/predict, /deployments/{id}/actuals",
                "health": "GET /healthz",
                "readiness": "GET /readyz",
                "metrics": "GET /metrics",
            },
        }),
    )
}

/// Which package serves where.
fn deployments(state: &State) -> Vec<serde_json::Value> {
    let slots = state.slots.load();
    let one = |slot: &Arc<Slot>| {
        let lineup = slot.lineup.load();
        json!({
            "id": &*slot.id,
            "model": lineup.champion.as_ref().map(|champion| &champion.serving.digest),
        })
    };
    slots.sorted().into_iter().map(one).collect()
}

/// The process lives.
pub(crate) fn health(_: &Arc<State>) -> Result<Answer, Fault> {
    page(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Requests may come: 200, or 503 with the reasons.
pub(crate) fn ready(state: &Arc<State>) -> Result<Answer, Fault> {
    let channels = state.rooms.as_ref().map(|rooms| (rooms.channels)()).unwrap_or_default();
    let Readiness { reasons, warnings } = Readiness::of(state, &channels);
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    page(
        status,
        &json!({
            "ready": ready,
            "deployments": deployments(state),
            "reasons": reasons,
            "warnings": warnings,
            "channels": channels.iter().map(channel).collect::<Vec<_>>(),
        }),
    )
}

/// How a channel is. None of them stops predictions, so none of them is a reason not to be ready.
fn channel(status: &ChannelStatus) -> serde_json::Value {
    json!({
        "name": status.channel,
        "waitingRecords": status.waiting_records,
        "paused": status.paused.is_some(),
        "lastError": status.last_error,
    })
}

/// Metrics in the text form of Prometheus.
pub(crate) fn metrics(state: &Arc<State>) -> Result<Answer, Fault> {
    let text = metrics::text(state).map_err(|error| Fault::Host(Box::new(error)))?;
    let content_type = HeaderValue::from_static(metrics::CONTENT_TYPE);
    Ok(answer::with_type(StatusCode::OK, content_type, text.into_bytes()))
}

fn page(status: StatusCode, body: &serde_json::Value) -> Result<Answer, Fault> {
    let mut text = serde_json::to_vec_pretty(body).map_err(|error| Fault::Host(Box::new(error)))?;
    text.push(b'\n');
    Ok(answer::json(status, text))
}
