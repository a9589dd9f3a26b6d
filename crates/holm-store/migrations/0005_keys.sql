-- Keys in two layers (ADR-0008): secrets are sealed with data keys, data keys are wrapped with a master key that is not here.
-- New tables only: a Holm that does not know them goes on working.

CREATE TABLE installation (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    id         uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Which master keys this catalog has been used with. What opens key_check is the key of that id, and nothing else does.
CREATE TABLE master_key (
    id         text COLLATE "C" PRIMARY KEY CHECK (id <> ''),
    key_check  bytea NOT NULL,
    current    boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    CONSTRAINT master_key_current_is_not_retired CHECK (retired_at IS NULL OR NOT current)
);
CREATE UNIQUE INDEX master_key_current ON master_key (current) WHERE current;

-- A data key belongs to one thing, or to the installation if all four are null, and goes with it.
CREATE TABLE data_key (
    id             uuid PRIMARY KEY,
    environment_id uuid REFERENCES environment (id) ON DELETE CASCADE,
    cluster_id     uuid REFERENCES cluster (id) ON DELETE CASCADE,
    database_id    uuid REFERENCES database (id) ON DELETE CASCADE,
    tenant_id      uuid REFERENCES tenant (id) ON DELETE CASCADE,
    purpose        text NOT NULL CHECK (purpose <> ''),
    master_key_id  text COLLATE "C" REFERENCES master_key (id),
    wrapped        bytea,
    created_at     timestamptz NOT NULL DEFAULT now(),
    destroyed_at   timestamptz,
    CONSTRAINT data_key_has_one_owner CHECK (num_nonnulls(environment_id, cluster_id, database_id, tenant_id) <= 1),
    CONSTRAINT data_key_destroyed_is_gone CHECK ((destroyed_at IS NULL) = (wrapped IS NOT NULL)),
    CONSTRAINT data_key_wrapped_names_its_key CHECK ((wrapped IS NULL) = (master_key_id IS NULL))
);
CREATE UNIQUE INDEX data_key_environment ON data_key (environment_id, purpose) WHERE environment_id IS NOT NULL AND destroyed_at IS NULL;
CREATE UNIQUE INDEX data_key_cluster ON data_key (cluster_id, purpose) WHERE cluster_id IS NOT NULL AND destroyed_at IS NULL;
CREATE UNIQUE INDEX data_key_database ON data_key (database_id, purpose) WHERE database_id IS NOT NULL AND destroyed_at IS NULL;
CREATE UNIQUE INDEX data_key_tenant ON data_key (tenant_id, purpose) WHERE tenant_id IS NOT NULL AND destroyed_at IS NULL;
CREATE UNIQUE INDEX data_key_installation ON data_key (purpose)
    WHERE num_nonnulls(environment_id, cluster_id, database_id, tenant_id) = 0 AND destroyed_at IS NULL;
