-- Nodes of the data plane that have no way to the catalog: each is known by the public half of a key pair, and by nothing else.
-- A new table, and a column that may be empty: a Holm that does not know them goes on working.

CREATE TABLE data_node (
    id           uuid PRIMARY KEY,
    name         text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    public_key   bytea NOT NULL CHECK (length(public_key) = 32),
    -- When it last asked something, by its own clock, in microseconds since 1970: what was asked then counts no second time.
    asked_micros bigint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    -- The row stays: who was removed is told so, and that has to be sealed for its key.
    removed_at   timestamptz
);
CREATE UNIQUE INDEX data_node_name ON data_node (name) WHERE removed_at IS NULL;

-- Whose run it is, for a run that is let in by a key: nobody else's key speaks for it.
ALTER TABLE node ADD COLUMN data_node_id uuid REFERENCES data_node (id);
CREATE INDEX node_data_node ON node (data_node_id) WHERE data_node_id IS NOT NULL;
