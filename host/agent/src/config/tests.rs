//! The file of the library's agent, as it is shipped and as people change it.

use super::*;

const THEIRS: &str = r#"
mlopsUrl: "https://<MLOPS_HOST>"
apiToken: "canary-of-the-file"
runOnce: false
dryRun: false
verifySSL: true
serverMode: true
serverPort: 8081
statsPath: "/tmp/tracking-agent-stats.json"
httpTimeout: 20000
httpRetry: 1
httpConcurrentRequest: 10
numMLOpsConnections: 1
datarobotAppVersion: 2.18
agentThreadPoolSize: 4
agentMaxRecordsTask: 100
agentMaxAggregatedRecords: 10
agentPendingRecordsTimeoutMs: 2500
enableAckDequeue: true
maxFeaturesToMonitor: 300
samplesGroupSizeForMLOpsAPIEndpoint: 100
maxGroupsForMLOpsAPIEndpoint: 100
aggregatorOverwrites:
  - type: PREDICTIONS_DATA
    agentMaxAggregatedRecords: 7
predictionEnvironmentId: 65f0
channelConfigs:
  - type: "FS_SPOOL"
    details: {name: "files", spoolDirectoryPath: "/tmp/ta"}
  - type: "RABBITMQ_SPOOL"
    details: {name: "rabbit", queueUrl: "amqp://user:canary@h:5672", queueName: "q", caCertificatePath: "/c"}
  - type: "KAFKA_SPOOL"
    details: {name: "kafka", topicName: "t", bootstrapServers: "h:9092", ackDeadline: 600, MLOPS_KAFKA_CONSUMER_GROUP_ID: g, MLOPS_KAFKA_AUTO_RELEASE_OFFSET: latest}
"#;

/// Makes one setting wrong.
type Change = fn(&mut Config);

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, &BTreeMap::new())
}

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_librarys_file_is_taken_as_it_is() {
    let config = parse(THEIRS).unwrap();
    assert_eq!(config.http_timeout_ms, 20_000);
    assert_eq!(config.max_aggregated_records, 10);
    assert_eq!(config.aggregator(DataType::PredictionsData).records, 7);
    assert_eq!(config.aggregator(DataType::PredictionsData).wait, Duration::from_millis(2500));
    assert_eq!(config.aggregator(DataType::Event).records, 10);
    assert_eq!(config.prediction_environment_id.as_deref(), Some("65f0"));
    let [files, rabbit, kafka] = &config.channels[..] else { panic!("{:?}", config.channels) };
    assert_eq!((&*files.name, &*rabbit.name, &*kafka.name), ("files", "rabbit", "kafka"));
    let ChannelKind::Kafka(kafka) = &kafka.kind else { panic!("{kafka:?}") };
    assert_eq!((&*kafka.group_id, &*kafka.topic), ("g", "t"));
    assert_eq!(kafka.auto_offset_reset, spool::source::OffsetReset::Latest);
    let ChannelKind::RabbitMq(rabbit) = &rabbit.kind else { panic!("{rabbit:?}") };
    assert_eq!(rabbit.ca_location.as_deref(), Some("/c"));
}

#[test]
fn what_is_left_out_has_the_defaults_of_the_librarys_agent_but_the_group_begins_at_the_oldest() {
    let config = parse(
        "channelConfigs: [{type: KAFKA_SPOOL, details: {topicName: t, bootstrapServers: h}}]",
    )
    .unwrap();
    let found = [
        config.http_timeout_ms,
        config.http_concurrent_request as u64,
        config.max_records_task as u64,
        config.max_aggregated_records as u64,
        config.pending_records_timeout_ms,
        config.max_features as u64,
        config.samples_group_size as u64,
        config.max_groups as u64,
    ];
    assert_eq!(found, [30_000, 10, 100, 500, 5000, 300, 100, 100]);
    assert!(config.verify_ssl && !config.run_once && !config.server_mode);
    let ChannelKind::Kafka(kafka) = &config.channels[0].kind else { panic!() };
    assert_eq!(kafka.group_id, "tracking-agent");
    assert_eq!(kafka.auto_offset_reset, spool::source::OffsetReset::Earliest);
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn an_unknown_key_is_named_with_the_nearest() {
    for (text, key, nearest) in [
        ("mlopsURL: x", "mlopsURL", Some("mlopsUrl")),
        ("api_token: x", "api_token", Some("apiToken")),
        ("channelConfig: []", "channelConfig", Some("channelConfigs")),
        ("zzz: 1", "zzz", None),
        (
            "channelConfigs: [{type: KAFKA_SPOOL, details: {topic: t}}]",
            "channelConfigs[0].details.topic",
            Some("topicName"),
        ),
        (
            "channelConfigs: [{type: KAFKA_SPOOL, details: {consumerGroupId: t}}]",
            "channelConfigs[0].details.consumerGroupId",
            None,
        ),
        (
            "channelConfigs: [{type: FS_SPOOL, detail: {}}]",
            "channelConfigs[0].detail",
            Some("details"),
        ),
    ] {
        match parse(text) {
            Err(ConfigError::Unknown { key: found, nearest: like }) => {
                assert_eq!(found, key);
                if nearest.is_some() {
                    assert_eq!(like, nearest, "{text}");
                }
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_wrong_value_is_named_and_never_shown() {
    for (text, key) in [
        ("httpTimeout: canary", "httpTimeout"),
        ("verifySSL: canary", "verifySSL"),
        ("serverPort: 65536", "serverPort"),
        ("agentMaxRecordsTask: -1", "agentMaxRecordsTask"),
        ("aggregatorOverwrites: [{type: canary}]", "aggregatorOverwrites"),
        ("channelConfigs: [{type: SQS_SPOOL}]", "channelConfigs[0].type"),
        (
            "channelConfigs: [{type: RABBITMQ_SPOOL, details: {queueName: q}}]",
            "channelConfigs[0].details.queueUrl",
        ),
        ("channelConfigs: [{type: FS_SPOOL}]", "channelConfigs[0].details"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(key), "{text}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
    let error = parse("apiToken: \"canary\n").unwrap_err().to_string();
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn limits_are_checked_at_their_edges() {
    let good = Config {
        api_token: Some(Secret::new("t")),
        mlops_url: "http://h".into(),
        ..parse(THEIRS).unwrap()
    };
    good.check().unwrap();
    let wrong: [(&str, Change); 10] = [
        ("mlopsUrl", |c| c.mlops_url = "h".into()),
        ("mlopsUrl", |c| c.mlops_url.clear()),
        ("apiToken", |c| c.api_token = None),
        ("channelConfigs", |c| c.channels.clear()),
        ("httpConcurrentRequest", |c| c.http_concurrent_request = 257),
        ("httpConcurrentRequest", |c| c.http_concurrent_request = 0),
        ("samplesGroupSize", |c| c.samples_group_size = c.rows_per_call + 1),
        ("laneBytes", |c| c.lane_bytes = c.buffer_bytes + 1),
        ("retryMaxMs", |c| c.retry_max_ms = c.retry_ms - 1),
        ("details.name", |c| c.channels[1].name = c.channels[0].name.clone()),
    ];
    for (key, change) in wrong {
        let mut config = good.clone();
        change(&mut config);
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(key), "{key}: {error}");
    }
    let mut edge = good;
    edge.samples_group_size = edge.rows_per_call;
    edge.http_concurrent_request = 256;
    edge.check().unwrap();
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mlops.agent.conf.yaml");
    std::fs::write(&file, THEIRS).unwrap();
    let variables = environment(&[
        ("MLOPS_SERVICE_URL", "http://env"),
        ("MLOPS_API_TOKEN", "of the environment"),
    ]);
    let flags = Flags { config: Some(file.clone()), ..Flags::default() };
    let config = Config::load(&flags, &variables).unwrap();
    assert_eq!(config.mlops_url, "http://env");
    assert_eq!(config.api_token.as_ref().unwrap().reveal(), "of the environment");
    let flags = Flags {
        mlops_url: Some("http://flag".into()),
        spool_dir: Some("/s".into()),
        run_once: true,
        server_port: Some(0),
        ..flags
    };
    let config = Config::load(&flags, &variables).unwrap();
    assert_eq!((&*config.mlops_url, config.run_once, config.server_port), ("http://flag", true, 0));
    assert_eq!(config.channels.len(), 1);
    // The file may be named by the environment, and a channel may be described there.
    let named = environment(&[(CONFIG_VARIABLE, file.to_str().unwrap())]);
    assert_eq!(Config::load(&Flags::default(), &named).unwrap().channels.len(), 3);
    let spooler =
        environment(&[("MLOPS_SPOOLER_TYPE", "filesystem"), ("MLOPS_FILESYSTEM_DIRECTORY", "/x")]);
    assert_eq!(Config::load(&Flags::default(), &spooler).unwrap().channels.len(), 1);
}

#[test]
fn nothing_that_is_printed_holds_a_secret_and_it_can_be_read_again() {
    let config = parse(THEIRS).unwrap();
    let printed = config.describe();
    let all = format!("{printed} {} {config:?}", config.show());
    assert!(!all.contains("canary"), "{all}");
    let again = parse(&printed).unwrap();
    assert_eq!(again.http_timeout_ms, config.http_timeout_ms);
    assert_eq!(again.channels.len(), 3);
}
