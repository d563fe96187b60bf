//! Addresses, files, and brokers that say nothing.

use std::net::TcpListener;
use std::time::Instant;

use lapin::ErrorKind;
use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError, AMQPSoftError};

use super::*;

fn peer(port: u16, patience: Duration) -> Peer {
    let uri = address(&format!("amqp://u:canary@127.0.0.1:{port}")).unwrap();
    Peer { uri, tls: Files::default(), heartbeat_s: 30, patience }
}

#[test]
fn an_empty_virtual_host_is_the_usual_one() {
    let vhost = |url: &str| address(url).unwrap().vhost;
    for url in ["amqp://h:1", "amqp://h:1/", "amqp://h:1/%2f", "amqps://u:p@h/", " amqp://h "] {
        assert_eq!(vhost(url), "/", "{url}");
    }
    assert_eq!(vhost("amqp://h/edge"), "edge");
    assert_eq!(vhost("amqp://h/a%2Fb?heartbeat=5"), "a/b");
}

#[test]
fn addresses_are_read_as_they_are_meant() {
    let uri = address("amqps://us%40er:p%2F%3A%23@[2001:db8::5]:6671/v").unwrap();
    assert_eq!((uri.authority.host.as_str(), uri.authority.port), ("2001:db8::5", 6671));
    let user = &uri.authority.userinfo;
    assert_eq!((user.username.as_str(), user.password.as_str()), ("us@er", "p/:#"));
    let uri = address("amqp://10.1.2.3").unwrap();
    assert_eq!((uri.authority.host.as_str(), uri.authority.port), ("10.1.2.3", 5672));
    assert_eq!(uri.authority.userinfo.username, "guest");
    assert_eq!(address("amqps://h").unwrap().authority.port, 5671);
    let long = |bytes| address(&format!("amqp://h/{}", "v".repeat(bytes)));
    assert!(long(255).is_some() && long(256).is_none());
    for wrong in ["", "h:5672", "http://h", "amqp:h", "amqp://h:x", "amqp://u:%ff@h", "amqp://[::1"]
    {
        assert!(address(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn queues_have_names_of_bounded_length() {
    assert!(is_queue("mlops") && is_queue(&"q".repeat(255)));
    for wrong in [String::new(), " ".to_owned(), "a\0b".to_owned(), "q".repeat(256)] {
        assert!(!is_queue(&wrong), "{wrong:?}");
    }
}

/// Threads of the client's that are alive, in this process.
fn client_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    tasks.filter_map(name).filter(|name| name.starts_with("lapin") || name == "rabbitmq\n").count()
}

#[test]
fn a_silent_broker_costs_the_limit_and_leaves_nothing_behind() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let limit = Duration::from_millis(50);
    for _ in 0..5 {
        let begun = Instant::now();
        let trouble = peer(port, limit).open().map(drop).unwrap_err();
        assert!(begun.elapsed() >= limit);
        assert_eq!(trouble.kind, Kind::Passing);
        assert_eq!(trouble.why, format!("amqp://127.0.0.1:{port}: no answer for 50 ms"));
    }
    crate::channel::tests::until("no thread waits for it", || client_threads() == 0);
}

#[test]
fn nobody_there_may_be_there_later() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let trouble = peer(port, Duration::from_secs(30)).open().map(drop).unwrap_err();
    assert_eq!(trouble.kind, Kind::Passing);
    assert!(trouble.why.contains(&port.to_string()), "{trouble:?}");
    assert!(!format!("{trouble:?}").contains("canary"));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (empty, junk) = (file("empty.pem", ""), file("junk.pem", "not PEM"));
    let missing = dir.path().join("missing.pem").to_str().unwrap().to_owned();
    for path in [&empty, &junk, &missing] {
        let files = Files { ca: Some(path.clone()), ..Files::default() };
        let trouble = files.connector().map(drop).unwrap_err();
        assert_eq!(trouble.kind, Kind::Operator);
        assert!(trouble.why.contains(&format!("CA {path}")), "{trouble:?}");
    }
}

#[test]
fn errors_are_sorted_by_who_can_mend_them() {
    let kind = |kind: ErrorKind| Trouble::of(&kind.into()).kind;
    let soft = |error, text: &str| {
        kind(ErrorKind::ProtocolError(AMQPError::new(AMQPErrorKind::Soft(error), text.into())))
    };
    let hard = |error| {
        kind(ErrorKind::ProtocolError(AMQPError::new(AMQPErrorKind::Hard(error), "".into())))
    };
    use AMQPSoftError as Soft;
    assert_eq!(soft(Soft::ACCESSREFUSED, "Login was refused"), Kind::Operator);
    assert_eq!(hard(AMQPHardError::NOTALLOWED), Kind::Operator);
    assert_eq!(hard(AMQPHardError::CONNECTIONFORCED), Kind::Passing);
    assert_eq!(soft(Soft::NOTFOUND, "home node down"), Kind::Passing);
    assert_eq!(soft(Soft::PRECONDITIONFAILED, "inequivalent arg"), Kind::Refused);
    assert_eq!(soft(Soft::PRECONDITIONFAILED, "message size 9 is larger"), Kind::TooLarge);
    assert_eq!(kind(ErrorKind::MissingHeartbeatError), Kind::Passing);
    let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    assert_eq!(kind(ErrorKind::IOError(broken.into())), Kind::Passing);
    let tls = std::io::Error::other(rustls::Error::DecryptError);
    assert_eq!(kind(ErrorKind::IOError(tls.into())), Kind::Operator);
    // Only a declaration is nobody's but the operator's.
    let refused = Trouble { why: String::new(), kind: Kind::Refused };
    assert_eq!(refused.of_declaration().kind, Kind::Operator);
    assert_eq!(Trouble::soon(String::new()).of_declaration().kind, Kind::Passing);
}
