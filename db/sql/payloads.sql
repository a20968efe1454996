-- Uploaded payloads, unchanged and split into parts.

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
