-- Nodes of the data plane that have no way to the catalog: each is known by the public half of a key pair, and by nothing else.
-- A new table only: a Holm that does not know it goes on working.

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
