-- Copies of a part of a database: which lanes it has, and their rows for another database.

-- describe_lanes --
-- One row per lane between ports that has prices in the table: how many, their days, and what is unusual about them. `starts`
-- and `ends` are the first days of the unbroken runs of days, and the days after them. Reads the whole table.
SELECT origin, destination,
       count(*) AS observations,
       sum(last_day - first_day + 1)::bigint AS price_days,
       array_agg(DISTINCT currency ORDER BY currency) AS currencies,
       max(last_day - first_day + 1) AS longest_days,
       bool_or(usd_cents <= 0) AS has_low_prices,
       count(*) > count(DISTINCT (first_day, last_day, usd_cents)) AS has_duplicates,
       ARRAY(SELECT lower(run) FROM unnest(range_agg(daterange(first_day, last_day, '[]'))) AS run ORDER BY 1) AS starts,
       ARRAY(SELECT upper(run) FROM unnest(range_agg(daterange(first_day, last_day, '[]'))) AS run ORDER BY 1) AS ends
FROM prices
GROUP BY origin, destination

-- list_thin_lanes --
-- One row per lane between ports that has a day with one or two prices. Reads the totals of all lanes between ports.
SELECT DISTINCT origin, destination
FROM (
    SELECT t.origin, t.destination
    FROM price_totals t
    JOIN locations o ON o.id = t.origin AND o.kind = 'PORT'
    JOIN locations d ON d.id = t.destination AND d.kind = 'PORT'
    CROSS JOIN LATERAL unnest(t.price_counts, t.packed_changes) WITH ORDINALITY AS part(price_count, change, position)
    CROSS JOIN LATERAL generate_series(
        coalesce(part.change & 31, part.position - 1)::integer,
        CASE WHEN part.change & 32 > 0 THEN (t.month + interval '1 month')::date - t.month - 1
             ELSE coalesce(part.change & 31, part.position - 1)::integer END
    ) AS day_offset
    GROUP BY t.origin, t.destination, t.first_day + day_offset
    HAVING sum(coalesce(part.price_count, ((part.change >> 6 & 262143) # 131072) - 131072)) BETWEEN 1 AND 2
) AS thin

-- copy_out_locations --
-- One row per location, in PostgreSQL's binary COPY format.
COPY (SELECT id, kind, key, name, search_text, parent_id FROM locations ORDER BY id) TO STDOUT (FORMAT binary)

-- copy_in_locations --
-- The rows of copy_out_locations.
COPY locations (id, kind, key, name, search_text, parent_id) FROM STDIN (FORMAT binary)

-- list_alias_rows --
-- One row per alias, with its source.
SELECT alias, key, source FROM location_aliases ORDER BY alias, key

-- copy_out_rates --
-- One row per exchange rate, in CSV.
COPY (SELECT currency, day, usd_per_unit FROM exchange_rates ORDER BY currency, day) TO STDOUT (FORMAT csv)

-- copy_out_lanes --
-- One row per observation of the lanes, in PostgreSQL's binary COPY format. Uses prices_lane_day_idx.
COPY (
    SELECT batch_id, usd_cents, item, origin, destination, first_day, last_day, rate_day, amount, rate, currency
    FROM prices
    WHERE (origin, destination) IN (SELECT * FROM unnest(%(origins)s::integer[], %(destinations)s::integer[]))
    ORDER BY batch_id, item, first_day, origin, destination
) TO STDOUT (FORMAT binary)

-- copy_in_archived --
-- One row per observation of an archived file, in CSV; its days are dates.
COPY prices (batch_id, usd_cents, item, origin, destination, first_day, last_day, rate_day, amount, rate, currency)
FROM STDIN (FORMAT csv)

-- copy_out_batches --
-- One row per batch with one of the IDs, without its uploader and its idempotency key, in PostgreSQL's binary COPY format. Uses
-- price_batches_pkey.
COPY (
    SELECT id, status, on_error, source, payload_sha256, created_at, started_at, ended_at
    FROM price_batches
    WHERE id = ANY(%(ids)s::bigint[])
    ORDER BY id
) TO STDOUT (FORMAT binary)

-- copy_in_batches --
-- The rows of copy_out_batches.
COPY price_batches (id, status, on_error, source, payload_sha256, created_at, started_at, ended_at) FROM STDIN (FORMAT binary)

-- list_batch_ids --
-- One row: the ordered IDs of the batches that have prices. Reads the whole table.
SELECT coalesce(array_agg(DISTINCT batch_id ORDER BY batch_id), '{}') FROM prices

-- is_empty --
-- One row: whether the database has neither locations nor batches.
SELECT NOT EXISTS (SELECT FROM locations) AND NOT EXISTS (SELECT FROM price_batches)

-- complete_batches --
-- Writes the counts and days of each batch from its observations.
UPDATE price_batches b
SET item_count = p.items, accepted_count = p.items, price_count = p.observations, price_day_count = p.price_days,
    lane_count = p.lanes, first_day = p.first_day, last_day = p.last_day, attempts = 1
FROM (
    SELECT batch_id, count(DISTINCT item) AS items, count(*) AS observations,
           sum(last_day - first_day + 1) AS price_days, count(DISTINCT (origin, destination)) AS lanes,
           min(first_day) AS first_day, max(last_day) AS last_day
    FROM prices
    GROUP BY batch_id
) AS p
WHERE p.batch_id = b.id

-- insert_batch_lanes --
-- Inserts the lanes of each batch from its observations.
INSERT INTO batch_lanes (batch_id, origins, destinations)
SELECT batch_id, array_agg(origin ORDER BY origin, destination), array_agg(destination ORDER BY origin, destination)
FROM (SELECT DISTINCT batch_id, origin, destination FROM prices) AS lanes
GROUP BY batch_id

-- advance_ids --
-- One row. Advances the ID sequences past the IDs of the copied locations and batches.
SELECT setval(pg_get_serial_sequence('locations', 'id'), coalesce((SELECT max(id) FROM locations), 1)),
       setval(pg_get_serial_sequence('price_batches', 'id'), coalesce((SELECT max(id) FROM price_batches), 1))
