-- A copy of an environment's data that Holm neither makes nor sees: a bucket, a log sink, the machines of the app. Somebody says so.
CREATE TABLE residency_copy (
    id             uuid PRIMARY KEY,
    environment_id uuid NOT NULL REFERENCES environment (id),
    -- What it is called among the copies of a tenant.
    copy           text COLLATE "C" NOT NULL CHECK (copy ~ '^[A-Za-z0-9_-]{1,64}$'),
    role           text COLLATE "C" NOT NULL CHECK (role ~ '^[a-z_]{1,32}$'),
    place          text COLLATE "C" NOT NULL,
    key_holder     text COLLATE "C" NOT NULL CHECK (key_holder ~ '^[a-z_]{1,40}$'),
    evidence       text CHECK (length(evidence) <= 2000),
    kept_at        timestamptz NOT NULL DEFAULT now(),
    removed_at     timestamptz
);
CREATE UNIQUE INDEX residency_copy_called ON residency_copy (environment_id, copy) WHERE removed_at IS NULL;
