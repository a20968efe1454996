-- Uploaded payloads, unchanged and split into parts, and keys of the messages that were merged into a payload.

-- insert_payload --
-- One row per part of the payload.
INSERT INTO batch_payloads (batch_id, part, format, data) VALUES (%(batch_id)s, %(part)s, %(format)s, %(data)s)

-- find_payload --
-- At most one row: format, number of parts and size in bytes of a batch's payload. Uses batch_payloads_pkey.
SELECT min(format) AS format, count(*) AS parts, sum(octet_length(data)) AS bytes
FROM batch_payloads
WHERE batch_id = %(batch_id)s
HAVING count(*) > 0

-- get_payload_part --
-- One row: a part, counted from 0. Uses batch_payloads_pkey.
SELECT data FROM batch_payloads WHERE batch_id = %(batch_id)s AND part = %(part)s

-- delete_old_payloads --
-- Deletes the payloads of batches that ended more than `days` ago. Uses price_batches_ended_at_idx and batch_payloads_pkey.
DELETE FROM batch_payloads p
USING price_batches b
WHERE b.id = p.batch_id AND b.ended_at < clock_timestamp() - %(days)s * interval '1 day'

-- find_keys --
-- One row per message ID that was stored from the source, with the digest of its content. Uses message_keys_pkey.
SELECT message_id, digest
FROM message_keys
WHERE source = %(source)s AND message_id = ANY(%(message_ids)s)

-- insert_keys --
-- One row per message of a batch. The statement waits for other transactions that are storing one of the IDs, and leaves out
-- the IDs that they have stored. The rows are sorted, which prevents deadlocks. Uses message_keys_pkey.
INSERT INTO message_keys (source, message_id, digest, batch_id, first_item)
SELECT %(source)s, message_id, digest, %(batch_id)s, first_item
FROM unnest(%(message_ids)s::text[], %(digests)s::bytea[], %(first_items)s::integer[]) AS given (message_id, digest, first_item)
ORDER BY message_id
ON CONFLICT (message_id, source) DO NOTHING

-- delete_old_keys --
-- Deletes the keys of batches that ended more than `days` ago, of the oldest `batches` batches that may have keys. Uses
-- message_keys_batch_idx and price_batches_pkey.
DELETE FROM message_keys
WHERE batch_id IN (
    SELECT id
    FROM (
        SELECT id, ended_at
        FROM price_batches
        WHERE id >= (SELECT min(batch_id) FROM message_keys)
        ORDER BY id
        LIMIT %(batches)s
    ) AS oldest
    WHERE ended_at < clock_timestamp() - %(days)s * interval '1 day'
)
