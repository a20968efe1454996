-- Functions of the peers over Ratesgraph's totals: `average_prices` returns one row for every day of the range, in order.

CREATE SCHEMA by_totals;

CREATE FUNCTION by_totals.average_prices(date_from date, date_to date, origin text, destination text)
RETURNS TABLE (day date, average_price double precision, price_count integer)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT every.day::date,
           CASE WHEN found.prices >= 3 THEN round(found.cents / found.prices / 100, 2)::double precision END,
           coalesce(found.prices, 0)::integer
    FROM generate_series($1::timestamp, $2::timestamp, interval '1 day') AS every(day)
    LEFT JOIN (
        SELECT t.first_day + (part.position - 1)::integer AS day, sum(part.cents) AS cents, sum(part.prices) AS prices
        FROM public.price_totals t
        CROSS JOIN LATERAL unnest(t.price_sums, t.price_counts) WITH ORDINALITY AS part(cents, prices, position)
        WHERE t.origin = (SELECT l.id FROM public.locations l WHERE lower(l.key) = lower($3))
          AND t.destination = (SELECT l.id FROM public.locations l WHERE lower(l.key) = lower($4))
          AND t.month BETWEEN date_trunc('month', $1::timestamp)::date AND $2
        GROUP BY t.first_day + (part.position - 1)::integer
    ) AS found ON found.day = every.day
    ORDER BY every.day
$$;

COMMENT ON FUNCTION by_totals.average_prices IS '@behavior +list -connection';
