-- depends: 0001_locations

CREATE TABLE exchange_rates (
    currency     text NOT NULL,
    day          date NOT NULL,
    usd_per_unit numeric(24, 12) NOT NULL CONSTRAINT exchange_rates_positive CHECK (usd_per_unit > 0),
    CONSTRAINT exchange_rates_pkey PRIMARY KEY (currency, day)
);

COMMENT ON TABLE exchange_rates IS 'US dollars for one unit of a currency, as published on a day';
