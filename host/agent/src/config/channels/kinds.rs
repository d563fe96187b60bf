//! The table of kinds: which names the details of each may have.

/// A name of ours, in the library's manner.
pub(super) const PREFETCH_NAME: &str = "MLOPS_RABBITMQ_PREFETCH";

/// A kind of channel: its name in the file, the library's name of its kind, short names and long ones.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) spooler: &'static str,
    pub(super) aliases: &'static [(&'static str, &'static str)],
    pub(super) long: &'static [&'static str],
}

/// All kinds.
pub(super) const KINDS: [Kind; 3] = [
    Kind {
        name: "FS_SPOOL",
        spooler: "FILESYSTEM",
        aliases: &[
            ("spoolDirectoryPath", "MLOPS_FILESYSTEM_DIRECTORY"),
            ("directory", "MLOPS_FILESYSTEM_DIRECTORY"),
            ("ackDeadline", "MLOPS_FILESYSTEM_ACKNOWLEDGEMENT_DEADLINE"),
        ],
        long: &[
            "MLOPS_FILESYSTEM_DIRECTORY",
            "MLOPS_SPOOLER_DIR_PATH",
            "MLOPS_FILESYSTEM_MAX_FILE_SIZE",
            "MLOPS_FILESYSTEM_MAX_NUM_FILES",
            "MLOPS_FILESYSTEM_ACKNOWLEDGEMENT_DEADLINE",
        ],
    },
    Kind {
        name: "RABBITMQ_SPOOL",
        spooler: "RABBITMQ",
        aliases: &[
            ("queueUrl", "MLOPS_RABBITMQ_QUEUE_URL"),
            ("queueName", "MLOPS_RABBITMQ_QUEUE_NAME"),
            ("caCertificatePath", "MLOPS_RABBITMQ_SSL_CA_CERTIFICATE_PATH"),
            ("certificatePath", "MLOPS_RABBITMQ_SSL_CERTIFICATE_PATH"),
            ("keyfilePath", "MLOPS_RABBITMQ_SSL_KEYFILE_PATH"),
            ("tlsVersion", "MLOPS_RABBITMQ_SSL_TLS_VERSION"),
            ("prefetch", PREFETCH_NAME),
        ],
        long: &[
            "MLOPS_RABBITMQ_QUEUE_URL",
            "MLOPS_RABBITMQ_URL",
            "MLOPS_RABBITMQ_QUEUE_URL_FILE",
            "MLOPS_RABBITMQ_QUEUE_NAME",
            "MLOPS_RABBITMQ_SSL_CA_CERTIFICATE_PATH",
            "MLOPS_RABBITMQ_SSL_CERTIFICATE_PATH",
            "MLOPS_RABBITMQ_SSL_KEYFILE_PATH",
            "MLOPS_RABBITMQ_SSL_TLS_VERSION",
            PREFETCH_NAME,
        ],
    },
    Kind {
        name: "KAFKA_SPOOL",
        spooler: "KAFKA",
        aliases: &[
            ("topicName", "MLOPS_KAFKA_TOPIC_NAME"),
            ("bootstrapServers", "MLOPS_KAFKA_BOOTSTRAP_SERVERS"),
            ("ackDeadline", "MLOPS_KAFKA_ACK_DEADLINE"),
        ],
        long: &[
            "MLOPS_KAFKA_BOOTSTRAP_SERVERS",
            "MLOPS_KAFKA_TOPIC_NAME",
            "MLOPS_KAFKA_CONSUMER_GROUP_ID",
            "MLOPS_KAFKA_AUTO_RELEASE_OFFSET",
            "MLOPS_KAFKA_SESSION_TIMEOUT_MS",
            "MLOPS_KAFKA_CONSUMER_POLL_TIMEOUT_MS",
            "MLOPS_KAFKA_CONSUMER_MAX_NUM_MESSAGES",
            "MLOPS_KAFKA_ACK_DEADLINE",
            "MLOPS_KAFKA_REQUEST_TIMEOUT_MS",
            "MLOPS_KAFKA_DELIVERY_TIMEOUT_MS",
            "MLOPS_KAFKA_SOCKET_TIMEOUT_MS",
            "MLOPS_KAFKA_METADATA_MAX_AGE_MS",
            "MLOPS_KAFKA_LINGER_MS",
            "MLOPS_KAFKA_SOCKET_KEEPALIVE",
            "MLOPS_KAFKA_BUFFER_MAX_KB",
            "MLOPS_KAFKA_MESSAGE_BYTE_SIZE_LIMIT",
            "MLOPS_KAFKA_MAX_FLUSH_MS",
            "MLOPS_KAFKA_SECURITY_PROTOCOL",
            "MLOPS_KAFKA_SSL_CA_LOCATION",
            "MLOPS_KAFKA_SSL_CERTIFICATE_LOCATION",
            "MLOPS_KAFKA_SSL_KEY_LOCATION",
            "MLOPS_KAFKA_SSL_KEY_PASSWORD",
            "MLOPS_KAFKA_SSL_KEY_PASSWORD_FILE",
            "MLOPS_KAFKA_SASL_MECHANISM",
            "MLOPS_KAFKA_SASL_USERNAME",
            "MLOPS_KAFKA_SASL_PASSWORD",
            "MLOPS_KAFKA_SASL_PASSWORD_FILE",
            "MLOPS_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE",
            "MLOPS_KAFKA_SASL_OAUTHBEARER_CONFIG",
        ],
    },
];
