-- The session, its schema, and what the role may do there. All identifiers are returned as SQL spells them, quoted if necessary.

-- get_schema --
-- One row: OID of the schema with this installation's tables; before the migration, of the one that will contain them. NULL if
-- the search_path leads to no schema.
SELECT coalesce(
    (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('price_batches')),
    (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
)

-- describe_session --
-- One row: the role and the database, and the schema in which tables are created (NULL if there is none) with its owner. It
-- also has the settings that can prevent changes, and missing privileges. `client` as the source of a setting means the URL or
-- PGOPTIONS.
SELECT quote_ident(current_user) AS role,
       quote_ident(current_database()) AS database,
       quote_ident(current_schema()) AS schema,
       (SELECT quote_ident(CASE pg_get_userbyid(nspowner)
                           WHEN 'pg_database_owner' THEN (SELECT pg_get_userbyid(datdba) FROM pg_database
                                                          WHERE datname = current_database())
                           ELSE pg_get_userbyid(nspowner) END)
        FROM pg_namespace WHERE nspname = current_schema()) AS schema_owner,
       current_setting('search_path') AS search_path,
       (SELECT source FROM pg_settings WHERE name = 'search_path') AS search_path_source,
       current_user = current_schema() AS is_role_schema,
       pg_is_in_recovery() AS is_standby,
       current_setting('transaction_read_only')::boolean AS is_read_only,
       (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only') AS read_only_source,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS can_create,
       has_database_privilege(current_database(), 'TEMPORARY') AS can_create_temporary

-- measure_database --
-- One row: size of the database in bytes, and number of sessions in it whose last statement is the given one. PostgreSQL hides the
-- statements of sessions of other roles, unless the role is a member of pg_read_all_stats.
SELECT pg_database_size(current_database()),
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = %(statement)s)

-- list_schemas --
-- One row per existing schema of the names: its name, and whether the role may use it.
SELECT nspname::text, has_schema_privilege(oid, 'USAGE')
FROM pg_namespace
WHERE nspname = ANY(%(names)s)

-- list_relations --
-- One row per relation of the current schema with one of the names. It has its name and owner, whether the role has the rights
-- of the owner, and the privileges that the role lacks.
SELECT c.relname::text,
       quote_ident(pg_get_userbyid(c.relowner)),
       pg_has_role(c.relowner, 'USAGE'),
       ARRAY(SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
             WHERE NOT has_table_privilege(c.oid, privilege))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = ANY(%(names)s)
ORDER BY c.relname

-- lock_migrations --
-- Waits until no process migrates the current schema, and prevents migrations until the transaction ends. The first key is that of
-- db.migrate, whose lock lasts for a session.
SELECT pg_advisory_xact_lock(7263001, oid::int)
FROM pg_namespace
WHERE nspname = current_schema()

-- list_applied_migrations --
-- One row per migration that was applied in the current schema. The table belongs to yoyo.
SELECT migration_id
FROM _yoyo_migration

-- list_installations --
-- One row per schema with tables of Ratesgraph, in the order of the search_path, then by name.
SELECT quote_ident(n.nspname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'price_totals'
  AND EXISTS (SELECT FROM pg_class m WHERE m.relname = '_yoyo_migration' AND m.relnamespace = n.oid)
ORDER BY array_position(current_schemas(false), n.nspname), n.nspname
