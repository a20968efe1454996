-- depends: 0008_api_tokens

-- Batches belong to their uploader, and so do idempotency keys: two uploaders may use the same key.

ALTER TABLE price_batches ADD COLUMN uploader text NOT NULL DEFAULT '';

COMMENT ON COLUMN price_batches.uploader IS 'Who uploaded it; empty where nobody had to say: the command line, and anyone on the own machine';

ALTER TABLE price_batches DROP CONSTRAINT price_batches_idempotency_key_unique;

ALTER TABLE price_batches ADD CONSTRAINT price_batches_idempotency_key_unique UNIQUE (idempotency_key, uploader);

CREATE INDEX price_batches_uploader_idx ON price_batches (uploader, id);
