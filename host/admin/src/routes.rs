//! Every route there is, in one table: what is served, what the OpenAPI document lists, and who may call it.

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::{problem::Problem, tokens::Scope};

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Page,
    OpenApi,
    Status,
    Events,
    Deployments,
    Deployment,
    Deploy,
    Promote,
    Rollback,
    SetCanary,
    AbortCanary,
    AddChallenger,
    RemoveChallenger,
    Remove,
    SetDefault,
    Drain,
    Resume,
    DrainOne,
    ResumeOne,
    Log,
}

/// A path and a method.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// With parameters as `{name}`, each a whole segment.
    pub(crate) path: &'static str,
    /// The least that a caller must be allowed; none where nobody is asked.
    pub(crate) scope: Option<Scope>,
    pub(crate) action: Action,
}

const fn route(method: Method, path: &'static str, scope: Scope, action: Action) -> Route {
    Route { method, path, scope: Some(scope), action }
}

/// Every route.
pub(crate) static ROUTES: [Route; 20] = {
    use Action::*;
    const ONE: &str = "/api/v1/deployments/{id}";
    const CANARY: &str = "/api/v1/deployments/{id}/canary";
    const CHALLENGER: &str = "/api/v1/deployments/{id}/challengers/{name}";
    [
        // The page holds nothing: its script asks for what it shows, with a token.
        Route { method: Method::GET, path: "/", scope: None, action: Page },
        route(Method::GET, "/openapi.json", Scope::Read, OpenApi),
        route(Method::GET, "/api/v1/status", Scope::Read, Status),
        route(Method::GET, "/api/v1/events", Scope::Read, Events),
        route(Method::GET, "/api/v1/deployments", Scope::Read, Deployments),
        route(Method::GET, ONE, Scope::Read, Deployment),
        route(Method::DELETE, ONE, Scope::Admin, Remove),
        route(Method::POST, "/api/v1/deployments/{id}/deploy", Scope::Deploy, Deploy),
        route(Method::POST, "/api/v1/deployments/{id}/promote", Scope::Deploy, Promote),
        route(Method::POST, "/api/v1/deployments/{id}/rollback", Scope::Deploy, Rollback),
        route(Method::PUT, CANARY, Scope::Deploy, SetCanary),
        route(Method::DELETE, CANARY, Scope::Deploy, AbortCanary),
        route(Method::PUT, CHALLENGER, Scope::Deploy, AddChallenger),
        route(Method::DELETE, CHALLENGER, Scope::Deploy, RemoveChallenger),
        route(Method::POST, "/api/v1/deployments/{id}/drain", Scope::Admin, DrainOne),
        route(Method::POST, "/api/v1/deployments/{id}/resume", Scope::Admin, ResumeOne),
        route(Method::PUT, "/api/v1/default", Scope::Admin, SetDefault),
        route(Method::POST, "/api/v1/drain", Scope::Admin, Drain),
        route(Method::POST, "/api/v1/resume", Scope::Admin, Resume),
        route(Method::PUT, "/api/v1/log", Scope::Admin, Log),
    ]
};

/// The route of a request and the values of its parameters, decoded.
pub(crate) fn find(method: &Method, path: &str) -> Result<(&'static Route, Vec<String>), Problem> {
    // hyper leaves the body of a HEAD out.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let mut allowed = Vec::new();
    for route in &ROUTES {
        let Some(values) = matches(route.path, path) else { continue };
        if route.method == *method {
            return Ok((route, values));
        }
        allowed.push(route.method.as_str());
    }
    if allowed.is_empty() {
        Err(Problem::no_route())
    } else {
        Err(Problem::method(allowed.join(", ")))
    }
}

/// The values of a path's parameters, when it has this pattern.
fn matches(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    let mut values = Vec::new();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(values),
            (Some(part), Some(given)) if part.starts_with('{') => {
                let value = percent_decode_str(given).decode_utf8().ok()?;
                if value.is_empty() {
                    return None;
                }
                values.push(value.into_owned());
            }
            (Some(part), Some(given)) if part == given => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_found_by_method_and_path() {
        let found = |method: &Method, path| {
            find(method, path).map(|(route, values)| (route.action, values))
        };
        let one = |value: &str| vec![value.to_owned()];
        assert_eq!(found(&Method::GET, "/").unwrap(), (Action::Page, vec![]));
        assert_eq!(found(&Method::HEAD, "/api/v1/status").unwrap(), (Action::Status, vec![]));
        assert_eq!(
            found(&Method::DELETE, "/api/v1/deployments/a").unwrap(),
            (Action::Remove, one("a"))
        );
        assert_eq!(
            found(&Method::PUT, "/api/v1/deployments/a%2Fb%20%C3%BC/challengers/t").unwrap(),
            (Action::AddChallenger, vec!["a/b ü".to_owned(), "t".to_owned()])
        );
        let refused = found(&Method::POST, "/api/v1/deployments/a/canary").unwrap_err();
        assert_eq!(refused.allow.as_deref(), Some("PUT, DELETE"));
        for path in [
            "",
            "//",
            "/api/v1/status/",
            "/api/v1/deployments//deploy",
            "/api/v1/deployments/%ff",
            "/metrics",
        ] {
            assert_eq!(found(&Method::GET, path).unwrap_err().status, 404, "{path}");
        }
    }
}
