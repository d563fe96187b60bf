//! Who is let in: the host that a request names, the page that it comes from, and whoever sends it.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use hyper::{
    HeaderMap, Method,
    header::{AUTHORIZATION, HOST, HeaderName, ORIGIN},
};
use parking_lot::Mutex;
use tracing::warn;

use crate::{
    problem::Problem,
    tokens::{Scope, Tokens},
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const BEARER: &str = "bearer ";
/// Failed log-ins are logged at most once in this time; each line says how many there were since the start.
const FAILURE_LOG_PAUSE: Duration = Duration::from_secs(10);

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A process of this user, which was checked when it connected.
    Uid(u32),
    /// Anybody on this machine.
    Loopback,
}

/// Somebody who has shown who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// As the audit has it.
    pub(crate) name: String,
    pub(crate) scope: Scope,
}

/// Log-ins that failed.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<(u64, Option<Instant>)>);

/// Refuses a request that a page in a browser sent here under a name of its own (DNS rebinding): the name must be one
/// that only this machine answers to. Behind `ssh -L` the port is another one, so any will do.
pub(crate) fn check_host(headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Problem::host()) };
    let local = host.to_str().is_ok_and(is_local);
    if local { Ok(()) } else { Err(Problem::host()) }
}

fn is_local(host: &str) -> bool {
    // An IPv6 address has colons of its own, so it comes in brackets.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    let address = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(inner) => inner.parse().ok().filter(IpAddr::is_ipv6),
        None => name.parse().ok().filter(IpAddr::is_ipv4),
    };
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

/// Refuses a change that another page sends with a browser's help.
pub(crate) fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let site = headers.get_all(SEC_FETCH_SITE).iter();
    let fetched_here = site.into_iter().all(|site| site == "same-origin" || site == "none");
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = format!("http://{host}");
    let from_here = headers
        .get_all(ORIGIN)
        .iter()
        .all(|origin| origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(&own)));
    if fetched_here && from_here { Ok(()) } else { Err(Problem::cross_site()) }
}

/// Who sends this. With tokens everybody needs one; without, whoever may open the socket is known by the user id.
pub(crate) fn identify(tokens: &Tokens, peer: Peer, headers: &HeaderMap) -> Option<Caller> {
    if tokens.is_empty() {
        return match peer {
            Peer::Uid(uid) => Some(Caller { name: format!("uid:{uid}"), scope: Scope::Admin }),
            Peer::Loopback => None,
        };
    }
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(given), None) = (given.next(), given.next()) else { return None };
    let (scheme, token) = given.as_bytes().split_at_checked(BEARER.len())?;
    if !scheme.eq_ignore_ascii_case(BEARER.as_bytes()) {
        return None;
    }
    let token = tokens.find(token.trim_ascii())?;
    Some(Caller { name: token.name().to_owned(), scope: token.scope() })
}

impl Failures {
    /// Counts one.
    pub(crate) fn count(&self, peer: Peer, method: &Method) {
        let now = Instant::now();
        let (count, logged) = &mut *self.0.lock();
        *count += 1;
        if logged.is_none_or(|at| now.duration_since(at) >= FAILURE_LOG_PAUSE) {
            *logged = Some(now);
            warn!(?peer, %method, since_start = *count, "Admin request without a known token");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Token;
    use hyper::header::HeaderValue;

    const TEXT: &str = "0123456789abcdef0123456789abcdef";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn only_names_of_this_machine_are_hosts() {
        for host in [
            "localhost",
            "LOCALHOST:9092",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:9092",
        ] {
            assert!(check_host(&headers(&[("host", host)])).is_ok(), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9092",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.1.1",
            "0.0.0.0:9092",
            "[::]:9092",
            "::1",
            "[127.0.0.1]",
            "localhost:",
            "localhost:x",
            "localhost:9092:9092",
            "2130706433",
        ] {
            assert!(check_host(&headers(&[("host", host)])).is_err(), "{host}");
        }
        assert!(check_host(&headers(&[])).is_err());
        assert!(check_host(&headers(&[("host", "localhost"), ("host", "localhost")])).is_err());
    }

    #[test]
    fn changes_come_from_no_other_page() {
        let host = ("host", "localhost:9092");
        let cases: [(&[(&str, &str)], bool); 8] = [
            (&[], true),
            (&[("origin", "http://localhost:9092")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("origin", "http://localhost:8080")], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://localhost:9092")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
        ];
        for (more, fits) in cases {
            let more: Vec<(&'static str, &str)> =
                more.iter().map(|(name, value)| (*name, *value)).collect();
            let headers = headers(&[&[host], &*more].concat());
            assert_eq!(check_origin(&Method::POST, &headers).is_ok(), fits, "{more:?}");
            assert!(check_origin(&Method::GET, &headers).is_ok());
        }
    }

    #[test]
    fn with_tokens_everybody_needs_one() {
        let tokens = Tokens::new(vec![Token::new("ci", Scope::Deploy, TEXT).unwrap()]).unwrap();
        let ci = Some(Caller { name: "ci".into(), scope: Scope::Deploy });
        let given =
            |value: &str| identify(&tokens, Peer::Uid(0), &headers(&[("authorization", value)]));
        assert_eq!(given(&format!("Bearer {TEXT}")), ci);
        assert_eq!(given(&format!("bearer  {TEXT}")), ci);
        for wrong in [
            TEXT,
            "Bearer",
            "Bearer ",
            &format!("Basic {TEXT}"),
            &format!("Bearer {TEXT}0"),
            "Bearer x",
        ] {
            assert_eq!(given(wrong), None, "{wrong}");
        }
        let good = format!("Bearer {TEXT}");
        let twice = headers(&[("authorization", &good), ("authorization", &good)]);
        assert_eq!(identify(&tokens, Peer::Uid(0), &twice), None);
        assert_eq!(identify(&tokens, Peer::Uid(0), &HeaderMap::new()), None);
    }

    #[test]
    fn without_tokens_the_sockets_user_is_known_and_nobody_else() {
        let nobody = Tokens::default();
        let caller = identify(&nobody, Peer::Uid(1000), &HeaderMap::new()).unwrap();
        assert_eq!((&*caller.name, caller.scope), ("uid:1000", Scope::Admin));
        assert_eq!(identify(&nobody, Peer::Loopback, &HeaderMap::new()), None);
    }
}
