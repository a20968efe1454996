-- Distribution over the nodes of a Citus cluster. Only the coordinator executes these statements, find_citus excepted.

-- find_citus --
-- At most one row: the version of the extension in this database.
SELECT extversion FROM pg_extension WHERE extname = 'citus'

-- describe_cluster --
-- One row: whether this server is the coordinator, whether the metadata contain the coordinator, and the number of active nodes
-- that take shards.
SELECT (SELECT groupid = 0 FROM pg_dist_local_group),
       EXISTS (SELECT FROM pg_dist_node WHERE groupid = 0 AND isactive),
       (SELECT count(*) FROM pg_dist_node WHERE isactive AND shouldhaveshards AND noderole = 'primary')

-- list_distributed_tables --
-- One row per distributed table of this installation: its name and its number of shards. A reference table has one.
SELECT c.relname::text, (SELECT count(*) FROM pg_dist_shard s WHERE s.logicalrelid = d.logicalrelid)
FROM pg_dist_partition d JOIN pg_class c ON c.oid = d.logicalrelid
WHERE d.logicalrelid IN ('locations'::regclass, 'prices'::regclass, 'price_totals'::regclass, 'price_sketches'::regclass)

-- create_reference_table --
-- Copies the tree to all nodes, so that each can join it.
SELECT create_reference_table('locations')

-- distribute_totals --
-- Distributes the totals by their origin. One lane is then read from one node.
SELECT create_distributed_table('price_totals', 'origin', shard_count => %(shards)s)

-- distribute_with_totals --
-- Distributes a table by its origin. Its rows lie on the node of the totals of the same origin.
SELECT create_distributed_table(%(table)s, 'origin', colocate_with => 'price_totals')

-- truncate_local_copy --
-- Deletes the rows of a distributed table that have stayed on the coordinator.
SELECT truncate_local_data_after_distributing_table(%(table)s::regclass)

-- undistribute_table --
-- Moves the rows of a table back to the coordinator. Citus refuses it for a table with an identity column, such as locations.
SELECT undistribute_table(%(table)s::regclass)

-- analyze_tables --
-- Frees the space of deleted rows and updates the planner statistics. It cannot run in a transaction.
VACUUM (ANALYZE) locations, price_totals, price_sketches, prices

-- recover_prepared_transactions --
-- One row: the number of transactions that were prepared on a node when it was lost, and that are committed or rolled back now.
SELECT recover_prepared_transactions()
