-- depends: 0016_sparse_totals

-- Changes of the region tree in steps: the change that is under way, and what it will do to the totals and sketches. Only new,
-- empty tables: nothing is rewritten, and no table in use is locked.

CREATE TABLE tree_changes (
    id               bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT tree_changes_pkey PRIMARY KEY,
    begun_in         pg_snapshot NOT NULL,
    last_audit_entry bigint NOT NULL,
    -- The locations with another parent, NULL for a root. New locations have negative IDs until the change commits.
    location_ids     integer[] NOT NULL,
    parent_ids       integer[] NOT NULL
);

COMMENT ON TABLE tree_changes IS 'The change of the region tree that is under way in steps: at most one row';
COMMENT ON COLUMN tree_changes.begun_in IS 'Transactions that had changed prices before; all others record what the change does to theirs';

CREATE TABLE moved_months (
    month      date CONSTRAINT moved_months_pkey PRIMARY KEY,
    read_in    pg_snapshot NOT NULL,
    written_in xid8 NOT NULL DEFAULT pg_current_xact_id()
);

COMMENT ON TABLE moved_months IS 'Months that the change under way has processed, and the snapshot in which it read them';

CREATE TABLE moved_records (
    number     bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT moved_records_pkey PRIMARY KEY,
    kind       text NOT NULL,
    month      date NOT NULL,
    written_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    content    bytea NOT NULL
);

COMMENT ON TABLE moved_records IS 'Differences that the change under way makes, of its steps and of the batches since it began';
COMMENT ON COLUMN moved_records.kind IS 'totals (sums and counts by day) or sketches (distributions of prices by day)';
COMMENT ON COLUMN moved_records.content IS 'Arrow file of many pairs (ingest.batches.move_records.encoding)';

CREATE INDEX moved_records_month_idx ON moved_records (month, kind, number);

CREATE TABLE moved_batches (
    written_in xid8 NOT NULL DEFAULT pg_current_xact_id() CONSTRAINT moved_batches_pkey PRIMARY KEY
);

COMMENT ON TABLE moved_batches IS 'Transactions that have applied or reverted a batch and recorded its part of the change under way';
