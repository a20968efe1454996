-- depends: 0002_exchange_rates

CREATE TABLE price_batches (
    id              bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT price_batches_pkey PRIMARY KEY,
    status          text NOT NULL CONSTRAINT price_batches_status_known CHECK (status IN ('QUEUED', 'APPLIED', 'REJECTED')),
    on_error        text NOT NULL CONSTRAINT price_batches_on_error_known CHECK (on_error IN ('REJECT_BATCH', 'SKIP_INVALID')),
    source          text NOT NULL,
    idempotency_key text CONSTRAINT price_batches_idempotency_key_unique UNIQUE,
    payload_sha256  bytea NOT NULL,
    item_count      integer NOT NULL DEFAULT 0,
    accepted_count  integer NOT NULL DEFAULT 0,
    rejected_count  integer NOT NULL DEFAULT 0,
    price_count     bigint NOT NULL DEFAULT 0,
    price_day_count bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz
);

COMMENT ON TABLE price_batches IS 'Batches of prices; the row is also the queue entry';

CREATE INDEX price_batches_status_idx ON price_batches (status, id);

CREATE TABLE batch_payloads (
    batch_id bigint CONSTRAINT batch_payloads_pkey PRIMARY KEY
             CONSTRAINT batch_payloads_batch_id_fkey REFERENCES price_batches (id) ON DELETE CASCADE,
    format   text NOT NULL,
    data     bytea NOT NULL
);

COMMENT ON TABLE batch_payloads IS 'What was uploaded, as it came, until the batch has ended';

-- Payloads arrive compressed or are deleted soon: compressing them again costs more than it saves.
ALTER TABLE batch_payloads ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE batch_rejections (
    batch_id bigint NOT NULL
             CONSTRAINT batch_rejections_batch_id_fkey REFERENCES price_batches (id) ON DELETE CASCADE,
    -- Both are null when the problem concerns the whole file.
    item     integer,
    field    text,
    code     text NOT NULL,
    severity text NOT NULL CONSTRAINT batch_rejections_severity_known CHECK (severity IN ('ERROR', 'WARNING')),
    message  text NOT NULL,
    value    text
);

COMMENT ON TABLE batch_rejections IS 'Problems of single items of a batch';

CREATE INDEX batch_rejections_batch_idx ON batch_rejections (batch_id, item);
