//! Stopping in good order, and refusing to start in a taken place.

use tests::{Client, Ledger, Load, Outpost, README_ROW, Serve, spooled, wait_until};

#[test]
fn sigterm_finishes_what_is_in_flight_and_leaves_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let gateway = Serve::ridge(&folder.path().join("outbox")).to_files(&spool).start();
    let port = gateway.port();
    let mut client = gateway.client();
    let (sent_before, sent_after) = README_ROW.split_at(20);
    let head = format!(
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: in-flight\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{sent_before}",
        README_ROW.len()
    );
    client.write(head.as_bytes()).unwrap();
    // A request on another connection that was sent later is answered: so the gateway has read the first one's head.
    assert_eq!(gateway.predict(README_ROW).status, 200);
    gateway.terminate();
    wait_until("a closed door", || Client::connect(port).is_err().then_some(()));
    client.write(sent_after.as_bytes()).unwrap();
    assert_eq!(client.read().unwrap().predictions().len(), 1);
    assert_eq!(gateway.ended(), Some(0));
    let ids: Vec<String> = spooled(&spool).iter().flat_map(tests::Envelope::associations).collect();
    assert!(ids.contains(&"in-flight".to_owned()), "{ids:?}");
}

#[test]
fn sigterm_under_load_loses_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let gateway = Serve::ridge(&outbox).to_files(&spool).start();
    let load = Load::start(gateway.port(), 4, "load");
    load.wait_for(500);
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    let mut ledger = Ledger::new(4, "SIGTERM under load");
    ledger.acknowledge(load.end());
    // What was not sent in the grace period stays in the outbox for the next start.
    let _gateway = Serve::ridge(&outbox).to_files(&spool).start();
    ledger.close_on_files(&spool);
}

#[test]
fn a_taken_port_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Serve::ridge(&folder.path().join("first")).start();
    let address = format!("127.0.0.1:{}", gateway.port());
    let outbox = folder.path().join("second");
    let package = Outpost::ridge().to_str().unwrap();
    let second =
        ["serve", "--model", package, "--listen", &address, "--outbox", outbox.to_str().unwrap()];
    Outpost::run(&second).failed(69, &[&address]);
}
