//! Passwords and tokens: where they may lie, and that nothing repeats them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tests::{Outpost, README_ROW, Run, Serve, wait_until};

/// What every secret in these stories begins with.
const CANARY: &str = "canary-7f3a";

fn secret(folder: &Path, name: &str, mode: u32) -> String {
    let path = folder.join(name);
    std::fs::write(&path, format!("{CANARY}-{name}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn serve(folder: &Path, text: &str, environment: &[(&str, &str)], more: &[&str]) -> Run {
    let config = folder.join("gateway.toml");
    std::fs::write(&config, text).unwrap();
    let outbox = folder.join("outbox");
    let model = Outpost::ridge().to_str().unwrap();
    let mut arguments = vec!["serve", "--model", model, "--outbox", outbox.to_str().unwrap()];
    arguments.extend(["--config", config.to_str().unwrap(), "--log", "trace"]);
    arguments.extend_from_slice(more);
    let mut command = Outpost::command(&arguments);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[track_caller]
fn silent(run: &Run) {
    assert!(!run.err.contains(CANARY) && !run.out.contains(CANARY), "{}{}", run.out, run.err);
}

#[test]
fn a_start_that_fails_repeats_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let kafka = "[spooler]\ntype = \"kafka\"\nbootstrap_servers = \"127.0.0.1:9\"\ntopic = \"t\"\n";
    let sasl = "security_protocol = \"sasl_plaintext\"\n[spooler.sasl]\nmechanism = \"PLAIN\"\nusername = \"u\"\n";
    let open = secret(folder, "open", 0o644);
    let tls = format!(
        "{kafka}security_protocol = \"ssl\"\n[spooler.tls]\nkey_location = \"/missing.pem\"\nkey_password = \"{CANARY}\"\n"
    );
    let cases = [
        (format!("{kafka}{sasl}password = \"{CANARY}\nx"), "line "),
        (format!("{kafka}{sasl}password = \"{CANARY}\"\npasword = \"x\""), "pasword"),
        (
            format!("{kafka}{sasl}password = \"{CANARY}\"\npassword_file = \"/x\""),
            "either as password",
        ),
        (format!("{kafka}{sasl}password_file = \"{open}\""), "chmod"),
        (format!("{kafka}{sasl}password_file = \"/missing\""), "/missing"),
        (tls, "key.location"),
        (format!("[deployment]\nprivacy_key_file = \"{open}\""), "chmod"),
    ];
    for (text, says) in cases {
        let run = serve(folder, &text, &[], &[]).failed(64, &[says]);
        silent(&run);
    }
    let environment = [
        ("MLOPS_SPOOLER_TYPE", "KAFKA"),
        ("MLOPS_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9"),
        ("MLOPS_KAFKA_TOPIC_NAME", "t"),
        ("MLOPS_KAFKA_SASL_MECHANISM", "PLAIN"),
        ("MLOPS_KAFKA_SASL_PASSWORD", CANARY),
        ("MLOPS_KAFKA_SSL_KEY_PASSWORD", CANARY),
    ];
    // There is no user's name, and the protocol has no log-in.
    silent(&serve(folder, "", &environment, &[]).failed(64, &["sasl"]));
    let string = format!("spooler_type=kafka;topic_name=t;sasl_password={CANARY};pass={CANARY}");
    silent(&serve(folder, "", &[], &["--channel", &string]).failed(64, &["\"pass\""]));
    let string = format!("spooler_type=kafka;topic_name=t;{CANARY}");
    silent(&serve(folder, "", &[], &["--channel", &string]).failed(64, &["part 3"]));
}

#[test]
fn a_gateway_that_runs_tells_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let password = secret(path, "password", 0o600);
    let token = secret(path, "token", 0o640);
    let config = path.join("gateway.toml");
    let kafka = "[[spooler]]\ntype = \"kafka\"\nbootstrap_servers = \"127.0.0.1:9\"\ntopic = \"t\"\nretry_operator_ms = 50\nretry_ms = 50\n";
    let text = format!(
        "{kafka}security_protocol = \"sasl_ssl\"\nname = \"by-password\"\n\
         sasl = {{ mechanism = \"SCRAM-SHA-512\", username = \"u\", password_file = \"{password}\" }}\n\
         tls = {{ key_password = \"{CANARY}-key\" }}\n\
         {kafka}security_protocol = \"sasl_plaintext\"\nname = \"by-token\"\n\
         sasl = {{ mechanism = \"OAUTHBEARER\", token_file = \"{token}\" }}\n\
         {kafka}security_protocol = \"sasl_plaintext\"\nname = \"plain\"\n\
         sasl = {{ mechanism = \"PLAIN\", username = \"u\", password = \"{CANARY}-plain\" }}\n"
    );
    std::fs::write(&config, text).unwrap();
    let gateway = Serve::ridge(&path.join("outbox"))
        .with(&["--config", config.to_str().unwrap(), "--log", "trace"])
        .start();
    assert_eq!(gateway.predict(README_ROW).status, 200);
    // The token is none, so the channel waits for one, and says in which file.
    let ready = wait_until("a channel that waits for its token", || {
        let ready = gateway.get("/readyz").body;
        (ready.contains("by-token") && ready.contains("no JSON Web Token")).then_some(ready)
    });
    let metrics = gateway.get("/metrics").body;
    assert!(metrics.contains("spool_channel_paused{channel=\"by-token\"} 1"), "{metrics}");
    gateway.terminate();
    let log = gateway.log();
    assert!(log.contains("DEBUG") && log.contains("by-token"), "{log}");
    for told in [ready, metrics, log] {
        assert!(!told.contains(CANARY), "{told}");
    }
}
