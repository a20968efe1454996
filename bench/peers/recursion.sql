-- Functions of the peers with recursive SQL: `average_prices` returns one row for every day of the range, in order.

CREATE SCHEMA by_join;
CREATE SCHEMA by_arrays;
CREATE SCHEMA peers;

-- The observations in the fastest form for a recursive query: one row per day, with a covering index.
CREATE TABLE peers.daily_prices AS
SELECT p.origin, p.destination, day::date AS day, p.usd_cents
FROM public.prices p
CROSS JOIN LATERAL generate_series(p.first_day::timestamp, p.last_day::timestamp, interval '1 day') AS day;

CREATE INDEX daily_prices_lane_day_idx ON peers.daily_prices (origin, destination, day) INCLUDE (usd_cents);

-- The usual way: find the ports below both locations, join all prices between them.
CREATE FUNCTION by_join.average_prices(date_from date, date_to date, origin text, destination text)
RETURNS TABLE (day date, average_price double precision, price_count integer)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH RECURSIVE origins AS (
        SELECT l.id FROM public.locations l WHERE lower(l.key) = lower($3)
        UNION
        SELECT l.id FROM origins o JOIN public.locations l ON l.parent_id = o.id
    ), destinations AS (
        SELECT l.id FROM public.locations l WHERE lower(l.key) = lower($4)
        UNION
        SELECT l.id FROM destinations d JOIN public.locations l ON l.parent_id = d.id
    )
    SELECT every.day::date,
           CASE WHEN found.prices >= 3 THEN round(found.cents / found.prices / 100, 2)::double precision END,
           coalesce(found.prices, 0)::integer
    FROM generate_series($1::timestamp, $2::timestamp, interval '1 day') AS every(day)
    LEFT JOIN (
        SELECT p.day, sum(p.usd_cents) AS cents, count(*) AS prices
        FROM origins o
        CROSS JOIN destinations d
        JOIN peers.daily_prices p ON p.origin = o.id AND p.destination = d.id
        WHERE p.day BETWEEN $1 AND $2
        GROUP BY p.day
    ) AS found ON found.day = every.day
    ORDER BY every.day
$$;

-- The same with both sets of ports as arrays, so that the planner uses the index: far faster for few ports.
CREATE FUNCTION by_arrays.average_prices(date_from date, date_to date, origin text, destination text)
RETURNS TABLE (day date, average_price double precision, price_count integer)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH RECURSIVE origins AS (
        SELECT l.id FROM public.locations l WHERE lower(l.key) = lower($3)
        UNION
        SELECT l.id FROM origins o JOIN public.locations l ON l.parent_id = o.id
    ), destinations AS (
        SELECT l.id FROM public.locations l WHERE lower(l.key) = lower($4)
        UNION
        SELECT l.id FROM destinations d JOIN public.locations l ON l.parent_id = d.id
    )
    SELECT every.day::date,
           CASE WHEN found.prices >= 3 THEN round(found.cents / found.prices / 100, 2)::double precision END,
           coalesce(found.prices, 0)::integer
    FROM generate_series($1::timestamp, $2::timestamp, interval '1 day') AS every(day)
    LEFT JOIN (
        SELECT p.day, sum(p.usd_cents) AS cents, count(*) AS prices
        FROM peers.daily_prices p
        WHERE p.origin = ANY (ARRAY(SELECT id FROM origins))
          AND p.destination = ANY (ARRAY(SELECT id FROM destinations))
          AND p.day BETWEEN $1 AND $2
        GROUP BY p.day
    ) AS found ON found.day = every.day
    ORDER BY every.day
$$;

COMMENT ON FUNCTION by_join.average_prices IS '@behavior +list -connection';
COMMENT ON FUNCTION by_arrays.average_prices IS '@behavior +list -connection';
