-- depends: 0006_batch_scope

-- The transaction that added or deleted the prices of a batch. Commits have no other order that can be queried: a timestamp is
-- written before its commit, so a subscriber that compares timestamps would miss a late commit.

ALTER TABLE price_batches ADD COLUMN changed_in xid8;

COMMENT ON COLUMN price_batches.changed_in IS 'The transaction that applied the batch, or took it back; null while neither has happened';

CREATE INDEX price_batches_changed_in_idx ON price_batches (changed_in);
