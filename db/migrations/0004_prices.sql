-- depends: 0003_price_batches

-- Neither table has a unique constraint or a foreign key: equal observations are separate observations, and both tables
-- can be distributed by origin over several machines. Columns are ordered widest first, so that no padding is stored.

CREATE TABLE prices (
    batch_id    bigint NOT NULL,
    usd_cents   bigint NOT NULL,
    item        integer NOT NULL,
    origin      integer NOT NULL,
    destination integer NOT NULL,
    first_day   date NOT NULL,
    last_day    date NOT NULL,
    rate_day    date NOT NULL,
    amount      numeric(16, 4) NOT NULL,
    rate        numeric(24, 12) NOT NULL,
    currency    text NOT NULL
);

COMMENT ON TABLE prices IS 'Observations: one price on one lane for each day from first_day to last_day';
COMMENT ON COLUMN prices.usd_cents IS E'amount \u00D7 rate in US cents, half away from zero';
COMMENT ON COLUMN prices.amount IS 'The price as it was uploaded, in its currency';
COMMENT ON COLUMN prices.rate IS 'US dollars for one unit of the currency; 1 for USD';
COMMENT ON COLUMN prices.rate_day IS 'The day on which the rate was published; first_day for USD';

CREATE INDEX prices_lane_day_idx ON prices (origin, destination, first_day);

CREATE TABLE price_totals (
    origin       integer NOT NULL,
    destination  integer NOT NULL,
    month        date NOT NULL,
    first_day    date NOT NULL,
    price_sums   bigint[] NOT NULL,
    price_counts integer[] NOT NULL
);

COMMENT ON TABLE price_totals IS 'Partial sums by day for a pair of locations in a month; the rows of a key add up';
COMMENT ON COLUMN price_totals.price_sums IS 'US cents for first_day and the days after it';

CREATE INDEX price_totals_lane_month_idx ON price_totals (origin, destination, month);
