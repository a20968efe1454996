-- The state of the data that query responses are computed from, and its position in the write-ahead log.

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

-- locate_end --
-- One row: the end of the write-ahead log. Everything that was committed before lies before it.
SELECT pg_current_wal_insert_lsn()::text

-- locate_position --
-- One row: the end of the write-ahead log as a standby reports it, and the timeline. It also has the identifier of the
-- cluster, and the OIDs of the database and of a table, which a standby has too. After a full page the log goes on behind the
-- header of the next one, where no record ends. A standby reports the end of the page, 24 or 40 bytes before.
SELECT
    (position - CASE WHEN behind_page IN (24, 40) THEN behind_page ELSE 0 END)::text,
    ('x' || left(pg_walfile_name(position), 8))::bit(32)::int,
    (SELECT system_identifier::text FROM pg_control_system()),
    (SELECT concat_ws('/', oid, to_regclass('price_totals')::oid) FROM pg_database WHERE datname = current_database())
FROM (SELECT pg_current_wal_insert_lsn() AS position) AS wal
CROSS JOIN LATERAL (
    SELECT pg_wal_lsn_diff(position, '0/0') % current_setting('wal_block_size')::int AS behind_page
) AS page

-- announce_position --
-- One row: the end of the write-ahead log, before the notification. Notifications are delivered in the order of commits: with this one,
-- a process has received those of all changes before the position.
SELECT pg_current_wal_insert_lsn()::text, pg_notify(
    'ratesgraph_positions_' || (SELECT relnamespace FROM pg_class WHERE oid = 'price_batches'::regclass),
    %(token)s
)

-- describe_server --
-- One row about the server of a read replica. The timeline of a standby is the newest that it is known to have followed: without the
-- privileges of pg_monitor that is the one of its last restartpoint.
SELECT
    pg_is_in_recovery(),
    pg_postmaster_start_time()::text,
    (SELECT system_identifier::text FROM pg_control_system()),
    (SELECT concat_ws('/', oid, to_regclass('price_totals')::oid) FROM pg_database WHERE datname = current_database()),
    CASE
        WHEN pg_is_in_recovery() THEN greatest(
            (SELECT timeline_id FROM pg_control_checkpoint()), (SELECT received_tli FROM pg_stat_wal_receiver)
        )
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int
    END,
    current_setting('hot_standby_feedback')::boolean,
    EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')

-- measure_replay --
-- One row: whether the server is a standby, since when it runs, and whether it has replayed the position on the timeline. The timeline is
-- read from a file, and only at the end.
SELECT
    pg_is_in_recovery(),
    pg_postmaster_start_time()::text,
    CASE
        WHEN pg_last_wal_replay_lsn() >= %(position)s::pg_lsn THEN %(timeline)s = greatest(
            (SELECT timeline_id FROM pg_control_checkpoint()), (SELECT received_tli FROM pg_stat_wal_receiver)
        )
        ELSE false
    END
