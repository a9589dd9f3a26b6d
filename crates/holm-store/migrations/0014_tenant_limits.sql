-- Control of one tenant without a reload: what it may have of its cluster, and that it waits.

-- How many of its cluster's connections a tenant may have, and its share against others'. Columns with defaults: a Holm that
-- does not know them goes on working, and its data plane gives everybody what it gave before.
ALTER TABLE tenant
    -- Nobody takes these from it.
    ADD COLUMN connections_min integer NOT NULL DEFAULT 0,
    -- None is all that the cluster has.
    ADD COLUMN connections_max integer,
    ADD COLUMN weight integer NOT NULL DEFAULT 1,
    -- 262143 is PostgreSQL's own bound of max_connections.
    ADD CONSTRAINT tenant_limits CHECK (
        connections_min BETWEEN 0 AND 262143
        AND (connections_max IS NULL OR connections_max BETWEEN greatest(connections_min, 1) AND 262143)
        AND weight BETWEEN 1 AND 100
    );

-- A tenant whose transactions wait by an operator's word is in use; a Holm that does not know the word cannot go on.
ALTER TABLE tenant
    DROP CONSTRAINT tenant_state_check,
    ADD CONSTRAINT tenant_state_check
        CHECK (state IN ('creating', 'serving', 'paused', 'suspended', 'deleted', 'dropped', 'failed')),
    DROP CONSTRAINT tenant_in_use_has_seeded_database,
    ADD CONSTRAINT tenant_in_use_has_seeded_database
        CHECK (state NOT IN ('serving', 'paused', 'suspended', 'deleted') OR (database_id IS NOT NULL AND seeded));
DROP INDEX tenant_expires;
CREATE INDEX tenant_expires ON tenant (expires_at)
    WHERE expires_at IS NOT NULL AND state IN ('creating', 'serving', 'paused', 'suspended');
