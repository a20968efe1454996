-- Price batches, their payloads and their rejections.

-- insert_batch --
-- One row: the new batch's id, or none when the idempotency key is taken. Uses price_batches_idempotency_key_unique.
INSERT INTO price_batches (status, on_error, source, idempotency_key, payload_sha256)
VALUES ('QUEUED', %(on_error)s, %(source)s, %(idempotency_key)s, %(payload_sha256)s)
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING id

-- insert_payload --
-- One row per batch that came over the network.
INSERT INTO batch_payloads (batch_id, format, data) VALUES (%(batch_id)s, %(format)s, %(data)s)

-- get_batches --
-- One row per batch id that exists. Uses price_batches_pkey.
SELECT id, status, on_error, source, idempotency_key, payload_sha256, item_count, accepted_count, rejected_count,
       price_count, price_day_count, created_at, ended_at
FROM price_batches
WHERE id = ANY(%(ids)s)

-- find_batch_by_key --
-- At most one row. Uses price_batches_idempotency_key_unique.
SELECT id, status, on_error, source, idempotency_key, payload_sha256, item_count, accepted_count, rejected_count,
       price_count, price_day_count, created_at, ended_at
FROM price_batches
WHERE idempotency_key = %(idempotency_key)s

-- list_batches --
-- One row per batch older than the cursor, newest first; one more than asked for tells that a next page exists. Uses
-- price_batches_pkey, with a status price_batches_status_idx.
SELECT id, status, on_error, source, idempotency_key, payload_sha256, item_count, accepted_count, rejected_count,
       price_count, price_day_count, created_at, ended_at
FROM price_batches
WHERE (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(before_id)s::bigint IS NULL OR id < %(before_id)s)
ORDER BY id DESC
LIMIT %(limit)s

-- count_batches --
-- One row: how many batches match.
SELECT count(*) FROM price_batches WHERE %(status)s::text IS NULL OR status = %(status)s

-- claim_batch --
-- At most one row: the payload of the batch if it still waits. The lock lasts until the transaction ends, so a dead
-- process frees it, and whoever comes second skips it.
SELECT b.on_error, p.format, p.data
FROM price_batches b JOIN batch_payloads p ON p.batch_id = b.id
WHERE b.id = %(batch_id)s AND b.status = 'QUEUED'
FOR UPDATE OF b SKIP LOCKED

-- end_batch --
-- Marks the batch as ended, with what became of it.
UPDATE price_batches
SET status = %(status)s, item_count = %(item_count)s, accepted_count = %(accepted_count)s,
    rejected_count = %(rejected_count)s, price_count = %(price_count)s, price_day_count = %(price_day_count)s,
    ended_at = clock_timestamp()
WHERE id = %(batch_id)s

-- copy_rejections --
-- One row per problem of an item, in CSV.
COPY batch_rejections (batch_id, item, field, code, severity, message, value) FROM STDIN (FORMAT csv)

-- list_rejections --
-- One row per problem of the batch, by item. Uses batch_rejections_batch_idx.
SELECT item, field, code, message, value, severity
FROM batch_rejections
WHERE batch_id = %(batch_id)s
ORDER BY item NULLS FIRST, severity, field
LIMIT %(limit)s
