-- depends: 0014_archived_files

-- Distributions of prices by day for pairs of regions, whose rows add up as those of price_totals do. There is no unique
-- constraint and no foreign key, so that the table can be distributed by origin.

CREATE TABLE price_sketches (
    origin      integer NOT NULL,
    destination integer NOT NULL,
    month       date NOT NULL,
    sketch      bytea NOT NULL
);

COMMENT ON TABLE price_sketches IS 'Prices by day and bucket for a pair of regions in a month; the rows of a key add up';
COMMENT ON COLUMN price_sketches.sketch IS 'Entries (day, bucket, count) in the format of db/sketches/encoding.py';

-- The bytes do not compress further, and reading a whole value from outside of the row is all that happens to it.
ALTER TABLE price_sketches ALTER COLUMN sketch SET STORAGE EXTERNAL;

CREATE INDEX price_sketches_lane_month_idx ON price_sketches (origin, destination, month);

CREATE TABLE stale_sketches (
    month date NOT NULL CONSTRAINT stale_sketches_pkey PRIMARY KEY
);

COMMENT ON TABLE stale_sketches IS 'Months whose sketches must be built before they may be read; 0001-01-01 stands for all';

-- Servers and workers of the release before know no sketches, and go on while this release starts. What they change without
-- them must not be read from sketches. Code that keeps the sketches says so with the setting, in its transaction.
CREATE FUNCTION mark_sketches_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.stale_sketches VALUES (''0001-01-01'') ON CONFLICT DO NOTHING', TG_TABLE_SCHEMA);
    RETURN NULL;
END
$$;

CREATE TRIGGER price_batches_sketches AFTER INSERT OR UPDATE OF status ON price_batches
FOR EACH ROW WHEN (
    NEW.status IN ('APPLIED', 'REVERTED') AND current_setting('ratesgraph.keeps_sketches', true) IS DISTINCT FROM 'on'
) EXECUTE FUNCTION mark_sketches_stale();

CREATE TRIGGER audit_entries_sketches AFTER INSERT ON audit_entries
FOR EACH ROW WHEN (
    NEW.action IN ('change tree', 'delete archive') AND current_setting('ratesgraph.keeps_sketches', true) IS DISTINCT FROM 'on'
) EXECUTE FUNCTION mark_sketches_stale();

-- Prices that were stored before, also those of batches for whose end the triggers had to wait.
INSERT INTO stale_sketches SELECT '0001-01-01' WHERE EXISTS (SELECT FROM price_totals);
