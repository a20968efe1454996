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

-- list_names --
-- One row: the keys of all locations and their names, as two arrays in the same order.
SELECT array_agg(key ORDER BY id), array_agg(name ORDER BY id)
FROM locations

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

-- list_port_ids --
-- One row per location of $1 with ports at any depth below it: its ID and theirs, in no order. A port is below itself, and has no
-- other location below it. Uses locations_pkey and locations_parent_id_idx.
WITH RECURSIVE below AS (
    SELECT id AS of_id, id, kind
    FROM locations
    WHERE id = ANY($1::integer[])
    UNION
    SELECT b.of_id, l.id, l.kind
    FROM below b JOIN locations l ON l.parent_id = b.id
    WHERE b.kind = 'REGION'
)
SELECT of_id, array_agg(id)
FROM below
WHERE kind = 'PORT'
GROUP BY of_id

-- list_page --
-- One row per location between the cursors, by name. The caller requests one extra row to detect a further page. Uses
-- locations_search_order_idx.
SELECT id, kind, key, name, parent_id
FROM locations
WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(after_id)s::bigint IS NULL
       OR (search_text, id) > (SELECT search_text, id FROM locations WHERE id = %(after_id)s))
  AND (%(before_id)s::bigint IS NULL
       OR (search_text, id) < (SELECT search_text, id FROM locations WHERE id = %(before_id)s))
ORDER BY search_text, id
LIMIT %(limit)s

-- list_page_backward --
-- The rows of list_page from the end of the list, in reverse order. Uses the same index.
SELECT id, kind, key, name, parent_id
FROM locations
WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(after_id)s::bigint IS NULL
       OR (search_text, id) > (SELECT search_text, id FROM locations WHERE id = %(after_id)s))
  AND (%(before_id)s::bigint IS NULL
       OR (search_text, id) < (SELECT search_text, id FROM locations WHERE id = %(before_id)s))
ORDER BY search_text DESC, id DESC
LIMIT %(limit)s

-- count_locations --
-- One row: how many locations of the kind exist.
SELECT count(*)
FROM locations
WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)

-- search_locations --
-- One row per match between the cursors, the best first, with the number of all matches: a row without a location if the page is
-- empty. Ranks: 0 the key or an alias, 1 the beginning of the key, 2 the beginning of a word, 3 any other part, 4 no match. Regions
-- precede ports of the same rank. A cursor of a location without a match lies behind all matches. Reads both tables.
WITH aliased AS (
    SELECT lower(key) AS key, bool_or(alias IN (%(words)s, %(key)s)) AS is_exact
    FROM location_aliases
    WHERE alias = %(key)s OR %(words)s <> '' AND position(' ' || %(words)s IN ' ' || alias) > 0
    GROUP BY lower(key)
), ranked AS (
    SELECT id, kind, l.key, name, parent_id, search_text,
           CASE WHEN kind <> coalesce(%(kind)s::text, kind) THEN 4
                WHEN lower(l.key) = %(key)s OR is_exact THEN 0
                WHEN starts_with(lower(l.key), %(key)s) THEN 1
                WHEN aliased.key IS NOT NULL OR %(words)s <> '' AND position(
                         ' ' || %(words)s IN concat(' ', name_words, ' ', translate(lower(l.key), '_-', '  '))) > 0 THEN 2
                WHEN position(%(text)s IN search_text) > 0 THEN 3
                ELSE 4
           END AS rank
    FROM locations l LEFT JOIN aliased ON aliased.key = lower(l.key)
), placed AS (
    SELECT *, row_number() OVER (ORDER BY rank, kind DESC, search_text, id) AS place
    FROM ranked
    WHERE rank < 4 OR id IN (%(after_id)s::bigint, %(before_id)s::bigint)
)
SELECT matches.total, page.id, page.kind, page.key, page.name, page.parent_id
FROM (SELECT count(*) AS total FROM placed WHERE rank < 4) matches
LEFT JOIN (
    SELECT *
    FROM placed
    WHERE rank < 4
      AND (%(after_id)s::bigint IS NULL OR place > (SELECT place FROM placed WHERE id = %(after_id)s))
      AND (%(before_id)s::bigint IS NULL OR place < (SELECT place FROM placed WHERE id = %(before_id)s))
    ORDER BY CASE WHEN %(is_backward)s THEN -place ELSE place END
    LIMIT %(limit)s
) page ON true
ORDER BY page.place

-- find_named_locations --
-- One row per alias or name, in the form of location_aliases.alias, and location that it stands for. Uses location_aliases_pkey,
-- locations_name_words_idx and locations_key_unique.
SELECT named.alias, l.id, l.kind, l.key, l.name, l.parent_id
FROM (
    SELECT alias, lower(key) AS key FROM location_aliases WHERE alias = ANY(%(aliases)s)
    UNION
    SELECT name_words, lower(key) FROM locations WHERE name_words = ANY(%(aliases)s)
) named
JOIN locations l ON lower(l.key) = named.key

-- list_aliases --
-- One row per alias of an existing location, with its key. Uses locations_key_unique.
SELECT a.alias, l.key
FROM location_aliases a
JOIN locations l ON lower(l.key) = lower(a.key)
ORDER BY a.alias, l.key

-- delete_aliases --
-- One row per deleted row of these aliases.
DELETE FROM location_aliases
WHERE alias = ANY(%(aliases)s)
RETURNING alias, key, source

-- insert_aliases --
-- Inserts aliases, which delete_aliases has deleted before.
INSERT INTO location_aliases (alias, key, source)
SELECT * FROM unnest(%(aliases)s::text[], %(keys)s::text[], %(sources)s::text[])

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

-- list_id_ranges --
-- One row per range of `width` IDs that contains a location: its first ID, in order.
SELECT DISTINCT id / %(width)s * %(width)s AS first_id FROM locations ORDER BY first_id

-- try_lock_id_range --
-- One row: whether this transaction now holds the lock under which the prices of a range of origins are compacted.
SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws('/', 'compaction', 'price_totals'::regclass::oid, %(first)s::integer), 0))

-- lock_id_range --
-- Waits for the lock of try_lock_id_range, and holds it until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'compaction', 'price_totals'::regclass::oid, %(first)s::integer), 0))

-- lock_tree_shared --
-- Locks the tree against changes until the transaction ends. Any number of batches may hold this lock at once. The second key is
-- the table: another installation in the same database has a lock of its own.
SELECT pg_advisory_xact_lock_shared(7263002, 'locations'::regclass::oid::int)

-- lock_tree_exclusive --
-- Waits until no batch is being applied, then locks the tree exclusively until the transaction ends.
SELECT pg_advisory_xact_lock(7263002, 'locations'::regclass::oid::int)

-- try_lock_tree_exclusive --
-- One row: whether this transaction now has the lock of lock_tree_exclusive. It does not wait, so no batch waits behind it.
SELECT pg_try_advisory_xact_lock(7263002, 'locations'::regclass::oid::int)

-- is_tree_changing --
-- Whether a session holds the exclusive lock of this installation's tree, or that of its changes, or waits for one.
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'
      AND classid IN (7263002, 7263005) AND (objid, objsubid) = ('locations'::regclass::oid, 2)
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
