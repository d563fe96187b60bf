//! By what name the client calls this server, and what it asked for: what links to other pages and jobs begin with.
//!
//! These are the only places where an answer holds an address of this server, because clients of the service follow them
//! as they are.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;

/// By which scheme the client has called a proxy.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// How the client calls this server; a proxy before it says whether that is by TLS.
pub(crate) fn origin(headers: &HeaderMap) -> Option<String> {
    let host: Authority = headers.get(HOST)?.to_str().ok()?.parse().ok()?;
    let secure = headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme == "https");
    Some(format!("{}://{host}", if secure { "https" } else { "http" }))
}

/// Where a request came to.
#[derive(Debug)]
pub(super) struct Here {
    /// The address; empty for a client that named no host.
    origin: String,
    path: String,
    /// What else was asked, without which part of the list.
    filters: Vec<String>,
}

impl Here {
    /// The address of another part of the list, with everything else that was asked.
    pub(super) fn part(&self, offset: usize, limit: usize) -> String {
        let part = [format!("offset={offset}"), format!("limit={limit}")];
        let query: Vec<&str> = self.filters.iter().chain(&part).map(String::as_str).collect();
        format!("{}{}?{}", self.origin, self.path, query.join("&"))
    }

    /// The address of something else.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

impl<S: Sync> FromRequestParts<S> for Here {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let is_filter = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            !pair.is_empty() && name != "offset" && name != "limit"
        };
        let query = parts.uri.query().unwrap_or_default();
        let slash = if parts.uri.path().ends_with('/') { "" } else { "/" };
        Ok(Self {
            origin: origin(&parts.headers).unwrap_or_default(),
            path: format!("{}{slash}", parts.uri.path()),
            filters: query.split('&').filter(is_filter).map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn here(uri: &str, host: Option<&str>) -> Here {
        let mut request = axum::http::Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        Here::from_request_parts(&mut parts, &()).await.unwrap()
    }

    #[tokio::test]
    async fn another_part_of_a_list_keeps_what_was_asked() {
        let list = here("/api/v2/deployments?limit=2&search=a%20b&&offset=4", Some("a:1")).await;
        let next = "http://a:1/api/v2/deployments/?search=a%20b&offset=6&limit=2";
        assert_eq!(list.part(6, 2), next);
        let list = here("/api/v2/deployments/", None).await;
        assert_eq!(list.part(0, 1), "/api/v2/deployments/?offset=0&limit=1");
    }
}
