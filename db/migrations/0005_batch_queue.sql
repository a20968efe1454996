-- depends: 0004_prices

-- Workers apply batches from now on: attempts are counted, progress is visible, and an applied batch can be reverted.

ALTER TABLE price_batches DROP CONSTRAINT price_batches_status_known;

ALTER TABLE price_batches ADD CONSTRAINT price_batches_status_known
    CHECK (status IN ('QUEUED', 'RUNNING', 'APPLIED', 'REJECTED', 'FAILED', 'REVERTED'));

ALTER TABLE price_batches
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    -- Time of the next attempt. A worker advances it before it starts, so that a batch that kills its worker waits.
    ADD COLUMN next_attempt_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN started_at timestamptz,
    ADD COLUMN failure text,
    ADD COLUMN reverted_at timestamptz;

CREATE INDEX price_batches_waiting_idx ON price_batches (next_attempt_at) WHERE status IN ('QUEUED', 'RUNNING');

CREATE INDEX price_batches_ended_at_idx ON price_batches (ended_at);

-- A large payload is stored in parts, so that neither side ever holds all of it in memory.
ALTER TABLE batch_payloads ADD COLUMN part integer NOT NULL DEFAULT 0;

ALTER TABLE batch_payloads DROP CONSTRAINT batch_payloads_pkey;

ALTER TABLE batch_payloads ADD CONSTRAINT batch_payloads_pkey PRIMARY KEY (batch_id, part);

-- A revert deletes a batch's observations by its ID. Batches are appended one after the other, so a block range index is enough
-- and costs next to nothing to maintain.
CREATE INDEX prices_batch_idx ON prices USING brin (batch_id) WITH (autosummarize = on);

-- Rejections are numbered within their batch, so that they can be read page by page.
ALTER TABLE batch_rejections ADD COLUMN number integer NOT NULL DEFAULT 0;

UPDATE batch_rejections r
SET number = numbered.number
FROM (SELECT ctid AS place, row_number() OVER (PARTITION BY batch_id ORDER BY item) AS number FROM batch_rejections) AS numbered
WHERE r.ctid = numbered.place;

ALTER TABLE batch_rejections ALTER COLUMN number DROP DEFAULT;

DROP INDEX batch_rejections_batch_idx;

ALTER TABLE batch_rejections ADD CONSTRAINT batch_rejections_pkey PRIMARY KEY (batch_id, number);
