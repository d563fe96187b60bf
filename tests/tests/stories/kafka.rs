//! Records in a topic of a real broker.

use tests::{Envelope, Kafka, Message, README_ROW, Serve, python};

fn envelopes(messages: &[Message]) -> Vec<Envelope> {
    messages.iter().map(|message| message.envelope.clone()).collect()
}

#[test]
fn every_request_becomes_records_that_the_public_library_reads() {
    let Some(kafka) = Kafka::shared() else { return };
    kafka.create_topic("every-request");
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::ridge(&folder.path().join("outbox")).with(&["--deployment-id", "ward"]);
    let gateway = serve.to_kafka(&kafka.brokers(), "every-request").start();
    assert_eq!(gateway.predict(&format!("{README_ROW}&associationId=visit-1")).status, 200);
    assert_eq!(gateway.predict("age=thirty").status, 400);
    let messages = kafka.records("every-request", |messages| messages.len() >= 3);
    super::files::check(&envelopes(&messages), "ward");
    for message in &messages {
        assert_eq!(message.key.as_deref(), Some("ward"));
        assert!(
            message.headers.iter().any(|(name, value)| name == "id" && value.contains('/')),
            "{message:?}"
        );
    }
    let arguments = ["kafka", &kafka.brokers(), "every-request"];
    if let Some(readings) = python::read(&arguments, messages.len()) {
        python::agrees(&readings, &envelopes(&messages));
    }
}

#[test]
fn the_public_librarys_environment_names_work() {
    let Some(kafka) = Kafka::shared() else { return };
    kafka.create_topic("names");
    let folder = tempfile::tempdir().unwrap();
    let gateway = Serve::ridge(&folder.path().join("outbox"))
        .env("MLOPS_DEPLOYMENT_ID", "from-the-environment")
        .env("MLOPS_SPOOLER_TYPE", "KAFKA")
        .env("MLOPS_KAFKA_BOOTSTRAP_SERVERS", &kafka.brokers())
        .env("MLOPS_KAFKA_TOPIC_NAME", "names")
        .start();
    gateway.predict(&format!("{README_ROW}&associationId=visit-1"));
    gateway.predict("age=thirty");
    let messages = kafka.records("names", |messages| messages.len() >= 3);
    super::files::check(&envelopes(&messages), "from-the-environment");
}

#[test]
fn many_rows_become_messages_of_a_bounded_number_of_rows() {
    let Some(kafka) = Kafka::shared() else { return };
    kafka.create_topic("many-rows");
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::ridge(&folder.path().join("outbox"));
    let gateway = serve.to_kafka(&kafka.brokers(), "many-rows").start();
    let data = std::fs::read_to_string(tests::diabetes()).unwrap();
    let csv: String =
        data.lines().map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0)).collect();
    let csv_type = [("Content-Type", "text/csv")];
    let answer = gateway.client().send("POST", "/predict", &csv_type, &csv).unwrap();
    assert_eq!(answer.predictions().len(), 442);
    // 442 rows in messages of 97, and one with the stats of the request.
    let messages = envelopes(&kafka.records("many-rows", |messages| messages.len() >= 6));
    let rows = |it: &Envelope| it.data["predictions"].as_array().map_or(0, Vec::len);
    let data: Vec<_> = messages.iter().filter(|it| it.is("PREDICTIONS_DATA")).collect();
    assert_eq!(data.iter().map(|it| rows(it)).collect::<Vec<_>>(), [97, 97, 97, 97, 54]);
    let recorded: Vec<f64> = data
        .iter()
        .flat_map(|it| it.data["predictions"].as_array().unwrap())
        .map(|number| number.as_f64().unwrap())
        .collect();
    assert_eq!(recorded, answer.predictions());
}
