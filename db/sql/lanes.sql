-- The lanes that an applied batch touched.

-- insert_lanes --
-- One row per batch: its lanes as two arrays of equal length.
INSERT INTO batch_lanes (batch_id, origins, destinations) VALUES (%(batch_id)s, %(origins)s, %(destinations)s)

-- list_lanes --
-- One row per lane of the batch after the position, in order; positions count from 1. Uses batch_lanes_pkey.
SELECT lane.position, lane.origin, lane.destination
FROM batch_lanes b
CROSS JOIN LATERAL unnest(b.origins, b.destinations) WITH ORDINALITY AS lane(origin, destination, position)
WHERE b.batch_id = %(batch_id)s AND lane.position > %(after)s
ORDER BY lane.position
LIMIT %(limit)s

-- list_touched --
-- One row per batch and watched lane (its position, counted from 1) if the batch has a lane between ports below the two ends.
-- Uses batch_lanes_pkey and locations_parent_id_idx.
WITH RECURSIVE below AS (
    -- Distinct ends first: with many watched lanes, comparing each location with the arrays is quadratic.
    SELECT id AS location, id
    FROM (SELECT unnest(%(origins)s::integer[]) UNION SELECT unnest(%(destinations)s::integer[])) AS ends (id)
    UNION
    SELECT b.location, l.id FROM below b JOIN locations l ON l.parent_id = b.id
), touched AS MATERIALIZED (
    SELECT DISTINCT b.batch_id, start.location AS origin, goal.location AS destination
    FROM batch_lanes b
    CROSS JOIN LATERAL unnest(b.origins, b.destinations) AS lane(origin, destination)
    JOIN below start ON start.id = lane.origin
    JOIN below goal ON goal.id = lane.destination
    WHERE b.batch_id = ANY(%(batch_ids)s)
)
SELECT touched.batch_id, watched.position
FROM touched
JOIN unnest(%(origins)s::integer[], %(destinations)s::integer[]) WITH ORDINALITY AS watched(origin, destination, position)
    ON (watched.origin, watched.destination) = (touched.origin, touched.destination)
