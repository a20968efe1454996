-- depends: 0006_batch_scope

-- Which transaction made the prices of a batch come or go. Commits have no other order that can be asked for: a time is
-- written before its commit, so by time alone whoever watches would miss a commit that came late.

ALTER TABLE price_batches ADD COLUMN changed_in xid8;

COMMENT ON COLUMN price_batches.changed_in IS 'The transaction that applied the batch, or took it back; null while neither has happened';

CREATE INDEX price_batches_changed_in_idx ON price_batches (changed_in);
