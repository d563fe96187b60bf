//! The table of keys: name, meaning, how it is set and shown.

use std::path::PathBuf;
use std::time::Duration;

use record::wire::DataType;
use serde_json::{Value, json};
use spool::channel::Secret;

use super::{Aggregator, Config};

/// A key of the file.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) ours: bool,
    pub(super) meaning: &'static str,
    pub(super) set: fn(&mut Config, &Value) -> Result<(), String>,
    pub(super) show: fn(&Config) -> Value,
}

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

macro_rules! key {
    (@ours ours) => { true };
    (@ours theirs) => { false };
    ($whose:ident $name:literal, $read:ident => $field:ident, $meaning:literal) => {
        Key {
            name: $name,
            ours: key!(@ours $whose),
            meaning: $meaning,
            set: |config, value| {
                config.$field = $read(value)?.into();
                Ok(())
            },
            show: |config| json!(config.$field),
        }
    };
    (nothing $name:literal, $meaning:literal) => {
        Key {
            name: $name,
            ours: false,
            meaning: $meaning,
            set: |config, value| {
                config.without_effect.insert($name.to_owned(), value.clone());
                Ok(())
            },
            show: |config| config.without_effect.get($name).cloned().unwrap_or_default(),
        }
    };
}

/// All keys but `channelConfigs`.
pub(super) const KEYS: &[Key] = &[
    key!(theirs "mlopsUrl", text => mlops_url, "The server: https://host, with a path if it has one"),
    Key {
        name: "apiToken",
        ours: false,
        meaning: "The token that the server knows the agent by; better given by MLOPS_API_TOKEN or apiTokenFile",
        set: |config, value| {
            // The shipped file has a text here that says what to put in its place.
            config.api_token =
                Some(text(value)?).filter(|token| !token.is_empty()).map(Secret::new);
            Ok(())
        },
        show: |config| config.api_token.as_ref().map(|_| REDACTED).into(),
    },
    key!(ours "apiTokenFile", path => api_token_file, "A file with the token, read again after each failure"),
    key!(ours "caCertificatePath", path => ca_certificate, "A file with the certificates to trust [the system's]"),
    key!(theirs "verifySSL", boolean => verify_ssl, "Whether the server's certificate is checked"),
    key!(theirs "runOnce", boolean => run_once, "Read what is there, report it and leave"),
    key!(theirs "dryRun", boolean => dry_run, "Read and sort, but report and acknowledge nothing"),
    key!(theirs "serverMode", boolean => server_mode, "Answer GET /stats, /config, /logs and POST /flush"),
    key!(ours "serverAddress", text => server_address, "The address to answer on"),
    key!(theirs "serverPort", port => server_port, "The port to answer on; 0 takes a free one"),
    key!(theirs "statsPath", path => stats_path, "A file that the statistics are written to"),
    key!(theirs "predictionEnvironmentId", id => prediction_environment_id, "Whose events tell how the channels are"),
    key!(theirs "httpTimeout", whole => http_timeout_ms, "Milliseconds that a call may take"),
    key!(theirs "httpConcurrentRequest", size => http_concurrent_request, "Most calls at the same time"),
    key!(theirs "agentMaxRecordsTask", size => max_records_task, "Most records that are read from a channel at once"),
    key!(theirs "agentMaxAggregatedRecords", size => max_aggregated_records, "So many waiting records make a call; the most in a call about requests"),
    key!(theirs "agentPendingRecordsTimeoutMs", whole => pending_records_timeout_ms, "So long waits the oldest record of a call at most"),
    Key {
        name: "aggregatorOverwrites",
        ours: false,
        meaning: "The two before for one type: [{type, agentMaxAggregatedRecords, agentPendingRecordsTimeoutMs}]",
        set: aggregators,
        show: |config| {
            let show = |(name, found): (&&str, &Aggregator)| {
                json!({"type": name, "agentMaxAggregatedRecords": found.records,
                    "agentPendingRecordsTimeoutMs": found.wait.as_millis() as u64})
            };
            config.aggregators.iter().map(show).collect::<Vec<_>>().into()
        },
    },
    key!(theirs "maxFeaturesToMonitor", size => max_features, "Most features of a record; those behind them are left out"),
    key!(theirs "samplesGroupSizeForMLOpsAPIEndpoint", size => samples_group_size, "Most rows of an entry; a longer record is cut"),
    key!(theirs "maxGroupsForMLOpsAPIEndpoint", size => max_groups, "Most entries with rows in a call"),
    key!(ours "rowsPerCall", size => rows_per_call, "Most rows of a call"),
    key!(ours "actualsPerCall", size => actuals_per_call, "Most actuals of a call"),
    key!(ours "callBytes", size => call_bytes, "Most bytes of a call with several records"),
    key!(ours "deploymentId", id => deployment_id, "The deployment of records that name none"),
    key!(ours "modelId", id => model_id, "The model of records that name none"),
    key!(ours "stateDirectory", needed_path => state_directory, "Where dead letters and parked records lie"),
    key!(ours "bufferBytes", size => buffer_bytes, "Most bytes of records in memory; a channel waits when they are there"),
    key!(ours "laneBytes", size => lane_bytes, "Most bytes in memory for one deployment and type"),
    key!(ours "parkedBytes", whole => parked_bytes, "Most bytes on disk of records that one deployment or type holds up"),
    key!(ours "deadLetterBytes", whole => dead_letter_bytes, "Most bytes of dead letters; when they are there, what would be one waits"),
    key!(ours "recentRecords", size => recent_records, "So many records that are done with are remembered, to drop repeats"),
    key!(ours "retryMs", whole => retry_ms, "Wait before a failed call is made again; it doubles each time"),
    key!(ours "retryMaxMs", whole => retry_max_ms, "Longest wait between failed calls"),
    key!(ours "retryAfterMaxMs", whole => retry_after_max_ms, "Longest wait that the server may ask for"),
    key!(ours "retryOperatorMs", whole => retry_operator_ms, "Longest wait before a fault is looked at again that only an operator can mend"),
    key!(ours "shutdownMs", whole => shutdown_ms, "So long the agent goes on reporting after it is told to stop"),
    key!(nothing "httpRetry", "Read and without effect: a call is made until the server takes or refuses it"),
    key!(nothing "numMLOpsConnections", "Read and without effect: there are as many connections as calls at the same time"),
    key!(nothing "agentThreadPoolSize", "Read and without effect: each channel has a thread"),
    key!(nothing "enableAckDequeue", "Read and without effect: what the server has taken is always acknowledged, and nothing else"),
    key!(nothing "datarobotAppVersion", "Read and without effect: all versions of the server are called alike"),
];

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        _other => Err("a text".to_owned()),
    }
}

fn id(value: &Value) -> Result<Option<String>, String> {
    Ok(Some(text(value)?).filter(|text| !text.is_empty()))
}

fn path(value: &Value) -> Result<Option<PathBuf>, String> {
    Ok(id(value)?.map(PathBuf::from))
}

fn needed_path(value: &Value) -> Result<PathBuf, String> {
    path(value)?.ok_or_else(|| "the path of a directory".to_owned())
}

fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(yes) => Ok(*yes),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _other => Err("true or false".to_owned()),
    }
}

fn whole(value: &Value) -> Result<u64, String> {
    let digits = value.as_str().and_then(|text| text.trim().parse().ok());
    value.as_u64().or(digits).ok_or_else(|| "a whole number, not negative".to_owned())
}

fn size(value: &Value) -> Result<usize, String> {
    usize::try_from(whole(value)?).map_err(|_| "a smaller number".to_owned())
}

fn port(value: &Value) -> Result<u16, String> {
    u16::try_from(whole(value)?).map_err(|_| "a port, 0 to 65535".to_owned())
}

fn aggregators(config: &mut Config, value: &Value) -> Result<(), String> {
    const SHAPE: &str = "a list of {type, agentMaxAggregatedRecords, agentPendingRecordsTimeoutMs}";
    let list = value.as_array().ok_or(SHAPE)?;
    config.aggregators.clear();
    for entry in list {
        let map = entry.as_object().ok_or(SHAPE)?;
        let kind = map.get("type").and_then(Value::as_str).ok_or(SHAPE)?;
        // The names of the wire, or those of the statistics.
        let plain = kind.to_ascii_uppercase().replace('-', "_");
        let known = DataType::ALL.into_iter().find(|known| known.name() == plain);
        let known = known.ok_or_else(|| {
            let names: Vec<&str> = DataType::ALL.iter().map(|known| known.name()).collect();
            format!("a list whose types are of {}", names.join(", "))
        })?;
        let mut aggregator = config.aggregator(known);
        for (key, value) in map {
            match key.as_str() {
                "type" => {}
                "agentMaxAggregatedRecords" => aggregator.records = size(value)?.max(1),
                "agentPendingRecordsTimeoutMs" => {
                    aggregator.wait = Duration::from_millis(whole(value)?);
                }
                _unknown => return Err(SHAPE.to_owned()),
            }
        }
        config.aggregators.insert(known.name(), aggregator);
    }
    Ok(())
}
