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

-- touches_lane --
-- One row: whether the batch has a lane from below one location to below another. Uses batch_lanes_pkey and
-- locations_parent_id_idx.
WITH RECURSIVE origins AS (
    SELECT id FROM locations WHERE id = %(origin)s
    UNION
    SELECT l.id FROM origins o JOIN locations l ON l.parent_id = o.id
), destinations AS (
    SELECT id FROM locations WHERE id = %(destination)s
    UNION
    SELECT l.id FROM destinations d JOIN locations l ON l.parent_id = d.id
)
SELECT EXISTS (
    SELECT 1
    FROM batch_lanes b
    CROSS JOIN LATERAL unnest(b.origins, b.destinations) AS lane(origin, destination)
    WHERE b.batch_id = %(batch_id)s
      AND lane.origin IN (SELECT id FROM origins)
      AND lane.destination IN (SELECT id FROM destinations)
)
