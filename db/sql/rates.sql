-- Exchange rates to the US dollar.

-- copy_rates --
-- One row per currency and day on which a rate was published, into the transaction's own table, in CSV.
COPY incoming_rates (currency, day, usd_per_unit) FROM STDIN (FORMAT csv)

-- create_incoming_rates --
-- Takes what is copied, so that rows known already do no harm.
CREATE TEMPORARY TABLE incoming_rates (currency text, day date, usd_per_unit numeric(24, 12)) ON COMMIT DROP

-- merge_rates --
-- Adds new rates and corrects changed ones; an observation keeps the rate it was saved with. Uses exchange_rates_pkey.
INSERT INTO exchange_rates (currency, day, usd_per_unit)
SELECT currency, day, usd_per_unit FROM incoming_rates
ON CONFLICT (currency, day) DO UPDATE SET usd_per_unit = excluded.usd_per_unit
WHERE exchange_rates.usd_per_unit <> excluded.usd_per_unit

-- find_latest_rate_day --
-- One row: the newest day with any rate, or null.
SELECT max(day) FROM exchange_rates

-- find_currencies --
-- One row per currency asked for that has a rate on any day. Uses exchange_rates_pkey.
SELECT wanted.currency
FROM unnest(%(currencies)s::text[]) AS wanted(currency)
WHERE EXISTS (SELECT FROM exchange_rates r WHERE r.currency = wanted.currency)

-- list_rates --
-- One row per currency and published day, in order, the rate in units of 10^-12. Uses exchange_rates_pkey.
SELECT currency, day, (usd_per_unit * 1000000000000)::bigint AS usd_per_unit_e12
FROM exchange_rates
WHERE currency = ANY(%(currencies)s) AND day BETWEEN %(first)s AND %(last)s
ORDER BY currency, day
