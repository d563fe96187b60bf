-- Model packages, deployments, prediction environments. What is not searched for lies in `body`, as JSON.
CREATE TABLE packages (
    id TEXT PRIMARY KEY,
    created_us BIGINT NOT NULL,
    body TEXT NOT NULL
);
-- The packages' files, by their digest.
CREATE TABLE artefacts (
    digest TEXT PRIMARY KEY,
    bytes {blob} NOT NULL
);
CREATE TABLE deployments (
    id TEXT PRIMARY KEY,
    created_us BIGINT NOT NULL,
    body TEXT NOT NULL
);
-- Which package took the place of which, and why; number 0 is the first package of a deployment.
CREATE TABLE replacements (
    deployment_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (deployment_id, number)
);
CREATE TABLE prediction_environments (
    id TEXT PRIMARY KEY,
    created_us BIGINT NOT NULL,
    body TEXT NOT NULL
);
-- Files that were uploaded: training data of external models.
CREATE TABLE datasets (
    id TEXT PRIMARY KEY,
    created_us BIGINT NOT NULL,
    name TEXT NOT NULL,
    bytes {blob} NOT NULL
);
-- Metrics that somebody defined, and batches, of a deployment.
CREATE TABLE definitions (
    id TEXT PRIMARY KEY,
    deployment_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    body TEXT NOT NULL
);
