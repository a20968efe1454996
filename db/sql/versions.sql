-- The state of the data that answers are made from.

-- announce_change --
-- Names the transaction and what it changes, on the channel of those who keep answers.
SELECT pg_notify('ratesgraph_data', pg_current_xact_id()::text || ' ' || %(change)s)

-- state_fingerprint --
-- One row: a digest of which batches count and of the whole tree. Uses price_batches_status_idx.
SELECT md5(concat_ws(
    '/',
    (SELECT count(*) FROM price_batches WHERE status = 'APPLIED'),
    (SELECT count(*) FROM price_batches WHERE status = 'REVERTED'),
    (SELECT string_agg(concat_ws(' ', id, coalesce(parent_id, 0), key, name), '/' ORDER BY id) FROM locations)
))
