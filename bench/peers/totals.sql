-- Functions of the peers over Ratesgraph's totals: `average_prices` returns one row for every day of the range, in order, and
-- `weekly_averages` one row for every lane and week.

CREATE SCHEMA by_totals;

-- Hidden from the peers' schemas: their tables would gain a type.
CREATE VIEW by_totals.days AS
SELECT t.origin, t.destination, t.month, t.first_day + day_offset AS day,
       coalesce(part.cents, part.change >> 24) AS cents,
       coalesce(part.prices, ((part.change >> 6 & 262143) # 131072) - 131072) AS prices
FROM public.price_totals t
CROSS JOIN LATERAL unnest(t.price_sums, t.price_counts, t.packed_changes)
    WITH ORDINALITY AS part(cents, prices, change, position)
CROSS JOIN LATERAL generate_series(
    coalesce(part.change & 31, part.position - 1)::integer,
    CASE WHEN part.change & 32 > 0 THEN (t.month + interval '1 month')::date - t.month - 1
         ELSE coalesce(part.change & 31, part.position - 1)::integer END
) AS day_offset;

COMMENT ON VIEW by_totals.days IS '@behavior -*';

CREATE FUNCTION by_totals.average_prices(date_from date, date_to date, origin text, destination text)
RETURNS TABLE (day date, average_price double precision, price_count integer)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT every.day::date,
           CASE WHEN found.prices >= 3 THEN round(found.cents / found.prices / 100, 2)::double precision END,
           coalesce(found.prices, 0)::integer
    FROM generate_series($1::timestamp, $2::timestamp, interval '1 day') AS every(day)
    LEFT JOIN (
        SELECT t.day, sum(t.cents) AS cents, sum(t.prices) AS prices
        FROM by_totals.days t
        WHERE t.origin = (SELECT l.id FROM public.locations l WHERE lower(l.key) = lower($3))
          AND t.destination = (SELECT l.id FROM public.locations l WHERE lower(l.key) = lower($4))
          AND t.month BETWEEN date_trunc('month', $1::timestamp)::date AND $2
        GROUP BY t.day
    ) AS found ON found.day = every.day
    ORDER BY every.day
$$;

COMMENT ON FUNCTION by_totals.average_prices IS '@behavior +list -connection';

CREATE FUNCTION by_totals.weekly_averages(date_from date, date_to date, origins text[], destinations text[])
RETURNS TABLE (lane integer, week_from date, average_price double precision, price_count bigint)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT lanes.number::integer, greatest(every.week::date, $1),
           CASE WHEN found.prices >= 3 THEN round(found.cents / found.prices / 100, 2)::double precision END,
           coalesce(found.prices, 0)::bigint
    FROM (
        SELECT asked.number, o.id AS origin, d.id AS destination
        FROM unnest($3, $4) WITH ORDINALITY AS asked(origin, destination, number)
        JOIN public.locations o ON lower(o.key) = lower(asked.origin)
        JOIN public.locations d ON lower(d.key) = lower(asked.destination)
    ) AS lanes
    CROSS JOIN generate_series(date_trunc('week', $1::timestamp), $2::timestamp, interval '1 week') AS every(week)
    LEFT JOIN LATERAL (
        SELECT date_trunc('week', t.day) AS week, sum(t.cents) AS cents, sum(t.prices) AS prices
        FROM by_totals.days t
        WHERE t.origin = lanes.origin AND t.destination = lanes.destination
          AND t.month BETWEEN date_trunc('month', $1::timestamp)::date AND $2
          AND t.day BETWEEN $1 AND $2
        GROUP BY 1
    ) AS found ON found.week = every.week
    ORDER BY lanes.number, every.week
$$;

COMMENT ON FUNCTION by_totals.weekly_averages IS '@behavior +list -connection';
