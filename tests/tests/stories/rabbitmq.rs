//! Records in a queue of a real broker.

use tests::{Envelope, Queued, README_ROW, RabbitMq, Serve};

fn envelopes(messages: &[Queued]) -> Vec<Envelope> {
    messages.iter().map(|message| message.envelope.clone()).collect()
}

#[test]
fn every_request_becomes_records_that_the_public_library_reads() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::ridge(&folder.path().join("outbox")).with(&["--deployment-id", "ward"]);
    let gateway = serve.to_rabbitmq(&rabbitmq.url(), "every-request").start();
    assert_eq!(gateway.predict(&format!("{README_ROW}&associationId=visit-1")).status, 200);
    assert_eq!(gateway.predict("age=thirty").status, 400);
    let messages = rabbitmq.drain("every-request", |messages| messages.len() >= 3);
    super::files::check(&envelopes(&messages), "ward");
}
