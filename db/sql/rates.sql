-- Exchange rates to the US dollar.

-- copy_rates --
-- One row per currency and day on which a rate was published, into the transaction's own table, in CSV.
COPY incoming_rates (currency, day, usd_per_unit) FROM STDIN (FORMAT csv)

-- create_incoming_rates --
-- Staging table for the copied rows: COPY alone cannot skip rows that exist already.
CREATE TEMPORARY TABLE incoming_rates (currency text, day date, usd_per_unit numeric(24, 12)) ON COMMIT DROP

-- merge_rates --
-- Adds new rates and corrects changed ones. Stored observations retain their own rate. Uses exchange_rates_pkey.
INSERT INTO exchange_rates (currency, day, usd_per_unit)
SELECT currency, day, usd_per_unit FROM incoming_rates
ON CONFLICT (currency, day) DO UPDATE SET usd_per_unit = excluded.usd_per_unit
WHERE exchange_rates.usd_per_unit <> excluded.usd_per_unit

-- list_currencies --
-- One row per currency that has a rate on any day, with the newest of these days. Steps from currency to currency along
-- exchange_rates_pkey, which reads some hundred entries instead of every rate since 1999.
WITH RECURSIVE known AS (
    SELECT min(currency) AS currency FROM exchange_rates
    UNION ALL
    SELECT (SELECT min(r.currency) FROM exchange_rates r WHERE r.currency > k.currency)
    FROM known k
    WHERE k.currency IS NOT NULL
)
SELECT currency, (SELECT max(r.day) FROM exchange_rates r WHERE r.currency = k.currency) AS newest_day
FROM known k
WHERE currency IS NOT NULL

-- list_rates --
-- One row per currency and published day, in order, the rate in units of 10^-12. Uses exchange_rates_pkey.
SELECT currency, day, (usd_per_unit * 1000000000000)::bigint AS usd_per_unit_e12
FROM exchange_rates
WHERE currency = ANY(%(currencies)s) AND day BETWEEN %(first)s AND %(last)s
ORDER BY currency, day
