//! Records in a queue of a real broker: what they are, and what keeps the gateway from bringing them there.

use std::path::Path;
use tests::{Envelope, Gateway, Queued, README_ROW, RabbitMq, Serve, python, wait_until};

/// The password of stories in which it is wrong. It must be nowhere.
const CANARY: &str = "k4n4ry";

fn envelopes(messages: &[Queued]) -> Vec<Envelope> {
    messages.iter().map(|message| message.envelope.clone()).collect()
}

/// A gateway that is impatient, and spools to a queue by its settings file.
pub(crate) fn serve(folder: &Path, url: &str, queue: &str, more: &str) -> Serve {
    let settings = format!(
        "[spooler]\ntype = \"rabbitmq\"\nurl = \"{url}\"\nqueue = \"{queue}\"\n\
         retry_ms = 50\nretry_operator_ms = 200\n{more}"
    );
    let path = folder.join("outpost.toml");
    std::fs::write(&path, settings).unwrap();
    let serve = Serve::ridge(&folder.join("outbox")).durable();
    serve.with(&["--config", path.to_str().unwrap()])
}

/// One prediction and one refused request.
fn ask(gateway: &Gateway) {
    assert_eq!(gateway.predict(&format!("{README_ROW}&associationId=visit-1")).status, 200);
    assert_eq!(gateway.predict("age=thirty").status, 400);
}

/// Waits until the channel says that an operator is needed, and why.
fn paused(gateway: &Gateway, why: &str) {
    wait_until("a channel that says why it waits", || {
        let log = gateway.log();
        let said = log.lines().any(|line| line.contains("paused") && line.contains(why));
        said.then_some(())
    });
    let metrics = gateway.get("/metrics").body;
    let line = metrics.lines().find(|line| line.starts_with("spool_channel_paused{"));
    assert!(line.is_some_and(|line| line.ends_with(" 1")), "{metrics}");
    for text in [gateway.log(), metrics, gateway.get("/readyz").body] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

/// Waits for the records of [`ask`].
fn delivered(rabbitmq: &RabbitMq, queue: &str, deployment: &str) -> Vec<Queued> {
    let messages = rabbitmq.drain(queue, |messages| messages.len() >= 3);
    super::files::check(&envelopes(&messages), deployment);
    messages
}

#[test]
fn every_request_becomes_records_that_the_public_library_reads() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::ridge(&folder.path().join("outbox")).with(&["--deployment-id", "ward"]);
    let gateway = serve.to_rabbitmq(&rabbitmq.url(), "every-request").start();
    ask(&gateway);
    wait_until("messages in the queue", || {
        (rabbitmq.depth("every-request") == Some(3)).then_some(())
    });
    let arguments = ["rabbitmq", &rabbitmq.url(), "every-request"];
    let readings = python::read(&arguments, 3);
    let messages = delivered(rabbitmq, "every-request", "ward");
    if let Some(readings) = readings {
        python::agrees(&readings, &envelopes(&messages));
    }
    for message in &messages {
        assert!(message.persistent, "{message:?}");
        assert!(message.message_id.as_ref().is_some_and(|id| id.contains('/')), "{message:?}");
        assert_eq!(message.content_type.as_deref(), Some("application/json"));
        let header = |name: &str| {
            let found = message.headers.iter().find(|(known, _)| known == name);
            found.unwrap_or_else(|| panic!("{name}: {message:?}")).1.as_str()
        };
        assert_eq!((header("schema-version"), header("crc32c").len()), ("2", 8));
    }
}

#[test]
fn the_public_librarys_environment_names_work_old_ones_too() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    let names = [
        ("new", "MLOPS_SPOOLER_TYPE", "RABBITMQ", "MLOPS_RABBITMQ_QUEUE_URL"),
        ("old", "MLOPS_OUTPUT_TYPE", "RABBIT_MQ", "MLOPS_RABBITMQ_URL"),
    ];
    for (queue, type_name, kind, url_name) in names {
        let folder = tempfile::tempdir().unwrap();
        // With the slash at its end, the URL means another virtual host to some clients.
        let url = format!("{}/", rabbitmq.url());
        let gateway = Serve::ridge(&folder.path().join("outbox"))
            .env("MLOPS_DEPLOYMENT_ID", "from-the-environment")
            .env(type_name, kind)
            .env(url_name, &url)
            .env("MLOPS_RABBITMQ_QUEUE_NAME", queue)
            .start();
        ask(&gateway);
        delivered(rabbitmq, queue, "from-the-environment");
    }
}

#[test]
fn many_rows_become_messages_of_a_bounded_number_of_rows() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let gateway =
        serve(folder.path(), &rabbitmq.url(), "many-rows", "rows_per_message = 200").start();
    let data = std::fs::read_to_string(tests::diabetes()).unwrap();
    let csv: String =
        data.lines().map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0)).collect();
    let csv_type = [("Content-Type", "text/csv")];
    let answer = gateway.client().send("POST", "/predict", &csv_type, &csv).unwrap();
    assert_eq!(answer.predictions().len(), 442);
    let messages = rabbitmq.drain("many-rows", |messages| messages.len() >= 4);
    let rows = |it: &Envelope| it.data["predictions"].as_array().map_or(0, Vec::len);
    let data: Vec<_> =
        envelopes(&messages).into_iter().filter(|it| it.is("PREDICTIONS_DATA")).collect();
    assert_eq!(data.iter().map(rows).collect::<Vec<_>>(), [200, 200, 42]);
}

#[test]
fn a_queue_of_another_kind_is_an_operators_matter() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    let mut arguments = lapin::types::FieldTable::default();
    arguments.insert("x-max-length".into(), lapin::types::AMQPValue::LongInt(1));
    rabbitmq.declare_with("bounded", arguments);
    let folder = tempfile::tempdir().unwrap();
    let gateway = serve(folder.path(), &rabbitmq.url(), "bounded", "").start();
    ask(&gateway);
    paused(&gateway, "PRECONDITION_FAILED");
    assert!(gateway.log().contains("bounded"), "{}", gateway.log());
    assert_eq!(rabbitmq.depth("bounded"), Some(0));
    rabbitmq.delete("bounded");
    delivered(rabbitmq, "bounded", "diabetes");
}

#[test]
fn a_queue_that_is_there_is_taken_as_the_library_makes_it() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    rabbitmq.declare("there-already");
    let folder = tempfile::tempdir().unwrap();
    let gateway = serve(folder.path(), &rabbitmq.url(), "there-already", "").start();
    ask(&gateway);
    delivered(rabbitmq, "there-already", "diabetes");
}

#[test]
fn a_wrong_password_and_a_missing_virtual_host_are_said_without_the_password() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = format!("amqp://edge:{CANARY}@127.0.0.1:{}/plant", rabbitmq.port());
    let gateway = serve(folder.path(), &url, "locked", "").start();
    ask(&gateway);
    paused(&gateway, "ACCESS_REFUSED");
    rabbitmq.control(&["add_user", "edge", CANARY]);
    paused(&gateway, "NOT_ALLOWED");
    rabbitmq.control(&["add_vhost", "plant"]);
    rabbitmq.control(&[
        "set_permissions",
        "-p",
        "plant",
        "edge",
        "locked",
        "locked|amq.default",
        "locked",
    ]);
    rabbitmq.control(&["set_permissions", "-p", "plant", "guest", ".*", ".*", ".*"]);
    wait_until("a channel that goes on", || {
        gateway.log().contains("Channel goes on").then_some(())
    });
    let messages = rabbitmq
        .drain_at(&format!("{}/plant", rabbitmq.url()), "locked", |messages| messages.len() >= 3);
    super::files::check(&envelopes(&messages), "diabetes");
    assert!(!gateway.log().contains(CANARY));
}

#[test]
fn tls_trusts_the_named_authority_and_no_other() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    let stranger = tempfile::tempdir().unwrap();
    let stranger = tests::Authority::new(stranger.path());
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path();
    let tls = |ca: &Path| format!("[spooler.tls]\nca_location = \"{}\"\n", ca.display());
    let gateway =
        serve(outbox, &rabbitmq.tls_url(), "by-tls", &tls(&stranger.certificate())).start();
    ask(&gateway);
    paused(&gateway, "TLS");
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    let version = "version = \"TLSv1.3\"\n";
    let more = format!("{}{version}", tls(&rabbitmq.tls().ca));
    let _gateway = serve(outbox, &rabbitmq.tls_url(), "by-tls", &more).start();
    delivered(rabbitmq, "by-tls", "diabetes");
}

#[test]
fn a_broker_that_asks_for_a_certificate_gets_ours() {
    let Some(mut rabbitmq) = RabbitMq::secured(true) else { return };
    rabbitmq.start();
    let folder = tempfile::tempdir().unwrap();
    let (ca, client) = (rabbitmq.tls().ca.display().to_string(), rabbitmq.tls().client.clone());
    let trust = format!("[spooler.tls]\nca_location = \"{ca}\"\n");
    let gateway = serve(folder.path(), &rabbitmq.tls_url(), "mutual", &trust).start();
    ask(&gateway);
    paused(&gateway, "TLS");
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    // The library's names. With all three files it speaks TLS to an `amqp` address too.
    let url = rabbitmq.tls_url().replace("amqps:", "amqp:");
    let _gateway = Serve::ridge(&folder.path().join("outbox"))
        .env("MLOPS_SPOOLER_TYPE", "RABBITMQ")
        .env("MLOPS_RABBITMQ_QUEUE_URL", &url)
        .env("MLOPS_RABBITMQ_QUEUE_NAME", "mutual")
        .env("MLOPS_RABBITMQ_SSL_CA_CERTIFICATE_PATH", &ca)
        .env("MLOPS_RABBITMQ_SSL_CERTIFICATE_PATH", client.certificate.to_str().unwrap())
        .env("MLOPS_RABBITMQ_SSL_KEYFILE_PATH", client.key.to_str().unwrap())
        .env("MLOPS_RABBITMQ_SSL_TLS_VERSION", "TLSv1.2")
        .start();
    delivered(&rabbitmq, "mutual", "diabetes");
}
