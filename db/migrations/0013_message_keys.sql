-- depends: 0012_location_aliases

-- Messages of a broker, merged into batches. The broker delivers a message at least once: its ID, stored in the transaction that
-- stores its prices, makes that exactly once. A row is deleted some time after its batch has ended.

CREATE TABLE message_keys (
    message_id text NOT NULL,
    -- The queue, as `amqp:<queue>`. IDs of different queues are independent.
    source     text NOT NULL,
    -- Tells a repeated message from another one with the same ID.
    digest     bytea NOT NULL,
    batch_id   bigint NOT NULL
               CONSTRAINT message_keys_batch_id_fkey REFERENCES price_batches (id) ON DELETE CASCADE,
    -- The first of the message's items in the batch; they end where the next message begins.
    first_item integer NOT NULL,
    CONSTRAINT message_keys_pkey PRIMARY KEY (message_id, source)
);

COMMENT ON TABLE message_keys IS 'Messages that were stored, by their ID: a repeated one is stored once';

-- For the message of a rejected item, and for the deletion of old rows.
CREATE INDEX message_keys_batch_idx ON message_keys (batch_id, first_item);
