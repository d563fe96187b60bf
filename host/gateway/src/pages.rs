//! The pages beside `/predict`: what is here, whether it lives, whether it is ready, what it counts.

use std::sync::Arc;

use hyper::{StatusCode, header::HeaderValue};
use serde_json::json;
use spool::ChannelStatus;

use crate::{
    answer::{self, Answer},
    fault::Fault,
    metrics,
    settings::RecordClass,
    state::State,
};

/// What can be called here.
pub(crate) fn index(state: &Arc<State>) -> Result<Answer, Fault> {
    let serving = &state.serving;
    page(
        StatusCode::OK,
        &json!({
            "service": "outpost gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "deployment": serving.id,
            "model": serving.digest,
            "call": {
                "predict": "GET or POST /predict with features as query, form, JSON or CSV",
                "deployment": format!("GET or POST /deployments/{}/predict", serving.id),
                "health": "GET /healthz",
                "readiness": "GET /readyz",
                "metrics": "GET /metrics",
            },
        }),
    )
}

/// The process lives.
pub(crate) fn health(_: &Arc<State>) -> Result<Answer, Fault> {
    page(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Requests may come: 200, or 503 with the reasons.
///
/// An outbox that does not take records stops only deployments whose answers wait for it; the others go on scoring, count
/// what they cannot record, and say so here.
pub(crate) fn ready(state: &Arc<State>) -> Result<Answer, Fault> {
    let mut reasons = Vec::new();
    let mut warnings = Vec::new();
    if state.is_draining() {
        reasons.push("the gateway is shutting down".to_owned());
    }
    if let Some(trouble) = state.outbox.as_ref().and_then(|outbox| outbox.trouble()) {
        let list = match state.serving.settings.record_class {
            RecordClass::Durable => &mut reasons,
            RecordClass::Observe => &mut warnings,
        };
        list.push(format!("outbox: {trouble}"));
    }
    let channels = state.rooms.as_ref().map(|rooms| (rooms.channels)()).unwrap_or_default();
    for channel in &channels {
        if let Some(why) = &channel.paused {
            warnings.push(format!("channel {}: {why}", channel.channel));
        }
    }
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    page(
        status,
        &json!({
            "ready": ready,
            "deployment": state.serving.id,
            "model": state.serving.digest,
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
