-- Functions of the peers for percentiles by week: `weekly_percentiles` returns one row for every week with prices, in order.
-- The percentiles are 2.5, 25, 50, 75 and 97.5, in US dollars.

CREATE SCHEMA by_percentiles;
CREATE SCHEMA by_view;

-- The usual way: find the ports below both locations, join all prices between them, expand them to days, sort each week.
CREATE FUNCTION by_percentiles.weekly_percentiles(date_from date, date_to date, origin text, destination text)
RETURNS TABLE (week_from date, percentiles double precision[])
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
    SELECT greatest(date_trunc('week', day)::date, $1),
           percentile_cont(ARRAY[0.025, 0.25, 0.5, 0.75, 0.975]) WITHIN GROUP (ORDER BY p.usd_cents / 100.0)
    FROM origins o
    CROSS JOIN destinations d
    JOIN public.prices p ON p.origin = o.id AND p.destination = d.id
    CROSS JOIN LATERAL generate_series(
        greatest(p.first_day, $1)::timestamp, least(p.last_day, $2)::timestamp, interval '1 day'
    ) AS day
    WHERE p.first_day <= $2 AND p.last_day >= $1
    GROUP BY date_trunc('week', day)
    ORDER BY 1
$$;

-- The answers of Ratesgraph for all pairs of regions and all whole weeks, computed before. They are only these percentiles, in
-- US dollars, of weeks that the range does not cut. They are valid only until the next batch.
CREATE TABLE by_view.percentiles (
    origin      integer NOT NULL,
    destination integer NOT NULL,
    week_from   date NOT NULL,
    percentiles double precision[] NOT NULL,
    PRIMARY KEY (origin, destination, week_from)
);
COMMENT ON TABLE by_view.percentiles IS '@behavior -*';

CREATE FUNCTION by_view.weekly_percentiles(date_from date, date_to date, origin text, destination text)
RETURNS TABLE (week_from date, percentiles double precision[])
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT v.week_from, v.percentiles
    FROM by_view.percentiles v
    WHERE v.origin = (SELECT l.id FROM public.locations l WHERE lower(l.key) = lower($3))
      AND v.destination = (SELECT l.id FROM public.locations l WHERE lower(l.key) = lower($4))
      AND v.week_from BETWEEN $1 AND $2
    ORDER BY v.week_from
$$;

COMMENT ON FUNCTION by_percentiles.weekly_percentiles IS '@behavior +list -connection';
COMMENT ON FUNCTION by_view.weekly_percentiles IS '@behavior +list -connection';
