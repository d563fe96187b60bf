//! Apache Kafka, read as a member of a consumer group.
//!
//! The position of a partition is one number, so what is committed is the last message before which all are
//! acknowledged, and never more: the client's own commits are off. A commit waits for the broker's answer.
//!
//! When the group is dealt out anew, a partition may go to another member. Its tokens are void then; what was not
//! committed comes again there. When it stays, it comes again here, because the client begins anew at what is
//! committed.
//!
//! | what the client says | then |
//! |---|---|
//! | no such topic, not permitted, wrong credentials | an error for an operator |
//! | connection trouble | the client mends it; an error when nothing comes meanwhile |
//! | fatal | the client is built anew; all tokens are void |

mod settings;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};

pub use self::settings::{Isolation, KafkaSourceSettings, OffsetReset};
use super::ledger::Ledger;
use super::{Form, RECEIVE_BYTES, Received, Source, SourceError, Token};
use crate::channel::kafka::{TokenFile, log, needs_operator, plain};

/// How long the client may take to go back in a partition.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);
const NAME: &str = "kafka";

/// A topic, being read.
pub struct KafkaSource {
    settings: KafkaSourceSettings,
    config: ClientConfig,
    client: Option<Client>,
    dealt: Arc<Mutex<Vec<i32>>>,
    partitions: HashMap<i32, Partition>,
    next_token: u64,
}

type Client = BaseConsumer<Context>;

/// What was given out of a partition that is ours.
#[derive(Debug, Default)]
struct Partition {
    ledger: Ledger<i64>,
    /// The next offset to read, after the last one that is done with, until the broker has noted it.
    commit: Option<i64>,
}

/// Hears of partitions that come and go.
struct Context {
    /// Partitions that were dealt out or taken away since we last looked.
    dealt: Arc<Mutex<Vec<i32>>>,
    tokens: Option<TokenFile>,
}

impl std::fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSource")
            .field("settings", &self.settings)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(
        &self,
        _config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        Ok(TokenFile::token_of(self.tokens.as_ref())?)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka client has trouble");
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let (what, list) = match rebalance {
            Rebalance::Assign(list) => ("Partitions are ours", list),
            Rebalance::Revoke(list) => ("Partitions are no longer ours", list),
            Rebalance::Error(error) => return tracing::warn!(%error, "Kafka group has trouble"),
        };
        let partitions: Vec<i32> = list.elements().iter().map(|part| part.partition()).collect();
        tracing::info!(?partitions, "{what}");
        self.dealt.lock().extend(partitions);
    }
}

impl KafkaSource {
    /// Begins to read a topic. A broker that cannot be reached is no error: it is waited for.
    ///
    /// # Errors
    ///
    /// When a setting is wrong.
    pub fn open(settings: KafkaSourceSettings) -> Result<Self, SourceError> {
        let config = settings.client_config()?;
        let mut source = Self {
            settings,
            config,
            client: None,
            dealt: Arc::default(),
            partitions: HashMap::new(),
            next_token: 0,
        };
        source.client = Some(source.connect()?);
        Ok(source)
    }

    fn connect(&self) -> Result<Client, SourceError> {
        let tokens = self.settings.security().tokens();
        let context = Context { dealt: Arc::clone(&self.dealt), tokens };
        let connect = || {
            let client: Client = BaseConsumer::from_config_and_context(&self.config, context)?;
            client.subscribe(&[&self.settings.topic])?;
            Ok(client)
        };
        connect().map_err(|error| self.failed("start to read from", &error))
    }

    /// The next message that is to be given out. None when there is none in time.
    fn next(&mut self, until: Instant) -> Result<Option<Received>, SourceError> {
        let mut trouble = None;
        loop {
            if self.client.is_none() {
                self.client = Some(self.connect()?);
            }
            let Some(client) = &self.client else { return Ok(None) };
            let polled = client.poll(until.saturating_duration_since(Instant::now()));
            let polled = polled.map(|polled| {
                polled.map(|message| {
                    let body = message.payload().unwrap_or_default().to_vec();
                    (message.partition(), message.offset(), body)
                })
            });
            self.note_dealt();
            match polled {
                Some(Ok((partition, offset, body))) => {
                    let token = Token(self.next_token);
                    self.next_token += 1;
                    let partition = self.partitions.entry(partition).or_default();
                    if partition.ledger.note(token, offset) {
                        return Ok(Some(Received { token, form: Form::Json, body }));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => self.hear(error, &mut trouble)?,
                // A group that is dealt out anew ends a poll early.
                None if Instant::now() < until => {}
                None => return trouble.map_or(Ok(None), Err),
            }
        }
    }

    /// An error of the client: at once when nothing but a hand will mend it, else only if nothing comes.
    fn hear(
        &mut self,
        error: KafkaError,
        trouble: &mut Option<SourceError>,
    ) -> Result<(), SourceError> {
        let failed = self.failed("read from", &error);
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            tracing::warn!(%error, "Kafka client built anew after a fatal error");
            self.client = None;
            self.partitions.clear();
            return Err(failed);
        }
        if failed.needs_operator {
            return Err(failed);
        }
        *trouble = Some(failed);
        Ok(())
    }

    /// Forgets what was given out of partitions that were taken away or dealt out anew.
    fn note_dealt(&mut self) {
        for partition in std::mem::take(&mut *self.dealt.lock()) {
            self.partitions.remove(&partition);
        }
    }

    fn list(&self, offsets: &[(i32, i64)]) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            let offset = Offset::Offset(*offset);
            list.add_partition_offset(&self.settings.topic, *partition, offset)?;
        }
        Ok(list)
    }

    fn failed(&self, action: &'static str, error: &KafkaError) -> SourceError {
        let needs_operator = error.rdkafka_error_code().is_some_and(needs_operator);
        let retry_after =
            if needs_operator { self.settings.retry_operator_ms } else { self.settings.retry_ms };
        SourceError {
            action,
            source_name: NAME,
            reason: format!("topic {:?}: {}", self.settings.topic, plain(error)),
            retry_after: Duration::from_millis(retry_after),
            needs_operator,
        }
    }
}

impl Source for KafkaSource {
    fn name(&self) -> &'static str {
        NAME
    }

    fn receive(&mut self, messages: usize, wait: Duration) -> Result<Vec<Received>, SourceError> {
        let until = Instant::now() + wait;
        let mut received: Vec<Received> = Vec::new();
        let mut bytes = 0;
        while received.len() < messages && bytes < RECEIVE_BYTES {
            // Only the first is waited for.
            let until = if received.is_empty() { until } else { Instant::now() };
            match self.next(until) {
                Ok(Some(message)) => {
                    bytes += message.body.len();
                    received.push(message);
                }
                Ok(None) => break,
                Err(error) if received.is_empty() => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "Kafka has trouble");
                    break;
                }
            }
        }
        Ok(received)
    }

    fn acknowledge(&mut self, tokens: &[Token]) -> Result<(), SourceError> {
        self.note_dealt();
        for token in tokens {
            // A token of a partition that is no longer ours is nowhere.
            let _known = self.partitions.values_mut().any(|part| part.ledger.settle(*token));
        }
        for partition in self.partitions.values_mut() {
            if let Some(offset) = partition.ledger.advance() {
                partition.commit = Some(offset + 1);
            }
        }
        let commits: Vec<(i32, i64)> = self
            .partitions
            .iter()
            .filter_map(|(number, part)| Some((*number, part.commit?)))
            .collect();
        let Some(client) = self.client.as_ref().filter(|_| !commits.is_empty()) else {
            return Ok(());
        };
        let commit = || client.commit(&self.list(&commits)?, CommitMode::Sync);
        commit().map_err(|error| self.failed("acknowledge to", &error))?;
        for partition in self.partitions.values_mut() {
            partition.commit = None;
        }
        Ok(())
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.note_dealt();
        let mut back = Vec::new();
        for (number, partition) in &mut self.partitions {
            if let Some(offset) = partition.ledger.first() {
                back.push((*number, offset));
            }
            partition.ledger.rewind();
        }
        let Some(client) = self.client.as_ref().filter(|_| !back.is_empty()) else { return Ok(()) };
        let sought = self.list(&back).and_then(|list| client.seek_partitions(list, SEEK_TIMEOUT));
        let failed = match sought {
            Ok(list) => list.elements().iter().find_map(|part| part.error().err()),
            Err(error) => Some(error),
        };
        let Some(error) = failed else { return Ok(()) };
        // Nobody knows where the client goes on; a new one goes on at what is committed.
        self.client = None;
        self.partitions.clear();
        Err(self.failed("go back in", &error))
    }
}

#[cfg(test)]
mod tests;
