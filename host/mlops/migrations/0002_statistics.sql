-- What the records of a deployment came to, and what waits for its actual.

-- Whose records are counted together: a model, its package, its part, the gateway, and the plan of the bins.
CREATE TABLE groups (
    id BIGINT PRIMARY KEY,
    deployment_id TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX groups_deployment ON groups (deployment_id);

-- What a group came to in an hour (hours since 1970, by the devices' clocks).
CREATE TABLE rollups (
    group_id BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    body {blob} NOT NULL,
    PRIMARY KEY (group_id, hour)
);
CREATE INDEX rollups_hour ON rollups (hour);

-- What each commit has to remember of single records, until it is folded.
CREATE TABLE blocks (
    id BIGINT PRIMARY KEY,
    taken_us BIGINT NOT NULL,
    body {blob} NOT NULL
);

-- Blocks, sorted and cut into shards; filters that say what a fold cannot have. One that is not done is swept away at
-- the start: its blocks are still there.
CREATE TABLE folds (
    id BIGINT PRIMARY KEY,
    done BIGINT NOT NULL,
    bits BIGINT NOT NULL,
    newest_us BIGINT NOT NULL,
    records {blob} NOT NULL,
    predictions {blob} NOT NULL,
    actuals {blob} NOT NULL
);
CREATE TABLE pending (
    fold BIGINT NOT NULL,
    shard BIGINT NOT NULL,
    body {blob} NOT NULL,
    PRIMARY KEY (fold, shard)
);

-- What was not taken, by reason, with the newest example.
CREATE TABLE refusals (
    deployment_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    field TEXT NOT NULL,
    reason TEXT NOT NULL,
    entries BIGINT NOT NULL,
    last_record TEXT NOT NULL,
    last_us BIGINT NOT NULL,
    PRIMARY KEY (deployment_id, kind, field, reason)
);

-- Clocks that are wrong, by gateway.
CREATE TABLE skew (
    deployment_id TEXT NOT NULL,
    gateway TEXT NOT NULL,
    entries BIGINT NOT NULL,
    unreadable BIGINT NOT NULL,
    ahead_us BIGINT NOT NULL,
    behind_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    PRIMARY KEY (deployment_id, gateway)
);

CREATE TABLE batches (
    deployment_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    requests BIGINT NOT NULL,
    predictions BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    PRIMARY KEY (deployment_id, batch_id)
);

-- Rows of the running hour, where a deployment has a limit.
CREATE TABLE limits (
    deployment_id TEXT PRIMARY KEY,
    hour BIGINT NOT NULL,
    row_count BIGINT NOT NULL
);

CREATE TABLE metric_values (
    deployment_id TEXT NOT NULL,
    metric_id TEXT NOT NULL,
    model_id TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    value DOUBLE PRECISION NOT NULL
);
CREATE INDEX metric_values_time ON metric_values (deployment_id, metric_id, at_us);

CREATE TABLE events (
    id TEXT PRIMARY KEY,
    deployment_id TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_time ON events (deployment_id, at_us);

-- The first hour whose statistics are kept.
CREATE TABLE horizon (
    id BIGINT PRIMARY KEY,
    hour BIGINT NOT NULL
);
