-- Model packages, deployments, prediction environments.
CREATE TABLE prediction_environments (
    id TEXT PRIMARY KEY,
    created_us BIGINT NOT NULL,
    body TEXT NOT NULL
);
