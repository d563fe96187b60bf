-- What lists show of files and batches beside what they had.

-- When a file was deleted, microseconds since 1970; 0 while it is here. Its row stays, so that it is known to be gone.
ALTER TABLE datasets ADD COLUMN deleted_us BIGINT NOT NULL DEFAULT 0;
-- How long it is.
ALTER TABLE datasets ADD COLUMN byte_count BIGINT NOT NULL DEFAULT 0;
UPDATE datasets SET byte_count = LENGTH(bytes);

-- Requests of a batch that failed, and what its predictions add up to.
ALTER TABLE batches ADD COLUMN user_errors BIGINT NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN system_errors BIGINT NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN prediction_sum DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN prediction_count BIGINT NOT NULL DEFAULT 0;
