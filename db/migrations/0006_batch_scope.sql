-- depends: 0005_batch_queue

-- The lanes that a batch touched, and the progress of a large batch.

ALTER TABLE price_batches
    ADD COLUMN lane_count integer NOT NULL DEFAULT 0,
    ADD COLUMN first_day date,
    ADD COLUMN last_day date;

-- One row per batch, not per lane: a batch may touch tens of thousands, which are always written and read together.
CREATE TABLE batch_lanes (
    batch_id     bigint CONSTRAINT batch_lanes_pkey PRIMARY KEY
                 CONSTRAINT batch_lanes_batch_id_fkey REFERENCES price_batches (id) ON DELETE CASCADE,
    origins      integer[] NOT NULL,
    destinations integer[] NOT NULL
);

COMMENT ON TABLE batch_lanes IS 'The lanes of an applied batch, port to port, in the order of their ids';

-- Written outside of the transaction that applies the batch and locks its row; so it refers to that row by value only.
CREATE TABLE batch_progress (
    batch_id bigint CONSTRAINT batch_progress_pkey PRIMARY KEY,
    progress real NOT NULL CONSTRAINT batch_progress_part CHECK (progress BETWEEN 0 AND 1)
);

COMMENT ON TABLE batch_progress IS 'The part of its payload that a running batch has been read to';
