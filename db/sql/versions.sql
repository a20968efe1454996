-- The state of the data that query responses are computed from.

-- announce_change --
-- Notifies the response caches of the transaction and its change. The channel ends with the OID of the schema (access.get_schema).
SELECT pg_notify(
    'ratesgraph_data_' || (SELECT relnamespace FROM pg_class WHERE oid = 'price_batches'::regclass),
    pg_current_xact_id()::text || ' ' || %(change)s
)

-- state_fingerprint --
-- One row: a digest of the numbers of applied and reverted batches, of the exchange rates, and of the whole tree with its aliases. Uses
-- price_batches_status_idx.
SELECT md5(concat_ws(
    '/',
    (SELECT count(*) FROM price_batches WHERE status = 'APPLIED'),
    (SELECT count(*) FROM price_batches WHERE status = 'REVERTED'),
    (SELECT concat_ws(' ', count(*), sum(usd_per_unit)) FROM exchange_rates),
    (SELECT string_agg(concat_ws(' ', id, coalesce(parent_id, 0), key, name), '/' ORDER BY id) FROM locations),
    (SELECT string_agg(concat_ws(' ', alias, key), '/' ORDER BY alias, key) FROM location_aliases)
))
