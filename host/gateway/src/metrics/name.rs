//! The names of all metrics, in one list.

use prometheus_client::metrics::MetricType;

/// A metric. Counters get `_total` when they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    BuildInfo,
    DeploymentRequests,
    DeploymentErrors,
    DeploymentInfo,
    PackageShare,
    PackageCalls,
    PackageRows,
    PackageCallSeconds,
    ComparedRows,
    ComparisonFailed,
    MeanDifference,
    LargestDifference,
    ChallengerShed,
    Requests,
    RequestSeconds,
    Rows,
    Actuals,
    Refused,
    UnknownFields,
    Inflight,
    Connections,
    ConnectionsClosed,
    EngineBatches,
    EngineWaits,
    EngineInstances,
    EngineInstancesCreated,
    EngineDiscarded,
    EngineReclaimed,
    EngineShared,
    EngineCompiled,
    EngineCacheHits,
    EngineCacheRefused,
    OutboxHealthy,
    OutboxQueuedRecords,
    OutboxQueuedBytes,
    OutboxStoredBytes,
    OutboxSegments,
    OutboxNextSeq,
    OutboxDurableSeq,
    OutboxRefused,
    OutboxLost,
    OutboxQuarantined,
    OutboxCommitSeconds,
    OutboxWriteErrors,
    ChannelDoneSeq,
    ChannelWaitingRecords,
    ChannelWaitingBytes,
    ChannelLagSeconds,
    ChannelSent,
    ChannelDelivered,
    ChannelRetries,
    ChannelRejected,
    ChannelDeadLetters,
    ChannelDeadLetterBytes,
    ChannelDeadLettersDropped,
    ChannelLost,
    ChannelInflight,
    ChannelPaused,
    ChannelLastSuccess,
}

impl Name {
    /// Name, type and help.
    pub(crate) fn describe(self) -> (&'static str, MetricType, &'static str) {
        use MetricType::{Counter, Gauge, Histogram};
        match self {
            Self::BuildInfo => ("gateway_build_info", Gauge, "What is running; always 1"),
            Self::DeploymentRequests => (
                "gateway_deployment_requests",
                Counter,
                "Prediction requests of a deployment, answered or not",
            ),
            Self::DeploymentErrors => (
                "gateway_deployment_errors",
                Counter,
                "Those that failed by the gateway's or the model's fault",
            ),
            Self::DeploymentInfo => (
                "gateway_deployment_info",
                Gauge,
                "Which package has which place in a deployment; always 1",
            ),
            Self::PackageShare => {
                ("gateway_package_share", Gauge, "Share of the requests that a package answers")
            }
            Self::PackageCalls => {
                ("gateway_package_calls", Counter, "Calls of a package, by outcome")
            }
            Self::PackageRows => ("gateway_package_rows", Counter, "Rows scored by a package"),
            Self::PackageCallSeconds => (
                "gateway_package_call_seconds",
                Gauge,
                "Time of a package's calls in the last minute or so, by quantile",
            ),
            Self::ComparedRows => (
                "gateway_compared_rows",
                Counter,
                "Rows that a canary or challenger and the champion have both scored",
            ),
            Self::ComparisonFailed => (
                "gateway_comparison_failures",
                Counter,
                "Requests that the champion has scored and a challenger has not",
            ),
            Self::MeanDifference => (
                "gateway_mean_difference",
                Gauge,
                "Mean of a canary's or challenger's prediction minus the champion's",
            ),
            Self::LargestDifference => (
                "gateway_largest_difference",
                Gauge,
                "Largest absolute difference from the champion's prediction",
            ),
            Self::ChallengerShed => (
                "gateway_challenger_shed",
                Counter,
                "Requests that a challenger did not score because its time was used up",
            ),
            Self::Requests => {
                ("gateway_requests", Counter, "Requests answered, by route and status")
            }
            Self::RequestSeconds => (
                "gateway_request_seconds",
                Histogram,
                "From the end of a prediction request's head to its answer",
            ),
            Self::Rows => ("gateway_rows", Counter, "Rows scored"),
            Self::Actuals => ("gateway_actuals", Counter, "Actuals that the outbox has taken"),
            Self::Refused => {
                ("gateway_refused", Counter, "Requests answered with a problem, by reason")
            }
            Self::UnknownFields => (
                "gateway_unknown_fields",
                Counter,
                "Fields left out because no feature, and no field of an actual, has their name",
            ),
            Self::Inflight => {
                ("gateway_inflight", Gauge, "Requests for predictions and with actuals in progress")
            }
            Self::Connections => ("gateway_connections", Gauge, "Connections open"),
            Self::ConnectionsClosed => (
                "gateway_connections_closed",
                Counter,
                "Connections closed by the gateway, by reason",
            ),
            Self::EngineBatches => {
                ("engine_batches", Counter, "Batches given to the model, by outcome")
            }
            Self::EngineWaits => ("engine_waits", Counter, "Batches that waited for an instance"),
            Self::EngineInstances => ("engine_instances", Gauge, "Instances that exist"),
            Self::EngineInstancesCreated => ("engine_instances_created", Counter, "Instances made"),
            Self::EngineDiscarded => {
                ("engine_instances_discarded", Counter, "Instances that broke, by how")
            }
            Self::EngineReclaimed => (
                "engine_instances_reclaimed",
                Counter,
                "Instances made in the slot of another deployment's, because all slots were taken",
            ),
            Self::EngineShared => (
                "engine_packages_shared",
                Counter,
                "Packages whose machine code another deployment had in memory",
            ),
            Self::EngineCompiled => ("engine_packages_compiled", Counter, "Packages compiled"),
            Self::EngineCacheHits => {
                ("engine_cache_hits", Counter, "Packages whose machine code came from the cache")
            }
            Self::EngineCacheRefused => {
                ("engine_cache_refused", Counter, "Files of the compile cache that were not taken")
            }
            Self::OutboxHealthy => {
                ("spool_outbox_healthy", Gauge, "1 while the disk takes records")
            }
            Self::OutboxQueuedRecords => {
                ("spool_queued_records", Gauge, "Records between the requests and the disk")
            }
            Self::OutboxQueuedBytes => ("spool_queued_bytes", Gauge, "Bytes of these records"),
            Self::OutboxStoredBytes => ("spool_stored_bytes", Gauge, "Bytes of all segments"),
            Self::OutboxSegments => ("spool_segments", Gauge, "Segments on disk"),
            Self::OutboxNextSeq => ("spool_next_seq", Gauge, "Number that the next record gets"),
            Self::OutboxDurableSeq => {
                ("spool_durable_seq", Gauge, "Number of the last durable record")
            }
            Self::OutboxRefused => {
                ("spool_records_refused", Counter, "Records not taken, by reason")
            }
            Self::OutboxLost => (
                "spool_records_lost",
                Counter,
                "Records that are gone, by reason, since the outbox was made",
            ),
            Self::OutboxQuarantined => (
                "spool_segments_quarantined",
                Gauge,
                "Damaged segments that were set aside and not removed",
            ),
            Self::OutboxCommitSeconds => (
                "spool_commit_seconds",
                Histogram,
                "From taking a batch of records to its being durable",
            ),
            Self::OutboxWriteErrors => {
                ("spool_write_errors", Counter, "Writes and syncs that failed")
            }
            Self::ChannelDoneSeq => {
                ("spool_channel_done_seq", Gauge, "Last record that a channel is done with")
            }
            Self::ChannelWaitingRecords => {
                ("spool_channel_waiting_records", Gauge, "Durable records that wait for a channel")
            }
            Self::ChannelWaitingBytes => {
                ("spool_channel_waiting_bytes", Gauge, "Bytes of these records")
            }
            Self::ChannelLagSeconds => (
                "spool_channel_lag_seconds",
                Gauge,
                "Age of the oldest record that waits for a channel",
            ),
            Self::ChannelSent => {
                ("spool_channel_sent_messages", Counter, "Messages handed over, resent ones too")
            }
            Self::ChannelDelivered => {
                ("spool_channel_delivered_records", Counter, "Records that the other side has")
            }
            Self::ChannelRetries => {
                ("spool_channel_retries", Counter, "Times that sending began again from the cursor")
            }
            Self::ChannelRejected => (
                "spool_channel_rejected_records",
                Counter,
                "Records that the other side will never take",
            ),
            Self::ChannelLost => {
                ("spool_channel_lost_records", Counter, "Records that were damaged in the outbox")
            }
            Self::ChannelInflight => {
                ("spool_channel_inflight_records", Gauge, "Records sent and not answered yet")
            }
            Self::ChannelDeadLetters => (
                "spool_channel_dead_letters",
                Gauge,
                "Rejected records that lie in a channel's dead letters",
            ),
            Self::ChannelDeadLetterBytes => {
                ("spool_channel_dead_letter_bytes", Gauge, "Bytes of a channel's dead letters")
            }
            Self::ChannelDeadLettersDropped => (
                "spool_channel_dead_letters_dropped",
                Counter,
                "Dead letters dropped because there was no room for them",
            ),
            Self::ChannelLastSuccess => (
                "spool_channel_last_success_age_seconds",
                Gauge,
                "Time since a channel delivered something, or since the start when it never did",
            ),
            Self::ChannelPaused => {
                ("spool_channel_paused", Gauge, "1 while only an operator can make a channel go on")
            }
        }
    }
}
