-- depends: 0013_message_keys

-- Observations of old months lie in Parquet files, and their totals stay in price_totals. Only new, empty tables: nothing is
-- rewritten, and no table in use is locked.

CREATE TABLE archived_files (
    id                bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT archived_files_pkey PRIMARY KEY,
    month             date NOT NULL,
    url               text NOT NULL CONSTRAINT archived_files_url_unique UNIQUE,
    byte_count        bigint NOT NULL,
    sha256            bytea NOT NULL,
    row_count         bigint NOT NULL,
    first_day         date NOT NULL,
    last_day          date NOT NULL,
    first_batch       bigint NOT NULL,
    last_batch        bigint NOT NULL,
    first_origin      integer NOT NULL,
    last_origin       integer NOT NULL,
    archived_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE archived_files IS 'Parquet files with the observations that have left the table prices';
COMMENT ON COLUMN archived_files.month IS 'Month of the last day of all observations in the file';

CREATE TABLE archived_lanes (
    origin      integer NOT NULL,
    destination integer NOT NULL,
    price_count bigint NOT NULL,
    CONSTRAINT archived_lanes_pkey PRIMARY KEY (origin, destination)
);

COMMENT ON TABLE archived_lanes IS 'Number of archived observations by lane, without those of reverted batches';

CREATE TABLE archive_tombstones (
    batch_id bigint CONSTRAINT archive_tombstones_pkey PRIMARY KEY
);

COMMENT ON TABLE archive_tombstones IS 'Reverted batches with observations in archived files, where they no longer count';
