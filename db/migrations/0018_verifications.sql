-- depends: 0017_tree_changes

-- What the last verification has found correct, so that the next one recomputes only what has changed since. Only new, empty
-- tables, which no upload writes.

CREATE TABLE verifications (
    id            integer CONSTRAINT verifications_pkey PRIMARY KEY CONSTRAINT verifications_single CHECK (id = 1),
    ended_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    storage       text NOT NULL,
    settled_xid   bigint NOT NULL,
    last_location integer NOT NULL,
    tree_sha256   bytea NOT NULL,
    month_count   integer NOT NULL,
    failed        date[] NOT NULL,
    files         jsonb NOT NULL
);

COMMENT ON TABLE verifications IS 'The last verification of the totals; at most one row';
COMMENT ON COLUMN verifications.storage IS 'Cluster, database and tables whose transaction numbers and checksums these are';
COMMENT ON COLUMN verifications.settled_xid IS 'The checksums cover the rows of all transactions before this one';
COMMENT ON COLUMN verifications.failed IS 'Months with differences, whose checksums prove nothing';
COMMENT ON COLUMN verifications.files IS 'Archived files: number, first and last day, number of reverted batches';

CREATE TABLE verified_parts (
    subject      text NOT NULL,
    period       integer NOT NULL,
    first_origin integer NOT NULL,
    row_count    bigint NOT NULL,
    checksum     numeric NOT NULL,
    last_day     integer NOT NULL,
    CONSTRAINT verified_parts_pkey PRIMARY KEY (subject, period, first_origin)
);

COMMENT ON TABLE verified_parts IS 'Rows and checksum of each period and range of origins at the last verification';
COMMENT ON COLUMN verified_parts.subject IS 'The table: price_totals, price_sketches or prices';
COMMENT ON COLUMN verified_parts.period IS
    'First day of the month of totals or sketches, or of 32 days in which prices begin, from 1970-01-01';
COMMENT ON COLUMN verified_parts.last_day IS 'The last day of these rows, from 1970-01-01';
