-- depends: 0009_batch_uploader

-- Audit trail. Rows are only ever appended, in the transaction of the change that they describe. They refer to batches by value:
-- the trail outlives the batches.

CREATE TABLE audit_entries (
    id       bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_entries_pkey PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    caller   text NOT NULL,
    action   text NOT NULL,
    batch_id bigint,
    detail   text NOT NULL
);

COMMENT ON TABLE audit_entries IS 'Who has changed what, and when; append-only';
COMMENT ON COLUMN audit_entries.caller IS E'token:\u2026, oidc:\u2026, "command" for the command line, "anyone" on the own machine';

CREATE INDEX audit_entries_at_idx ON audit_entries (at);
