-- Who may do what, and what was done. Additive: an older Holm goes on working beside it. It knows none of these tables, and
-- the tokens that it issues belong to nobody until a newer one is told whose they are.

CREATE TABLE principal (
    id          uuid PRIMARY KEY,
    -- For ever, also when disabled: the audit log means one principal by one name.
    name        text COLLATE "C" NOT NULL UNIQUE,
    kind        text NOT NULL CHECK (kind IN ('person', 'machine')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);

-- A role that somebody holds, in one environment or (null) in all of them. One that is taken back is deleted; when it was
-- held stands in the audit log.
CREATE TABLE role_grant (
    principal_id   uuid NOT NULL REFERENCES principal (id),
    environment_id uuid REFERENCES environment (id),
    role           text NOT NULL CHECK (role IN ('viewer', 'support', 'operator', 'privacy', 'admin')),
    granted_by     text NOT NULL,
    granted_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz
);
CREATE UNIQUE INDEX role_grant_once
    ON role_grant (principal_id, role, coalesce(environment_id, '00000000-0000-0000-0000-000000000000'));

ALTER TABLE api_token
    ADD COLUMN principal_id   uuid REFERENCES principal (id),
    ADD COLUMN environment_id uuid REFERENCES environment (id),
    ADD COLUMN role           text CHECK (role IN ('viewer', 'support', 'operator', 'privacy', 'admin')),
    ADD COLUMN expires_at     timestamptz;
CREATE INDEX api_token_principal ON api_token (principal_id);

-- Tokens that exist could do everything, and still can.
INSERT INTO principal (id, name, kind) SELECT gen_random_uuid(), 'holm dev', 'machine' WHERE EXISTS (SELECT FROM api_token);
INSERT INTO role_grant (principal_id, role, granted_by) SELECT id, 'admin', 'migration' FROM principal;
UPDATE api_token SET principal_id = (SELECT id FROM principal);

CREATE TABLE approval (
    id             uuid PRIMARY KEY,
    kind           text NOT NULL,
    -- SHA-256 of the canonical form of what is to be done.
    hash           bytea NOT NULL CHECK (octet_length(hash) = 32),
    environment_id uuid REFERENCES environment (id),
    requested_by   uuid NOT NULL REFERENCES principal (id),
    requested_at   timestamptz NOT NULL DEFAULT now(),
    reason         text NOT NULL,
    expires_at     timestamptz NOT NULL,
    decided_by     uuid REFERENCES principal (id),
    decided_at     timestamptz,
    verdict        text CHECK (verdict IN ('approved', 'rejected')),
    CONSTRAINT approval_decided_whole CHECK (num_nulls(decided_by, decided_at, verdict) IN (0, 3)),
    CONSTRAINT approval_by_another CHECK (decided_by <> requested_by)
);
CREATE INDEX approval_hash ON approval (hash, kind);

-- More than one has, for hours.
CREATE TABLE break_glass (
    id             uuid PRIMARY KEY,
    principal_id   uuid NOT NULL REFERENCES principal (id),
    environment_id uuid NOT NULL REFERENCES environment (id),
    role           text NOT NULL CHECK (role IN ('viewer', 'support', 'operator', 'privacy', 'admin')),
    reason         text NOT NULL,
    opened_at      timestamptz NOT NULL DEFAULT now(),
    until          timestamptz NOT NULL,
    ended_at       timestamptz,
    CONSTRAINT break_glass_is_short CHECK (until > opened_at AND until <= opened_at + interval '8 hours')
);
CREATE INDEX break_glass_principal ON break_glass (principal_id) WHERE ended_at IS NULL;

-- Texts, not jsonb, and names, not references: what is hashed is what is stored, byte by byte, and an entry outlives what it
-- is about.
CREATE TABLE audit_entry (
    seq           bigint PRIMARY KEY,
    at            timestamptz NOT NULL,
    version       smallint NOT NULL,
    actor_kind    text NOT NULL,
    actor_id      uuid,
    actor_name    text COLLATE "C" NOT NULL,
    action        text COLLATE "C" NOT NULL,
    environment   text COLLATE "C",
    subject_kind  text COLLATE "C" NOT NULL,
    subject_id    text COLLATE "C" NOT NULL,
    reason        text,
    detail        text NOT NULL,
    previous_hash bytea NOT NULL,
    hash          bytea NOT NULL
);
CREATE INDEX audit_entry_subject ON audit_entry (subject_id, seq);
CREATE INDEX audit_entry_actor ON audit_entry (actor_name, seq);

-- One row: the end of the chain, whose lock every writer takes.
CREATE TABLE audit_head (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq  bigint NOT NULL,
    hash bytea NOT NULL
);
INSERT INTO audit_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- The belt, against slips. Whoever owns the catalog can take it off: the hashes are the braces.
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is never changed, only added to';
END
$$;
CREATE TRIGGER audit_entry_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
