-- Clusters come and go, and some are one database that somebody brought. A cluster that is forgotten keeps its row, so that
-- what refers to it stays readable; its name and its server are free again.
ALTER TABLE cluster
    ADD COLUMN state text NOT NULL DEFAULT 'open'
        CHECK (state IN ('joining', 'filling', 'open', 'draining', 'drained', 'removed')),
    ADD COLUMN removed_at timestamptz,
    -- What was seen of the server last; what was different the time before, and since when.
    ADD COLUMN capability jsonb,
    ADD COLUMN capability_before jsonb,
    ADD COLUMN capability_changed_at timestamptz,
    -- What everyone could do in the maintenance databases before Holm closed them.
    ADD COLUMN public_before jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(public_before) = 'array'),
    -- Room for one: this database, brought by URL, is all that Holm knows of the server.
    ADD COLUMN adopted_database text COLLATE "C",
    ADD COLUMN adopted_oid bigint,
    ADD CONSTRAINT cluster_removed_has_time CHECK ((state = 'removed') = (removed_at IS NOT NULL)),
    ADD CONSTRAINT cluster_adopted_is_whole CHECK ((adopted_database IS NULL) = (adopted_oid IS NULL)),
    DROP CONSTRAINT cluster_name_key,
    DROP CONSTRAINT cluster_system_identifier_key;
CREATE UNIQUE INDEX cluster_name ON cluster (name) WHERE state <> 'removed';
-- One server is one cluster of one environment (R13); of adopted databases each is one.
CREATE UNIQUE INDEX cluster_server ON cluster (system_identifier) WHERE state <> 'removed' AND adopted_oid IS NULL;
CREATE UNIQUE INDEX cluster_adopted ON cluster (system_identifier, adopted_oid) WHERE state <> 'removed' AND adopted_oid IS NOT NULL;

ALTER TABLE database
    ALTER COLUMN template_id DROP NOT NULL,
    ADD COLUMN adopted boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT database_made_has_template CHECK (adopted = (template_id IS NULL)),
    ADD CONSTRAINT database_adopted_is_in_use CHECK (NOT adopted OR state IN ('claimed', 'condemned')),
    DROP CONSTRAINT database_name_key;
CREATE UNIQUE INDEX database_name ON database (name) WHERE NOT adopted;
CREATE UNIQUE INDEX database_adopted ON database (cluster_id) WHERE adopted;
