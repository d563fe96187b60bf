//! Every way into a secured Kafka, and what is said when it stays shut.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tests::{Gateway, Kafka, PASSWORD, README_ROW, Serve, USER, wait_until};

/// The password of stories in which it is wrong. It must be nowhere.
const CANARY: &str = "k4n4ry";

/// A gateway that spools by these settings.
fn start(folder: &Path, brokers: &str, topic: &str, more: &str) -> Gateway {
    let settings = format!(
        "[spooler]\ntype = \"kafka\"\nbootstrap_servers = \"{brokers}\"\ntopic = \"{topic}\"\n\
         retry_ms = 50\nretry_operator_ms = 200\nreconnect_max_ms = 1000\n{more}"
    );
    let path = folder.join("outpost.toml");
    std::fs::write(&path, settings).unwrap();
    let serve = Serve::ridge(&folder.join("outbox")).durable();
    let gateway = serve.with(&["--config", path.to_str().unwrap()]).start();
    let answer = gateway.predict(&format!("{README_ROW}&associationId=visit-1"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    gateway
}

fn delivered(kafka: &Kafka, topic: &str) {
    kafka.records(topic, |messages| {
        messages.iter().any(|it| it.envelope.associations() == ["visit-1"])
    });
}

/// Waits until the channel says that an operator is needed, and looks for secrets.
fn paused(gateway: &Gateway) {
    wait_until("a channel that pauses", || gateway.log().contains("Channel paused").then_some(()));
    for text in [gateway.log(), gateway.get("/metrics").body, gateway.get("/readyz").body] {
        assert!(!text.contains(CANARY) && !text.contains(PASSWORD), "{text}");
    }
}

fn sasl(protocol: &str, mechanism: &str, password: &str) -> String {
    format!(
        "security_protocol = \"{protocol}\"\n[spooler.sasl]\nmechanism = \"{mechanism}\"\n\
         username = \"{}\"\npassword = \"{password}\"\n",
        USER
    )
}

fn trust(ca: &Path) -> String {
    format!("[spooler.tls]\nca_location = \"{}\"\n", ca.display())
}

#[test]
fn records_enter_by_every_door_and_a_wrong_key_is_an_operators_matter() {
    let Some(mut kafka) = Kafka::secured() else { return };
    kafka.start();
    let doors = kafka.doors();
    let login = kafka.login_brokers();
    let secured = format!("127.0.0.1:{}", doors.secured);
    let mutual_door = format!("127.0.0.1:{}", doors.mutual);
    let folder = || tempfile::tempdir().unwrap();
    let stranger = folder();
    let stranger = tests::Authority::new(stranger.path()).certificate();
    let client = &doors.client;
    let mutual = format!(
        "security_protocol = \"ssl\"\n{}certificate_location = \"{}\"\nkey_location = \"{}\"\n",
        trust(&doors.ca),
        client.certificate.display(),
        client.key.display()
    );
    let log_in = |mechanism| sasl("sasl_plaintext", mechanism, PASSWORD);
    let over_tls = |mechanism| sasl("sasl_ssl", mechanism, PASSWORD) + &trust(&doors.ca);
    let right = [
        ("mutual", &mutual_door, mutual),
        ("plain", &login, log_in("PLAIN")),
        ("scram-256", &login, log_in("SCRAM-SHA-256")),
        ("scram-512", &login, log_in("SCRAM-SHA-512")),
        ("plain-tls", &secured, over_tls("PLAIN")),
        ("scram-tls", &secured, over_tls("SCRAM-SHA-512")),
    ];
    for (topic, brokers, settings) in right {
        println!("{topic}");
        kafka.create_topic(topic);
        let folder = folder();
        let gateway = start(folder.path(), brokers, topic, &settings);
        delivered(&kafka, topic);
        assert!(!gateway.log().contains("paused"), "{}", gateway.log());
    }
    let shut = [
        ("wrong-plain", &login, sasl("sasl_plaintext", "PLAIN", CANARY), log_in("PLAIN")),
        (
            "wrong-scram",
            &secured,
            sasl("sasl_ssl", "SCRAM-SHA-256", CANARY) + &trust(&doors.ca),
            over_tls("SCRAM-SHA-256"),
        ),
        (
            "stranger",
            &secured,
            sasl("sasl_ssl", "PLAIN", PASSWORD) + &trust(&stranger),
            over_tls("PLAIN"),
        ),
    ];
    for (topic, brokers, wrong, right) in shut {
        println!("{topic}");
        kafka.create_topic(topic);
        let folder = folder();
        let gateway = start(folder.path(), brokers, topic, &wrong);
        paused(&gateway);
        gateway.terminate();
        assert_eq!(gateway.ended(), Some(0));
        let _gateway = start(folder.path(), brokers, topic, &right);
        delivered(&kafka, topic);
    }
    a_token_that_is_renewed_opens_the_door(&kafka, &login);
}

/// A token that ran out keeps the door shut; whoever renews the file opens it, without a restart.
fn a_token_that_is_renewed_opens_the_door(kafka: &Kafka, brokers: &str) {
    kafka.create_topic("token");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let write = |exp: u64| {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = serde_json::json!({"sub": CANARY, "iat": now - 60, "exp": exp});
        let token = format!("{}.{}.", part(serde_json::json!({"alg": "none"})), part(claims));
        let fresh = folder.path().join("fresh");
        std::fs::write(&fresh, token).unwrap();
        std::fs::set_permissions(&fresh, Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&fresh, &file).unwrap();
    };
    write(now - 1);
    let settings = format!(
        "security_protocol = \"sasl_plaintext\"\n[spooler.sasl]\nmechanism = \"OAUTHBEARER\"\n\
         token_file = \"{}\"\n",
        file.display()
    );
    let gateway = start(folder.path(), brokers, "token", &settings);
    paused(&gateway);
    assert!(gateway.get("/readyz").body.contains("ran out"), "{}", gateway.log());
    write(now + 3600);
    delivered(kafka, "token");
    assert!(!gateway.log().contains(CANARY), "{}", gateway.log());
}
