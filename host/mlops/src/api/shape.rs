//! What answers have in common.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::here::Here;
use super::{App, Fault};

/// A call whose body or query is read by serde, with our faults.
pub(super) type Queried<T> = Result<Query<T>, QueryRejection>;
/// A body of JSON, with our faults.
pub(super) type Body<T> = Result<Json<T>, axum::extract::rejection::JsonRejection>;

/// Entries of a list in one answer when nobody says.
const PAGE: usize = 100;

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Page {
    /// Entries before the first one.
    pub(super) offset: usize,
    /// Entries in one answer, 100 when it is not said; 0 for as many as there may be.
    pub(super) limit: Option<usize>,
    /// A part of a name in either case, or a whole id.
    search: Option<String>,
}

impl Page {
    /// Whether a thing with this id and these names is looked for.
    pub(super) fn finds(&self, id: &str, names: &[&str]) -> bool {
        let Some(search) = &self.search else { return true };
        let lower = search.to_lowercase();
        id == search || names.iter().any(|name| name.to_lowercase().contains(&lower))
    }
}

/// A part of a list, and where the next one is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}List")]
pub(super) struct List<T> {
    /// The entries of this part.
    data: Vec<T>,
    /// How many they are.
    count: usize,
    /// How many there are in all parts.
    total_count: usize,
    /// The address of the next part; null in the last one.
    next: Option<String>,
    /// The address of the part before; null in the first one.
    previous: Option<String>,
}

/// A part of a list, by what was asked.
pub(super) fn page<T>(
    app: &App,
    here: &Here,
    page: &Page,
    all: impl ExactSizeIterator<Item = T>,
) -> Result<List<T>, Fault> {
    let limit = match page.limit.unwrap_or(PAGE) {
        0 => app.limits.page,
        limit => limit,
    };
    if limit > app.limits.page {
        let reason = format!("must be at most {}; 0 is as many as there may be", app.limits.page);
        return Err(Fault::field("limit", reason));
    }
    let total_count = all.len();
    let data: Vec<T> = all.skip(page.offset).take(limit).collect();
    let end = page.offset.saturating_add(limit);
    let next = (end < total_count).then(|| here.part(end, limit));
    let before = page.offset.saturating_sub(limit);
    let previous = (page.offset > 0).then(|| here.part(before, limit));
    Ok(List { count: data.len(), data, total_count, next, previous })
}
