//! Who is let in where operators come, and who is not.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use tests::{Operated, Outpost, README_ROW, SCOPES, Serve, token, wait_until};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn each_scope_gives_its_commands_and_no_more() {
    let operated = Operated::on_port(|serve| serve);
    let package = path(Outpost::ridge());
    let commands: [(&[&str], &str); 11] = [
        (&["status"], "read"),
        (&["deploy", "diabetes", package, "--canary", "5%"], "deploy"),
        (&["challenger", "add", "diabetes", package], "deploy"),
        (&["challenger", "remove", "diabetes", "none"], "deploy"),
        (&["promote", "diabetes"], "deploy"),
        (&["rollback", "diabetes"], "deploy"),
        (&["canary", "diabetes", "abort"], "deploy"),
        (&["default", "diabetes"], "admin"),
        (&["drain", "none"], "admin"),
        (&["undeploy", "none"], "admin"),
        (&["log-level", "info"], "admin"),
    ];
    let rank = |scope: &str| SCOPES.iter().position(|one| *one == scope);
    for (words, needs) in commands {
        for scope in SCOPES {
            let run = operated.run_as(scope, words);
            let refused = run.err.contains(&format!(
                "this needs a token of scope {needs}; {scope} has scope {scope}"
            ));
            assert_eq!(
                refused,
                rank(scope) < rank(needs),
                "{words:?} as {scope}: {}{}",
                run.out,
                run.err
            );
            if refused {
                run.failed(64, &["failed to"]);
            }
        }
    }
    let by: Vec<_> =
        operated.audit().iter().map(|line| line["by"].as_str().unwrap().to_owned()).collect();
    assert!(by.contains(&"deploy".to_owned()) && by.contains(&"admin".to_owned()), "{by:?}");
    assert!(!by.contains(&"read".to_owned()), "{by:?}");
}

#[test]
fn a_wrong_token_opens_nothing_and_is_told_to_the_log_without_its_text() {
    let operated = Operated::on_port(|serve| serve);
    operated.run(&["status"]).failed(64, &["send a token"]);
    let wrong = "wrong-canary-0123456789abcdef";
    let file = operated.folder().join("wrong.token");
    std::fs::write(&file, wrong).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    operated
        .run(&["rollback", "diabetes", "--token-file", path(&file)])
        .failed(64, &["send a token"]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    operated.run(&["status", "--token-file", path(&file)]).failed(64, &["chmod"]);
    wait_until("a line of the failure", || {
        operated.gateway.log().contains("without a known token").then_some(())
    });
    let log = operated.gateway.log();
    assert!(!log.contains("canary-0123456789abcdef"), "{log}");
}

#[test]
fn another_host_or_another_page_is_refused() {
    let operated = Operated::on_port(|serve| serve);
    let raw = |head: &str| {
        let mut client = operated.client();
        let token = token("admin");
        client
            .write(
                format!("{head}\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n")
                    .as_bytes(),
            )
            .unwrap();
        client.read().unwrap()
    };
    let drain = "POST /api/v1/drain HTTP/1.1\r\nHost: ";
    assert_eq!(raw(&format!("{drain}evil.example")).status, 421);
    assert_eq!(raw(&format!("{drain}localhost\r\nOrigin: http://evil.example")).status, 403);
    assert_eq!(raw(&format!("{drain}localhost\r\nSec-Fetch-Site: cross-site")).status, 403);
    assert_eq!(operated.gateway.predict(README_ROW).status, 200);
    assert_eq!(raw(&format!("{drain}localhost")).status, 200);
    assert_eq!(operated.gateway.predict(README_ROW).status, 503);
}

#[test]
fn nobody_from_elsewhere_is_listened_to() {
    let place = tempfile::tempdir().unwrap();
    let serve =
        |address: &str| Operated::serve(Outpost::ridge(), place.path()).with(&["--admin", address]);
    serve("0.0.0.0:0").refused().failed(64, &["admin.listen", "other machines"]);
    serve("127.0.0.1:0").refused().failed(64, &["admin.listen", "admin.tokens"]);
    serve("outpost.sock").refused().failed(64, &["admin.listen", "unix:PATH"]);
    let open = place.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    serve(&format!("unix:{}", path(&open.join("s")))).refused().failed(64, &["open", "chmod go-w"]);
    let gateway = Operated::serve(Outpost::ridge(), place.path()).start();
    assert!(!gateway.log().contains("operators on"), "{}", gateway.log());
}

#[test]
fn a_socket_is_one_gateways_and_outlives_no_kill() {
    let operated = Operated::on_socket(|serve| serve);
    let socket = operated.folder().join("outpost.sock");
    let about = std::fs::metadata(&socket).unwrap();
    assert!(about.file_type().is_socket());
    assert_eq!(about.permissions().mode() & 0o777, 0o600);

    let place = tempfile::tempdir().unwrap();
    let address = operated.address().to_owned();
    let second = || Operated::serve(Outpost::ridge(), place.path()).with(&["--admin", &address]);
    second().refused().failed(69, &["another process listens", "outpost.sock"]);
    operated.run(&["status"]).succeeded();

    operated.gateway.kill();
    Outpost::run(&["status", "--admin", &address]).failed(69, &["outpost.sock"]);
    assert!(socket.exists());
    let gateway = second().start();
    Outpost::run(&["status", "--admin", &address]).succeeded();
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_package_above_the_limit_and_a_slow_client_are_refused() {
    let bytes = std::fs::metadata(Outpost::ridge()).unwrap().len();
    let limits =
        |bytes: u64| format!("[admin]\npackage_bytes_max = {bytes}\nheader_time_max = 300\n");
    let deploy = ["deploy", "other", path(Outpost::ridge())];
    let short = Operated::on_socket(|serve| serve.settings(&limits(bytes - 1)));
    short.run(&deploy).failed(65, &["package_bytes_max"]);
    let fits = Operated::on_socket(|serve| serve.settings(&limits(bytes)));
    fits.run(&deploy).succeeded();

    let mut slow =
        std::os::unix::net::UnixStream::connect(fits.folder().join("outpost.sock")).unwrap();
    std::io::Write::write_all(&mut slow, b"GET /api/v1/st").unwrap();
    let mut rest = vec![];
    // Ends when the gateway closes; it may say 408 before.
    std::io::Read::read_to_end(&mut slow, &mut rest).unwrap();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{rest:?}");
    fits.run(&["status"]).succeeded();
}

#[test]
fn nothing_listens_where_a_command_asks() {
    let place = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", path(&place.path().join("none.sock")));
    Outpost::run(&["status", "--admin", &address])
        .failed(69, &["none.sock", "admin.listen", "OUTPOST_ADMIN"]);
    Outpost::run(&["status", "--admin", "gateway:9092"]).failed(64, &["unix:PATH"]);
    // A gateway's port for predictions is no operators' port.
    let gateway = Serve::ridge(&place.path().join("outbox")).start();
    let address = format!("127.0.0.1:{}", gateway.port());
    Outpost::run(&["rollback", "diabetes", "--admin", &address])
        .failed(64, &["failed to roll diabetes back"]);
}
