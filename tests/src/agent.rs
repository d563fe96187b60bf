//! The public monitoring agent, run from its jar: it reads channels and posts to a server.

use crate::{binary::text, parts, server::Server};
use std::fs::File;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The agent, running. Dropped, it is killed; when the story is failing, what it said is printed.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    folder: TempDir,
}

/// A channel for it to read.
#[derive(Debug)]
pub enum AgentChannel<'a> {
    /// A spool folder.
    Files(&'a std::path::Path),
    /// Brokers and a topic.
    Kafka(String, &'a str),
    /// A broker's URL and a queue.
    RabbitMq(String, &'a str),
}

impl Agent {
    /// Starts it on these channels, or none when the story has to be skipped.
    pub fn start(server: &Server, channels: &[AgentChannel<'_>]) -> Option<Self> {
        let jar = parts::agent()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let channels: String = channels.iter().enumerate().map(AgentChannel::yaml).collect();
        // What is pending is posted after a second, or three stories in a row would wait for it.
        let settings = format!(
            "mlopsUrl: \"{}\"\napiToken: \"TOKEN\"\nverifySSL: false\nstatsPath: {:?}\n\
             agentPendingRecordsTimeoutMs: 1000\nchannelConfigs:\n{channels}",
            server.url(),
            path("stats.json"),
        );
        std::fs::write(path("agent.yaml"), settings).expect("a temporary folder takes a file");
        std::fs::write(path("log.properties"), LOG).expect("a temporary folder takes a file");
        let said = File::create(path("said")).expect("a temporary folder takes a file");
        let mut java = Command::new("java");
        java.arg(format!("-Dlog4j.configurationFile={}", text(&path("log.properties"))));
        java.args(["-Xmx512m", "-jar"]).arg(jar).arg("--config").arg(path("agent.yaml"));
        java.current_dir(folder.path()).stdin(Stdio::null());
        java.stderr(said.try_clone().expect("a file has a second handle")).stdout(said);
        let child = java.spawn().expect("java starts");
        Some(Self { child, folder })
    }
}

/// Everything of weight, on standard output.
const LOG: &str = "status = error
name = Story
appender.console.type = Console
appender.console.name = OUT
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = OUT
";

impl AgentChannel<'_> {
    /// With nothing but what it needs.
    pub(crate) fn plain_yaml((at, channel): (usize, &Self)) -> String {
        let name = format!("name: \"channel-{at}\"");
        match channel {
            Self::Kafka(brokers, topic) => format!(
                "  - type: \"KAFKA_SPOOL\"\n    details: {{{name}, topicName: \"{topic}\", \
                 bootstrapServers: \"{brokers}\", MLOPS_KAFKA_CONSUMER_GROUP_ID: \"agent-of-{topic}\", \
                 MLOPS_KAFKA_SESSION_TIMEOUT_MS: 6000}}\n"
            ),
            other => Self::yaml((at, other)),
        }
    }

    fn yaml((at, channel): (usize, &Self)) -> String {
        let name = format!("name: \"channel-{at}\"");
        match channel {
            Self::Files(folder) => format!(
                "  - type: \"FS_SPOOL\"\n    details: {{{name}, spoolDirectoryPath: {folder:?}}}\n"
            ),
            // Without these two it would begin at the end of the topic.
            Self::Kafka(brokers, topic) => format!(
                "  - type: \"KAFKA_SPOOL\"\n    details: {{{name}, topicName: \"{topic}\", \
                 bootstrapServers: \"{brokers}\", MLOPS_KAFKA_AUTO_RELEASE_OFFSET: \"earliest\", \
                 MLOPS_KAFKA_CONSUMER_GROUP_ID: \"agent-of-{topic}\"}}\n"
            ),
            Self::RabbitMq(url, queue) => format!(
                "  - type: \"RABBITMQ_SPOOL\"\n    details: {{{name}, queueUrl: \"{url}\", \
                 queueName: \"{queue}\"}}\n"
            ),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.folder.path().join("said"));
            eprintln!("--- the agent said\n{}---", said.unwrap_or_default());
        }
    }
}
