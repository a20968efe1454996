-- Ports and regions in one table: one tree, one namespace for codes and slugs.

CREATE TABLE locations (
    id          integer GENERATED ALWAYS AS IDENTITY CONSTRAINT locations_pkey PRIMARY KEY,
    kind        text NOT NULL CONSTRAINT locations_kind_known CHECK (kind IN ('PORT', 'REGION')),
    key         text NOT NULL,
    name        text NOT NULL,
    -- The name and the key without accents and in lower case, for searches. The application fills it, so that no server
    -- extension is needed.
    search_text text NOT NULL,
    parent_id   integer CONSTRAINT locations_parent_id_fkey REFERENCES locations (id),
    CONSTRAINT locations_no_self_parent CHECK (parent_id <> id)
);

COMMENT ON TABLE locations IS 'Ports and regions of the region tree';

CREATE UNIQUE INDEX locations_key_unique ON locations (lower(key));

CREATE INDEX locations_parent_id_idx ON locations (parent_id);

CREATE INDEX locations_search_order_idx ON locations (search_text, id);
