-- Ports, regions and the tree between them. Every recursion uses UNION, not UNION ALL: it ends even on a cycle, although the
-- application never stores one.

-- find_locations --
-- One row per location whose lower-case key is requested. Uses locations_key_unique.
SELECT id, kind, key, name, parent_id
FROM locations
WHERE lower(key) = ANY(%(keys)s)

-- get_locations --
-- One row per existing location ID. Uses locations_pkey.
SELECT id, kind, key, name, parent_id
FROM locations
WHERE id = ANY(%(ids)s)

-- list_locations --
-- One row per location: the whole tree, by ID. A parent may follow its children.
SELECT id, kind, key, name, parent_id
FROM locations
ORDER BY id

-- list_children --
-- One row per direct child of the parents, by name within a parent. Uses locations_parent_id_idx.
SELECT id, kind, key, name, parent_id
FROM locations
WHERE parent_id = ANY(%(ids)s)
ORDER BY search_text, id

-- list_ancestors --
-- One row per requested location and its ancestor, the nearest first. Uses locations_pkey.
WITH RECURSIVE ancestors AS (
    SELECT id AS of_id, parent_id AS id, ARRAY[id] AS path
    FROM locations
    WHERE id = ANY(%(ids)s)
    UNION
    SELECT a.of_id, l.parent_id, a.path || l.id
    FROM ancestors a JOIN locations l ON l.id = a.id
    WHERE NOT l.id = ANY(a.path)
)
SELECT a.of_id, l.id, l.kind, l.key, l.name, l.parent_id
FROM ancestors a JOIN locations l ON l.id = a.id
WHERE NOT l.id = ANY(a.path)
ORDER BY a.of_id, cardinality(a.path)

-- list_ports_below --
-- One row per requested location and port at any depth below it, by name. A port is below itself. Uses locations_parent_id_idx.
WITH RECURSIVE below AS (
    SELECT id AS of_id, id
    FROM locations
    WHERE id = ANY(%(ids)s)
    UNION
    SELECT b.of_id, l.id
    FROM below b JOIN locations l ON l.parent_id = b.id
)
SELECT b.of_id, l.id, l.kind, l.key, l.name, l.parent_id
FROM below b JOIN locations l ON l.id = b.id
WHERE l.kind = 'PORT'
ORDER BY b.of_id, l.search_text, l.id

-- count_ports_below --
-- One row per requested location with the number of ports at any depth below it. A port is below itself. Uses
-- locations_parent_id_idx.
WITH RECURSIVE below AS (
    SELECT id AS of_id, id
    FROM locations
    WHERE id = ANY(%(ids)s)
    UNION
    SELECT b.of_id, l.id
    FROM below b JOIN locations l ON l.parent_id = b.id
)
SELECT b.of_id, count(*) FILTER (WHERE l.kind = 'PORT')
FROM below b JOIN locations l ON l.id = b.id
GROUP BY b.of_id

-- search_locations --
-- One row per match between the cursors, in search order. The caller requests one extra row to detect a further page. A search
-- reads the table in the order of locations_search_order_idx.
SELECT id, kind, key, name, parent_id
FROM locations
WHERE (%(pattern)s::text IS NULL OR search_text LIKE %(pattern)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(after_id)s::bigint IS NULL
       OR (search_text, id) > (SELECT search_text, id FROM locations WHERE id = %(after_id)s))
  AND (%(before_id)s::bigint IS NULL
       OR (search_text, id) < (SELECT search_text, id FROM locations WHERE id = %(before_id)s))
ORDER BY search_text, id
LIMIT %(limit)s

-- search_locations_backward --
-- The rows of search_locations from the end of the list, in reverse order. Uses the same index.
SELECT id, kind, key, name, parent_id
FROM locations
WHERE (%(pattern)s::text IS NULL OR search_text LIKE %(pattern)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(after_id)s::bigint IS NULL
       OR (search_text, id) > (SELECT search_text, id FROM locations WHERE id = %(after_id)s))
  AND (%(before_id)s::bigint IS NULL
       OR (search_text, id) < (SELECT search_text, id FROM locations WHERE id = %(before_id)s))
ORDER BY search_text DESC, id DESC
LIMIT %(limit)s

-- count_locations --
-- One row: how many locations match the search.
SELECT count(*)
FROM locations
WHERE (%(pattern)s::text IS NULL OR search_text LIKE %(pattern)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)

-- upsert_locations --
-- Writes names and kinds by key; parents follow in a second statement, because a file may list children first.
INSERT INTO locations (kind, key, name, search_text)
SELECT * FROM unnest(%(kinds)s::text[], %(keys)s::text[], %(names)s::text[], %(search_texts)s::text[])
ON CONFLICT (lower(key)) DO UPDATE
SET name = excluded.name, search_text = excluded.search_text
WHERE (locations.name, locations.search_text) IS DISTINCT FROM (excluded.name, excluded.search_text)

-- set_parents --
-- Moves each location under its parent (NULL: a root). Updates only rows that change.
UPDATE locations l
SET parent_id = parent.id
FROM unnest(%(keys)s::text[], %(parent_keys)s::text[]) AS wanted(key, parent_key)
LEFT JOIN locations parent ON lower(parent.key) = lower(wanted.parent_key)
WHERE lower(l.key) = lower(wanted.key) AND l.parent_id IS DISTINCT FROM parent.id

-- lock_tree_shared --
-- Locks the tree against changes until the transaction ends. Any number of batches may hold this lock at once. The second key is
-- the table: another installation in the same database has a lock of its own.
SELECT pg_advisory_xact_lock_shared(7263002, 'locations'::regclass::oid::int)

-- lock_tree_exclusive --
-- Waits until no batch is being applied, then locks the tree exclusively until the transaction ends.
SELECT pg_advisory_xact_lock(7263002, 'locations'::regclass::oid::int)

-- is_tree_changing --
-- Whether a transaction holds the exclusive lock of this installation's tree or waits for it.
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'
      AND (classid, objid, objsubid) = (7263002, 'locations'::regclass::oid, 2)
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
