//! Who is let in to what.

use super::harness::{TOKENS, TestRoom};
use crate::{Scope, routes::ROUTES};

fn bearer(text: &str) -> String {
    format!("Authorization: Bearer {text}")
}

/// A request for each route.
fn requests() -> impl Iterator<Item = (String, Option<Scope>)> {
    ROUTES.iter().map(|route| {
        let path = route.path.replace("{id}", "d").replace("{name}", "n");
        (format!("{} {path}", route.method), route.scope)
    })
}

#[test]
fn each_scope_opens_its_routes_and_no_more() {
    let room = TestRoom::on_port();
    for (request, needs) in requests() {
        for (scope, text) in TOKENS {
            let reply = room.send(&request, &[&bearer(text)], b"");
            let may = needs.is_none_or(|needs| scope >= needs);
            assert_eq!(reply.status != 403, may, "{request} with {scope:?}: {reply:?}");
            if !may {
                reply.is(403, "forbidden");
                let needs = needs.unwrap().as_str();
                assert!(reply.detail().contains(&format!("scope {needs};")), "{reply:?}");
            }
        }
    }
}

#[test]
fn without_a_known_token_nothing_is_told_or_done() {
    let room = TestRoom::on_port();
    let almost = &TOKENS[2].1[1..];
    for head in [
        vec![],
        vec![bearer("")],
        vec![bearer(almost)],
        vec![bearer(TOKENS[2].1), bearer(TOKENS[2].1)],
    ] {
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        for (request, needs) in requests() {
            let reply = room.send(&request, &head, b"");
            if needs.is_none() {
                assert_eq!(reply.status, 200);
                continue;
            }
            reply.is(401, "unauthenticated");
            assert!(reply.head.contains("www-authenticate: bearer"), "{reply:?}");
            assert!(!reply.body.contains(almost), "{reply:?}");
        }
        room.send("GET /nothing", &head, b"").is(401, "unauthenticated");
    }
    assert_eq!(room.fleet.said(), [""; 0]);
}

#[test]
fn a_request_for_another_host_or_from_another_page_is_refused() {
    for room in [TestRoom::on_port(), TestRoom::on_socket()] {
        let token = bearer(TOKENS[2].1);
        for (request, _) in requests() {
            room.send(&request, &[&token, "Host: evil.example"], b"").is(421, "wrong-host");
            let crossed = room.send(&request, &[&token, "Sec-Fetch-Site: cross-site"], b"");
            let origin = room.send(&request, &[&token, "Origin: http://evil.example"], b"");
            if !request.starts_with("GET") {
                crossed.is(403, "cross-site");
                origin.is(403, "cross-site");
            }
            for reply in [crossed, origin] {
                assert!(!reply.head.contains("access-control"), "{reply:?}");
            }
        }
        assert!(room.fleet.said().iter().all(|said| said.starts_with("events")));
    }
}

#[test]
fn the_sockets_user_is_known_by_the_id() {
    let room = TestRoom::on_socket();
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(room.send("POST /api/v1/deployments/d/rollback", &[], b"").status, 200);
    assert_eq!(room.fleet.said(), [format!("rollback d by uid:{uid}")]);
}

#[test]
fn a_socket_with_tokens_asks_for_one() {
    let room = TestRoom::on_socket_with(|settings| settings.tokens = super::harness::tokens());
    room.send("GET /api/v1/status", &[], b"").is(401, "unauthenticated");
    assert_eq!(room.send("GET /api/v1/status", &[&bearer(TOKENS[0].1)], b"").status, 200);
}

#[test]
fn every_answer_has_the_headers_that_keep_it_here() {
    let room = TestRoom::on_port();
    for reply in [
        room.send("GET /", &[], b""),
        room.send("GET /api/v1/status", &[&bearer(TOKENS[0].1)], b""),
        room.send("GET /api/v1/status", &[], b""),
    ] {
        for header in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "x-request-id: ",
        ] {
            assert!(reply.head.contains(header), "{header}: {reply:?}");
        }
    }
    let page = room.send("GET /", &[], b"");
    assert!(page.head.contains("content-security-policy: default-src 'none';"), "{}", page.head);
}
