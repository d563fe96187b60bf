use super::*;
use crate::cli::{Cli, Command};
use clap::Parser as _;
use engine::Limits;
use gateway::privacy::{PrivacyAction, PrivacyRule};
use spool::ChannelSettings;

pub(super) fn load(flags: &[&str], environment: &[(&str, &str)]) -> Result<Config, CliError> {
    let line = ["outpost", "serve"].iter().chain(flags);
    let Command::Serve(args) = Cli::try_parse_from(line).unwrap().command else { unreachable!() };
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Config::load(&args, environment.collect())
}

/// The one channel of the settings.
fn only(config: Config) -> ChannelSettings {
    assert_eq!(config.channels.len(), 1, "{:?}", config.channels);
    config.channels.into_iter().next().unwrap().settings
}

pub(super) fn with_file(text: &str, flags: &[&str]) -> Result<Config, CliError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap();
    load(&[&["--model", "m.wasm", "--config", path], flags].concat(), &[])
}

/// What went wrong, in words.
pub(super) fn said(result: Result<Config, CliError>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.code(), crate::error::EXIT_USAGE);
    match &error {
        CliError::Settings(source) => source.to_string(),
        other => other.to_string(),
    }
}

#[test]
fn the_file_of_defaults_holds_the_defaults_of_the_rooms() {
    let config = load(&["--model", "m.wasm"], &[]).unwrap();
    assert_eq!(format!("{:?}", config.gateway), format!("{:?}", GatewaySettings::default()));
    assert_eq!(format!("{:?}", config.deployment), format!("{:?}", DeploymentSettings::default()));
    let fleet = format!("{:?}", config.fleet.settings);
    assert_eq!(fleet, format!("{:?}", FleetSettings::default()));
    assert_eq!(format!("{:?}", config.engine), format!("{:?}", EngineSettings::default()));
    assert_eq!(config.compile, CompileLimits::default());
    for (wasi, limits) in [(false, Limits::default()), (true, Limits::for_wasi())] {
        assert_eq!(format!("{:?}", config.limits.over(wasi)), format!("{limits:?}"));
    }
    assert_eq!(config.outbox, OutboxSettings::default());
    assert_eq!(config.channels, []);
}

#[test]
fn a_gateway_has_the_name_of_its_settings_or_none_yet() {
    let named = |name: &str| with_file(&format!("[gateway]\nname = {name:?}"), &[]);
    assert_eq!(named("ward 3").unwrap().gateway.name.as_deref(), Some("ward 3"));
    assert_eq!(with_file("", &[]).unwrap().gateway.name, None);
    for wrong in ["", "a\nb", &"g".repeat(65)] {
        let said = said(named(wrong));
        assert!(said.contains("gateway.name must be 1 to 64 characters"), "{said}");
    }
}

/// The two numbers of each comment are the defaults, and the keys are real ones.
#[test]
fn the_commented_limits_are_the_defaults() {
    for (wasi, limits) in [(false, Limits::default()), (true, Limits::for_wasi())] {
        let mut file = "[engine]\n".to_owned();
        let mut keys = 0;
        for line in DEFAULTS.lines() {
            let Some((key, rest)) = line.strip_prefix("# ").and_then(|it| it.split_once(" = "))
            else {
                continue;
            };
            let Some((closed, other)) = rest.split_once('#').filter(|_| key.ends_with("_max"))
            else {
                continue;
            };
            let Some((other, _)) = other.split_once(':') else { continue };
            let value = if wasi { other } else { closed };
            file += &format!("{key} = {}\n", value.trim());
            keys += 1;
        }
        assert_eq!(keys, 8, "{file}");
        // Given, they hold for every package.
        let config = with_file(&file, &[]).unwrap();
        assert_eq!(format!("{:?}", config.limits.over(!wasi)), format!("{limits:?}"));
    }
}

#[test]
fn the_commented_settings_of_the_spoolers_are_real_ones() {
    for (kind, keys) in [
        ("filesystem", ["directory", "max_file_bytes", "max_files", "rows_per_message"].as_slice()),
        (
            "kafka",
            &[
                "bootstrap_servers",
                "topic",
                "client_id",
                "message_bytes",
                "compression",
                "security_protocol",
                "delivery_timeout_ms",
                "linger_ms",
                "reconnect_max_ms",
                "retry_operator_ms",
            ],
        ),
        (
            "rabbitmq",
            &[
                "url",
                "queue",
                "rows_per_message",
                "message_bytes",
                "confirm_timeout_ms",
                "heartbeat_s",
                "connection_timeout_ms",
                "retry_ms",
                "retry_operator_ms",
            ],
        ),
        (
            "direct",
            &["endpoint", "token_file", "message_bytes", "timeout_ms", "retry_after_max_ms"],
        ),
        ("stdout", &["rows_per_message", "message_bytes", "retry_ms"]),
    ] {
        let lines = DEFAULTS.lines().filter_map(|line| line.strip_prefix("# "));
        let section =
            lines.skip_while(|line| !line.contains(&format!("type = \"{kind}\""))).skip(1);
        let commented: Vec<&str> = section
            .take_while(|line| !line.starts_with("With") && !line.starts_with('['))
            .collect();
        for key in keys {
            assert!(commented.iter().any(|line| line.starts_with(key)), "{kind}: {key}");
        }
        let text = format!("[spooler]\ntype = \"{kind}\"\n{}", commented.join("\n"));
        let from_comments = only(with_file(&text, &[]).unwrap());
        let needed = match kind {
            "kafka" => "bootstrap_servers = \"localhost:9092\"\ntopic = \"mlops\"",
            "rabbitmq" => "url = \"amqp://localhost:5672\"\nqueue = \"mlops\"",
            "direct" => "endpoint = \"https://mlops.example\"\ntoken_file = \"mlops.token\"",
            "stdout" => "",
            _ => "directory = \"spool\"",
        };
        let defaults = with_file(&format!("[spooler]\ntype = \"{kind}\"\n{needed}"), &[]);
        assert_eq!(from_comments, only(defaults.unwrap()));
    }
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let text = "[deployment]\nid = \"of-the-file\"\n[http]\nlisten = \"127.0.0.1:1\"\n";
    assert_eq!(with_file(text, &[]).unwrap().deployments[0].id.as_deref(), Some("of-the-file"));
    let flagged =
        with_file(text, &["--deployment-id", "of-the-flag", "--listen", "127.0.0.1:2"]).unwrap();
    assert_eq!(flagged.deployments[0].id.as_deref(), Some("of-the-flag"));
    assert_eq!(flagged.listen, "127.0.0.1:2");
    let of_both = load(
        &["--model", "m.wasm", "--spooler", "kafka", "--kafka-topic", "of-the-flag"],
        &[
            ("MLOPS_SPOOLER_TYPE", "FILESYSTEM"),
            ("MLOPS_KAFKA_TOPIC_NAME", "of-the-environment"),
            ("MLOPS_KAFKA_BOOTSTRAP_SERVERS", "broker:9092"),
            ("MLOPS_DEPLOYMENT_ID", "of-the-environment"),
        ],
    );
    let of_both = of_both.unwrap();
    assert_eq!(of_both.deployments[0].id.as_deref(), Some("of-the-environment"));
    let ChannelSettings::Kafka(kafka) = only(of_both) else { panic!("another kind") };
    assert_eq!(
        (kafka.topic.as_str(), kafka.bootstrap_servers.as_str()),
        ("of-the-flag", "broker:9092")
    );
}

#[test]
fn what_is_wrong_is_named() {
    assert!(said(load(&[], &[])).contains("--model"));
    assert!(said(with_file("[http]\nlisten_to = \"x\"", &[])).contains("listen_to"));
    assert!(
        said(with_file("[spooler]\ntype = \"none\"\ntopic = \"t\"", &[])).contains("spooler.topic")
    );
    assert!(
        said(with_file("[spooler]\ntype = \"kafka\"\ntopic = \"t\"", &[]))
            .contains("bootstrap_servers")
    );
    assert!(said(with_file("[spooler]\ntype = \"pigeon\"", &[])).contains("pigeon"));
    assert!(said(with_file("", &["--rabbitmq-queue", "q"])).contains("--spooler rabbitmq"));
    let url = "[spooler]\ntype = \"rabbitmq\"\nurl = \"amqp://u:canary@ /\"\nqueue = \"q\"";
    let url = said(with_file(url, &[]));
    assert!(url.contains("url must be") && !url.contains("canary"), "{url}");
    assert!(said(with_file("[engine]\nmode = \"hot\"", &[])).contains("warm or fresh"));
    assert!(said(with_file("", &["--kafka-topic", "t"])).contains("--spooler kafka"));
    assert!(
        said(load(&["--model", "m", "--spooler", "kafka"], &[]))
            .contains("MLOPS_KAFKA_BOOTSTRAP_SERVERS")
    );
}

#[test]
fn a_line_that_is_no_toml_is_named_and_not_shown() {
    let said = said(with_file("[log]\n[spooler.sasl]\npassword = \"canary\n", &[]));
    assert!(said.contains("line 3") && !said.contains("canary"), "{said}");
    let text =
        "[spooler]\ntype = \"kafka\"\n[spooler.sasl]\nmechanism = \"PLAIN\"\npassword = 5678";
    let said = self::said(with_file(text, &[]));
    assert!(said.contains("must be a text") && !said.contains("5678"), "{said}");
}

#[test]
fn what_is_private_is_read_and_what_makes_no_sense_is_named() {
    let privacy = |rule: &str| with_file(&format!("[[deployment.privacy]]\n{rule}\n"), &[]);
    let rule = |rule: &str| privacy(rule).unwrap().deployment.privacy.rules[0].clone();
    let feature = "feature = \"age\"\n";
    let read = rule(&format!("{feature}action = \"bucket\"\nwidth = 10"));
    let expected = PrivacyRule { feature: "age".into(), action: PrivacyAction::Width(10.0) };
    assert_eq!(read, expected);
    let read = rule(&format!("{feature}action = \"bucket\"\nedges = [18, 65.5]"));
    assert_eq!(read.action, PrivacyAction::Edges(vec![18.0, 65.5]));
    assert_eq!(rule(&format!("{feature}action = \"drop\"")).action, PrivacyAction::Drop);
    assert_eq!(rule(&format!("{feature}action = \"hash\"")).action, PrivacyAction::Hash);
    for (wrong, says) in [
        ("action = \"mask\"", "drop or hash or bucket"),
        ("action = \"bucket\"", "either a width or edges"),
        ("action = \"bucket\"\nwidth = 1\nedges = [1]", "either a width or edges"),
        ("action = \"hash\"\nwidth = 1", "only a bucket"),
        ("action = \"drop\"\nsalt = 1", "salt"),
    ] {
        let said = said(privacy(&format!("{feature}{wrong}")));
        assert!(said.contains(says), "{wrong}: {said}");
    }
    assert!(
        said(with_file("[deployment]\nassociation_ids = \"drop\"", &[])).contains("keep or hash")
    );
    let missing = "[deployment]\nprivacy_key_file = \"/missing/key\"";
    assert!(said(with_file(missing, &[])).contains("/missing/key"));
}

#[test]
fn channels_may_be_several_each_with_a_name() {
    let names = |config: &Config| {
        config.channels.iter().map(|channel| channel.name().to_owned()).collect::<Vec<_>>()
    };
    let text = r#"
        [[spooler]]
        type = "kafka"
        bootstrap_servers = "b:1"
        topic = "t"
        [[spooler]]
        type = "filesystem"
        directory = "/a"
        [[spooler]]
        type = "filesystem"
        name = "archive"
        directory = "/b"
    "#;
    assert_eq!(names(&with_file(text, &[]).unwrap()), ["kafka", "filesystem", "archive"]);
    let flagged = with_file(text, &["--kafka-topic", "of-the-flag"]).unwrap();
    let ChannelSettings::Kafka(kafka) = &flagged.channels[0].settings else {
        panic!("{flagged:?}")
    };
    assert_eq!(kafka.topic, "of-the-flag");
    let both = ["--spooler", "kafka", "--spooler", "FILESYSTEM", "--spool-dir", "/s"];
    let broker = ["--kafka-brokers", "b:1", "--kafka-topic", "t"];
    let string = ["--channel", "spooler_type=filesystem;name=archive;directory=/b"];
    let flags = [&both[..], &broker, &string].concat();
    assert_eq!(names(&with_file(text, &flags).unwrap()), ["kafka", "filesystem", "archive"]);
    assert_eq!(names(&with_file(text, &string).unwrap()), ["archive"]);
    assert_eq!(names(&with_file(text, &["--spooler", "none"]).unwrap()), [""; 0]);
}

#[test]
fn what_is_wrong_with_several_channels_is_named() {
    let two = |first: &str, second: &str| {
        format!(
            "[[spooler]]\ntype = \"filesystem\"\ndirectory = \"/a\"\n{first}\n\
             [[spooler]]\ntype = \"filesystem\"\ndirectory = \"/b\"\n{second}\n"
        )
    };
    let cases = [
        (two("", ""), &[][..], "two have the name \"filesystem\""),
        (two("name = \"a\"", "name = \"a\""), &[], "two have the name \"a\""),
        (two("name = \"A\"", ""), &[], "1 to 32 of a-z"),
        (two("name = 3", ""), &[], "name: invalid type"),
        (two("name = \"a\"", ""), &["--spool-dir", "/c"], "cannot say which"),
        (two("name = \"a\"", ""), &["--kafka-topic", "t"], "--spooler kafka"),
        ("spooler = 3".to_owned(), &[], "[[spooler]]"),
        (String::new(), &["--spooler", "none", "--spooler", "kafka"], "none cannot stand"),
        (String::new(), &["--spooler", "filesystem", "--kafka-topic", "t"], "--spooler kafka"),
        (String::new(), &["--channel", "spooler_type=filesystem;dir=/x"], "DIRECTORY"),
    ];
    for (text, flags, says) in cases {
        let said = said(with_file(&text, flags));
        assert!(said.contains(says), "{text} {flags:?}: {said}");
    }
}

const TWO: &str = "[deployment]\nrecord_class = \"durable\"\n\
    [[deployments]]\nid = \"a\"\nmodel = \"a.wasm\"\n\
    [[deployments]]\nid = \"b\"\nname = \"B\"\nmodel = \"b.wasm\"\nrecord_class = \"observe\"\n\
    [deployments.limits]\ncall_time_max = 200\n";

#[test]
fn deployments_take_from_the_common_table_what_they_leave_out() {
    let config = with_file(TWO, &[]).unwrap();
    let ids: Vec<_> = config.deployments.iter().map(|one| one.id.as_deref()).collect();
    assert_eq!(ids, [None, Some("a"), Some("b")]);
    let [flagged, a, b] = &config.deployments[..] else { panic!("{ids:?}") };
    let class = |one: &Named| one.settings.record_class;
    use gateway::RecordClass::{Durable, Observe};
    assert_eq!((class(flagged), class(a), class(b)), (Durable, Durable, Observe));
    assert_eq!((a.name.as_deref(), b.name.as_deref()), (None, Some("B")));
    assert_eq!(a.limits.over(false).call_deadline, Limits::default().call_deadline);
    assert_eq!(b.limits.over(true).call_deadline, Duration::from_millis(200));
    assert_eq!(b.limits.over(false).instances, Limits::default().instances);
}

#[test]
fn what_is_wrong_about_a_deployment_names_it() {
    let one = |text: &str| format!("[[deployments]]\nid = \"a\"\nmodel = \"a.wasm\"\n{text}");
    for (text, words) in [
        ("[[deployments]]\nmodel = \"a.wasm\"".to_owned(), "number 1"),
        ("[[deployments]]\nid = \"a\"".to_owned(), "`id` and `model`"),
        (one("record_clas = \"durable\""), "record_clas"),
        (one("record_class = \"sometimes\""), "record_class is observe or durable"),
        (one("[deployments.limits]\npool_slots = 1"), "limits.pool_slots is about all"),
        (one("[deployments.limits]\ncall_tim_max = 1"), "call_tim_max"),
        (format!("{}{}", one(""), one("")), "the id is there twice"),
        ("[deployment]\nname = \"x\"".to_owned(), "deployment.name belongs under"),
        ("[fleet]\nversions_kept = 1".to_owned(), "fleet.versions_kept must be at least 2"),
        ("[fleet]\nshadow_cpu_max = 1.01".to_owned(), "fleet.shadow_cpu_max must be"),
        ("[fleet]\nwatch_faults_max = 1.01".to_owned(), "fleet.watch_faults_max must be"),
        ("[fleet]\ndeployments_max = 0".to_owned(), "fleet.deployments_max must be"),
    ] {
        let said = said(with_file(&text, &[]));
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_gateway_may_begin_with_a_folder_alone() {
    let said = said(load(&[], &[]));
    assert!(said.contains("--models"), "{said}");
    let config = load(&["--models", "packages"], &[]).unwrap();
    assert_eq!(config.fleet.models, Some("packages".into()));
    assert_eq!(config.fleet.state, Some("state".into()));
    assert_eq!(load(&["--model", "m.wasm"], &[]).unwrap().fleet.state, None);
}
