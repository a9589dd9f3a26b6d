-- Durable operations: what is to be done, who is doing it (lease), and the append-only journal that says how far it is.
-- The journal is the truth; the columns of `operation` that repeat it exist so that rows can be claimed, listed and refused
-- without reading it.

CREATE TABLE operation (
    id              uuid PRIMARY KEY,
    kind            text COLLATE "C" NOT NULL,
    kind_version    integer NOT NULL CHECK (kind_version > 0),
    environment_id  uuid REFERENCES environment (id),
    -- No foreign key: the operation that removes a cluster outlives it.
    cluster_id      uuid,
    -- What it is about, as people know it; names stay readable after their rows are gone.
    subject         text NOT NULL,
    parent_id       uuid REFERENCES operation (id),
    requested_by    jsonb NOT NULL,
    reason          text,
    state           text NOT NULL CHECK (state IN ('active', 'paused', 'undoing', 'broken', 'succeeded', 'undone', 'abandoned')),
    steps           integer NOT NULL CHECK (steps > 0),
    step            integer NOT NULL CHECK (step BETWEEN 0 AND steps),
    step_name       text,
    problem         jsonb,
    alerted         boolean NOT NULL DEFAULT false,
    progress        jsonb,
    -- The journal's last event and the digest over all of it.
    last_seq        bigint NOT NULL CHECK (last_seq > 0),
    head            bytea NOT NULL CHECK (octet_length(head) = 32),
    -- Who may write: only with this epoch, which every claim raises.
    lease_epoch     bigint NOT NULL DEFAULT 0 CHECK (lease_epoch >= 0),
    lease_owner     text,
    lease_until     timestamptz,
    next_run_at     timestamptz NOT NULL DEFAULT now(),
    deadline_at     timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    CONSTRAINT operation_lease_is_whole CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CONSTRAINT operation_over_has_time CHECK ((state IN ('succeeded', 'undone', 'abandoned')) = (finished_at IS NOT NULL)),
    CONSTRAINT operation_over_has_no_lease CHECK (finished_at IS NULL OR lease_owner IS NULL)
);
CREATE INDEX operation_due ON operation (next_run_at, id) WHERE state IN ('active', 'undoing');
CREATE INDEX operation_leased ON operation (cluster_id, kind) WHERE lease_owner IS NOT NULL;
CREATE INDEX operation_parent ON operation (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX operation_unfinished ON operation (id) WHERE finished_at IS NULL;
CREATE INDEX operation_environment ON operation (environment_id, id);

-- What nobody else may change meanwhile: a tenant, a cluster, a credential. PostgreSQL itself refuses a second operation.
CREATE TABLE operation_subject (
    operation_id uuid NOT NULL REFERENCES operation (id),
    subject_id   uuid NOT NULL,
    held         boolean NOT NULL DEFAULT true,
    PRIMARY KEY (operation_id, subject_id)
);
CREATE UNIQUE INDEX operation_subject_held ON operation_subject (subject_id) WHERE held;
CREATE INDEX operation_subject_history ON operation_subject (subject_id, operation_id);

CREATE TABLE operation_event (
    operation_id uuid NOT NULL REFERENCES operation (id),
    seq          bigint NOT NULL CHECK (seq > 0),
    -- 0 for what people ask; the writer's lease otherwise.
    epoch        bigint NOT NULL CHECK (epoch >= 0),
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- `json` and not `jsonb`: the digest is over the very text.
    event        json NOT NULL,
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    PRIMARY KEY (operation_id, seq)
);

-- A tenant may be deleted (kept whole for a while, with its name) and then dropped (only the row is left).
ALTER TABLE tenant
    DROP CONSTRAINT tenant_state_check,
    ADD CONSTRAINT tenant_state_check CHECK (state IN ('creating', 'serving', 'suspended', 'deleted', 'dropped', 'failed')),
    DROP CONSTRAINT tenant_in_use_has_seeded_database,
    ADD CONSTRAINT tenant_in_use_has_seeded_database
        CHECK (state NOT IN ('serving', 'suspended', 'deleted') OR (database_id IS NOT NULL AND seeded)),
    ADD CONSTRAINT tenant_dropped_has_no_database CHECK (state <> 'dropped' OR database_id IS NULL);
DROP INDEX tenant_slug;
CREATE UNIQUE INDEX tenant_slug ON tenant (environment_id, slug) WHERE state NOT IN ('failed', 'dropped');
