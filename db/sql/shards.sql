-- Where a Citus cluster stores the totals of each origin, and what its workers have yet to commit. The catalogs of Citus are on
-- every node whose metadata are synchronised.

-- describe_layout --
-- One row: the placements of the shards (NULL if the totals are not distributed), the workers whose metadata are synchronised,
-- and the last location. The coordinator executes it whenever the data has changed. If one of the three differs, the owners of
-- lanes may have changed.
SELECT
    (
        SELECT string_agg(concat_ws(' ', s.shardid, s.shardminvalue, s.shardmaxvalue, p.groupid), ',' ORDER BY s.shardid, p.groupid)
        FROM pg_dist_shard s JOIN pg_dist_placement p ON p.shardid = s.shardid
        WHERE s.logicalrelid = to_regclass('price_totals')
    ),
    (
        SELECT string_agg(concat_ws(' ', groupid, nodename, nodeport), ',' ORDER BY groupid)
        FROM pg_dist_node
        WHERE isactive AND noderole = 'primary' AND metadatasynced AND groupid > 0
    ),
    (SELECT max(id) FROM locations)

-- has_catalogs --
-- One row: whether the catalogs of Citus exist.
SELECT to_regclass('pg_dist_shard') IS NOT NULL

-- list_nodes --
-- One row per worker that can plan queries itself: the number of its group, its host and its port.
SELECT groupid, nodename::text, nodeport
FROM pg_dist_node
WHERE isactive AND noderole = 'primary' AND metadatasynced AND groupid > 0
ORDER BY groupid

-- list_owners --
-- One row per origin: its ID and the shard with its totals. Citus computes the hash.
SELECT id, get_shard_id_for_distribution_column('price_totals', id) FROM locations

-- list_placements --
-- One row per shard of the totals: its ID and the group of the node that stores it.
SELECT s.shardid, p.groupid
FROM pg_dist_shard s JOIN pg_dist_placement p ON p.shardid = s.shardid
WHERE s.logicalrelid = to_regclass('price_totals')

-- identify_node --
-- At most one row: the identifier of the server that the coordinator reaches under this address.
SELECT result FROM run_command_on_workers('SELECT system_identifier FROM pg_control_system()')
WHERE nodename = %(host)s AND nodeport = %(port)s AND success

-- describe_node --
-- One row about a worker: its start time, the identifier of the server, its group, the placements of the shards in its
-- metadata, and its prepared transactions. Until these are committed, it answers without their rows.
SELECT
    pg_postmaster_start_time()::text,
    (SELECT system_identifier::text FROM pg_control_system()),
    (SELECT groupid FROM pg_dist_local_group),
    (
        SELECT string_agg(concat_ws(' ', s.shardid, s.shardminvalue, s.shardmaxvalue, p.groupid), ',' ORDER BY s.shardid, p.groupid)
        FROM pg_dist_shard s JOIN pg_dist_placement p ON p.shardid = s.shardid
        WHERE s.logicalrelid = to_regclass('price_totals')
    ),
    ARRAY(SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, 'citus_'))

-- run_on_shards --
-- Runs the command on all shards of the totals in parallel, each in a transaction of its own. One row per shard: whether the
-- command succeeded, and its value or its error. The command names the shard as %%1$s.
SELECT shardid, success, result FROM run_command_on_shards('price_totals', %(command)s)
