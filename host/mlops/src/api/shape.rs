//! What answers have in common.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{App, Fault};

/// A call whose body or query is read by serde, with our faults.
pub(super) type Queried<T> = Result<Query<T>, QueryRejection>;
/// A body of JSON, with our faults.
pub(super) type Body<T> = Result<Json<T>, axum::extract::rejection::JsonRejection>;

/// Which part of a list.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Page {
    pub(super) offset: usize,
    pub(super) limit: Option<usize>,
}

/// A part of a list, and where the next one is: a path with a query, which is true under every name of this server.
pub(super) fn page<T: Serialize>(
    app: &App,
    path: &str,
    page: Page,
    all: impl ExactSizeIterator<Item = T>,
) -> Result<Json<Value>, Fault> {
    let limit = page.limit.unwrap_or(100);
    if limit == 0 || limit > app.limits.page {
        return Err(Fault::field("limit", format!("must be 1 to {}", app.limits.page)));
    }
    let total = all.len();
    let data: Vec<T> = all.skip(page.offset).take(limit).collect();
    let link = |offset: usize| format!("/api/v2/{path}/?offset={offset}&limit={limit}");
    let end = page.offset.saturating_add(limit);
    let next = (end < total).then(|| link(end));
    let previous = (page.offset > 0).then(|| link(page.offset.saturating_sub(limit)));
    Ok(Json(json!({
        "data": data,
        "count": data.len(),
        "totalCount": total,
        "next": next,
        "previous": previous,
    })))
}

/// A moment, from microseconds since 1970.
pub(super) fn moment(us: i64) -> Value {
    json!(crate::report::Moment(us))
}
