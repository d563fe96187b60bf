-- What the records of a deployment came to, and what waits for its actual.
CREATE TABLE groups (
    id BIGINT PRIMARY KEY,
    deployment_id TEXT NOT NULL,
    body TEXT NOT NULL
);
