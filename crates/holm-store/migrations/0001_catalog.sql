-- The catalog. What must never be true is refused here, not only in Rust: rows that cross environments (composite foreign
-- keys that carry environment_id), states without their data (CHECKs), two owners of one database (unique constraints).
-- Names are compared byte by byte (COLLATE "C"), so that keyset pages have one order on every server.

CREATE TABLE environment (
    id                uuid PRIMARY KEY,
    name              text COLLATE "C" NOT NULL UNIQUE,
    kind              text NOT NULL CHECK (kind IN ('production', 'staging', 'development', 'ci')),
    domain            text COLLATE "C" NOT NULL UNIQUE,
    sealed_header_key bytea NOT NULL,
    pool_size         integer NOT NULL CHECK (pool_size >= 0),
    migrations_dir    text,
    seed              jsonb,
    created_at        timestamptz NOT NULL DEFAULT now(),
    route_version     bigint NOT NULL DEFAULT 0
);

CREATE TABLE cluster (
    id                    uuid PRIMARY KEY,
    environment_id        uuid NOT NULL REFERENCES environment (id),
    name                  text COLLATE "C" NOT NULL UNIQUE,
    host                  text NOT NULL,
    port                  integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    admin_role            text NOT NULL,
    sealed_admin_password bytea NOT NULL,
    -- One server is one cluster of one environment (R13).
    system_identifier     bigint NOT NULL UNIQUE,
    server_version        integer NOT NULL CHECK (server_version > 0),
    connections_max       integer NOT NULL CHECK (connections_max > 0),
    trouble               jsonb,
    created_at            timestamptz NOT NULL DEFAULT now(),
    route_version         bigint NOT NULL DEFAULT 0,
    UNIQUE (id, environment_id)
);
CREATE INDEX cluster_environment ON cluster (environment_id);

CREATE TABLE template (
    id            uuid PRIMARY KEY,
    cluster_id    uuid NOT NULL REFERENCES cluster (id),
    fingerprint   text NOT NULL,
    database_name text COLLATE "C" NOT NULL UNIQUE,
    state         text NOT NULL CHECK (state IN ('planned', 'ready', 'retired')),
    trouble       jsonb,
    created_at    timestamptz NOT NULL DEFAULT now(),
    dropped_at    timestamptz,
    UNIQUE (id, cluster_id),
    CONSTRAINT template_dropped_is_retired CHECK (dropped_at IS NULL OR state = 'retired')
);
CREATE UNIQUE INDEX template_live ON template (cluster_id, fingerprint) WHERE state <> 'retired';

CREATE TABLE database (
    id             uuid PRIMARY KEY,
    cluster_id     uuid NOT NULL,
    environment_id uuid NOT NULL,
    template_id    uuid NOT NULL,
    name           text COLLATE "C" NOT NULL UNIQUE,
    state          text NOT NULL CHECK (state IN ('planned', 'ready', 'claimed', 'condemned')),
    sealed_logins  bytea NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    ready_at       timestamptz,
    UNIQUE (id, environment_id),
    FOREIGN KEY (cluster_id, environment_id) REFERENCES cluster (id, environment_id),
    FOREIGN KEY (template_id, cluster_id) REFERENCES template (id, cluster_id),
    CONSTRAINT database_whole_has_time CHECK (state NOT IN ('ready', 'claimed') OR ready_at IS NOT NULL)
);
CREATE INDEX database_cluster ON database (cluster_id, state);
CREATE INDEX database_template ON database (template_id, cluster_id);
CREATE INDEX database_ready ON database (environment_id, ready_at, id) WHERE state = 'ready';

CREATE TABLE tenant (
    id                uuid PRIMARY KEY,
    environment_id    uuid NOT NULL REFERENCES environment (id),
    slug              text COLLATE "C" NOT NULL,
    database_id       uuid UNIQUE,
    wanted_cluster_id uuid,
    state             text NOT NULL CHECK (state IN ('creating', 'serving', 'suspended', 'failed')),
    seeded            boolean NOT NULL,
    epoch             bigint NOT NULL CHECK (epoch > 0),
    parameters        jsonb NOT NULL CHECK (jsonb_typeof(parameters) = 'array'),
    failure           jsonb,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    route_version     bigint NOT NULL DEFAULT 0,
    UNIQUE (id, environment_id),
    FOREIGN KEY (database_id, environment_id) REFERENCES database (id, environment_id),
    FOREIGN KEY (wanted_cluster_id, environment_id) REFERENCES cluster (id, environment_id),
    CONSTRAINT tenant_in_use_has_seeded_database CHECK (state NOT IN ('serving', 'suspended') OR (database_id IS NOT NULL AND seeded)),
    CONSTRAINT tenant_failed_has_reason CHECK ((state = 'failed') = (failure IS NOT NULL)),
    CONSTRAINT tenant_failed_has_no_database CHECK (state <> 'failed' OR database_id IS NULL)
);
CREATE UNIQUE INDEX tenant_slug ON tenant (environment_id, slug) WHERE state <> 'failed';
CREATE INDEX tenant_route_version ON tenant (route_version);
CREATE INDEX tenant_creating ON tenant (environment_id, created_at, id) WHERE state = 'creating';

CREATE TABLE credential (
    id             uuid PRIMARY KEY,
    environment_id uuid NOT NULL REFERENCES environment (id),
    tenant_id      uuid,
    name           text COLLATE "C" NOT NULL,
    level          text NOT NULL CHECK (level IN ('owner', 'rw', 'ro')),
    salt           bytea NOT NULL CHECK (octet_length(salt) > 0),
    iterations     integer NOT NULL CHECK (iterations > 0),
    stored_key     bytea NOT NULL CHECK (octet_length(stored_key) = 32),
    server_key     bytea NOT NULL CHECK (octet_length(server_key) = 32),
    created_at     timestamptz NOT NULL DEFAULT now(),
    revoked_at     timestamptz,
    route_version  bigint NOT NULL DEFAULT 0,
    FOREIGN KEY (tenant_id, environment_id) REFERENCES tenant (id, environment_id)
);
-- Over all environments, since the proxy finds the environment by the name; free again when revoked, so that it can be rotated.
CREATE UNIQUE INDEX credential_name ON credential (name) WHERE revoked_at IS NULL;
CREATE INDEX credential_environment ON credential (environment_id, name) WHERE revoked_at IS NULL;
CREATE INDEX credential_tenant ON credential (tenant_id) WHERE tenant_id IS NOT NULL;
CREATE INDEX credential_route_version ON credential (route_version);

CREATE TABLE api_token (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    hash         bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz
);

-- One row. It begins at 1, so that a node without any table (version 0) takes even the empty one.
CREATE TABLE route_clock (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL
);
INSERT INTO route_clock (version) VALUES (1);
