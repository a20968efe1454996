-- depends: 0015_price_sketches

-- Most rows of totals hold few prices. Such a row has a short list of changes instead of the sums and counts of all days
-- between. Servers of the release before read sums and counts only, so these columns stay NOT NULL, and no row can have
-- changes, until `ratesgraph migrate --contract`. A database without earlier migrations has no such servers: there it happens
-- at once.

ALTER TABLE price_totals ADD COLUMN packed_changes bigint[];

COMMENT ON COLUMN price_totals.packed_changes IS
    'Instead of sums and counts by day: bits 0-4 day of the month from 0, bit 5 set if the change lasts to the end of the month, '
    'bits 6-23 count, bits 24-63 US cents';
