-- Where servers are said to be, which profile a tenant's copies are judged by, and what an installation knows besides what Holm
-- ships. New tables, and columns that may be empty: a Holm that does not know them goes on working, and judges nothing.

-- In the order in which everybody waits for rows: an older Holm goes on meanwhile.
LOCK TABLE environment, cluster, tenant IN ACCESS EXCLUSIVE MODE;

-- What whoever added a cluster says of it. Nobody can see from a server where it is: a claim, with what it rests on and a date.
ALTER TABLE cluster
    ADD COLUMN place text COLLATE "C" CHECK (place ~ '^[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_/-]{1,64}$'),
    ADD COLUMN place_evidence text CHECK (length(place_evidence) <= 2000),
    ADD COLUMN placed_at timestamptz,
    -- When it was last asked who receives its log; until then nobody knows what other copies there are.
    ADD COLUMN copies_seen_at timestamptz,
    ADD CONSTRAINT cluster_place_dated CHECK ((place IS NULL) = (placed_at IS NULL));

-- By name, so that a new version of a profile is what its tenants are judged by from then on.
ALTER TABLE tenant ADD COLUMN profile text COLLATE "C" CHECK (profile ~ '^[A-Za-z0-9_-]{1,64}$');
CREATE INDEX tenant_profile ON tenant (profile) WHERE profile IS NOT NULL;
-- What a tenant is given that asks for none.
ALTER TABLE environment ADD COLUMN profile text COLLATE "C" CHECK (profile ~ '^[A-Za-z0-9_-]{1,64}$');

-- Grows with everything that a verdict may rest on. Whoever judges before making a copy holds it shared until the copy's row is
-- written; whoever changes something holds it alone.
CREATE TABLE residency (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    epoch    bigint NOT NULL DEFAULT 1,
    -- The state by which every copy was judged last, and when that is over even if nothing changes.
    judged   bigint NOT NULL DEFAULT 0,
    judge_by timestamptz NOT NULL DEFAULT now()
);
INSERT INTO residency DEFAULT VALUES;

-- Every version that was ever in force; the newest counts.
CREATE TABLE residency_profile (
    name    text COLLATE "C" NOT NULL CHECK (name ~ '^[A-Za-z0-9_-]{1,64}$'),
    version integer NOT NULL CHECK (version > 0),
    text    text NOT NULL CHECK (length(text) <= 262144),
    hash    text COLLATE "C" NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

-- Facts of the installation's own, laid over those that Holm ships in the order of their names.
CREATE TABLE residency_facts (
    id         uuid PRIMARY KEY,
    name       text COLLATE "C" NOT NULL CHECK (name ~ '^[A-Za-z0-9_-]{1,64}$'),
    text       text NOT NULL CHECK (length(text) <= 1048576),
    kept_at    timestamptz NOT NULL DEFAULT now(),
    -- The row stays: what was known at a time can be told later.
    removed_at timestamptz
);
CREATE UNIQUE INDEX residency_facts_name ON residency_facts (name) WHERE removed_at IS NULL;

-- Contracts and clauses that are on file; of one environment, or of all.
CREATE TABLE residency_paper (
    id              uuid PRIMARY KEY,
    environment_id  uuid REFERENCES environment (id),
    kind            text COLLATE "C" NOT NULL CHECK (kind ~ '^[A-Za-z0-9_-]{1,64}$'),
    entity          text COLLATE "C" NOT NULL CHECK (entity ~ '^[A-Za-z0-9_-]{1,64}$'),
    signed_on       date NOT NULL,
    ends_on         date CHECK (ends_on > signed_on),
    edition         text CHECK (length(edition) <= 200),
    document_sha256 bytea CHECK (length(document_sha256) = 32),
    kept_at         timestamptz NOT NULL DEFAULT now(),
    removed_at      timestamptz
);
CREATE INDEX residency_paper_in_force ON residency_paper (kept_at) WHERE removed_at IS NULL;

-- One rule that does not count for one copy of one tenant, for a time.
CREATE TABLE residency_exception (
    id         uuid PRIMARY KEY,
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    copy       text COLLATE "C" NOT NULL CHECK (copy ~ '^[A-Za-z0-9_-]{1,64}$'),
    rule       text COLLATE "C" NOT NULL,
    -- Where the copy was then: it is for that and for nowhere else.
    place      text COLLATE "C",
    -- A principal's name or an office, as it was given.
    owner      text NOT NULL CHECK (length(owner) BETWEEN 1 AND 200),
    reason     text NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
    measure    text NOT NULL CHECK (length(measure) BETWEEN 1 AND 2000),
    until      timestamptz NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
CREATE INDEX residency_exception_of_tenant ON residency_exception (tenant_id) WHERE removed_at IS NULL;

-- Why a tenant's database is where it is, and why it is not elsewhere, as it was judged then.
CREATE TABLE residency_decision (
    id           uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES tenant (id),
    decided_at   timestamptz NOT NULL DEFAULT now(),
    decision     jsonb NOT NULL
);
CREATE INDEX residency_decision_of_tenant ON residency_decision (tenant_id, decided_at);

-- What each copy came to when it was last judged, and since when it is so.
CREATE TABLE residency_standing (
    tenant_id   uuid NOT NULL REFERENCES tenant (id),
    copy        text COLLATE "C" NOT NULL,
    outcome     text COLLATE "C" NOT NULL CHECK (outcome IN ('allow', 'unknown', 'deny')),
    objections  jsonb NOT NULL,
    since       timestamptz NOT NULL DEFAULT now(),
    valid_until timestamptz,
    PRIMARY KEY (tenant_id, copy)
);
CREATE INDEX residency_standing_breach ON residency_standing (since) WHERE outcome <> 'allow';

-- Copies of everything on a cluster that were seen there: standbys, slots, an archive. Where they are, somebody has to say.
CREATE TABLE cluster_copy (
    cluster_id     uuid NOT NULL REFERENCES cluster (id),
    kind           text COLLATE "C" NOT NULL CHECK (kind IN ('standby', 'slot', 'archive')),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    seen           text NOT NULL,
    place          text COLLATE "C" CHECK (place ~ '^[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_/-]{1,64}$'),
    place_evidence text CHECK (length(place_evidence) <= 2000),
    placed_at      timestamptz,
    first_seen_at  timestamptz NOT NULL DEFAULT now(),
    seen_at        timestamptz NOT NULL DEFAULT now(),
    gone_at        timestamptz,
    PRIMARY KEY (cluster_id, kind, name),
    CHECK ((place IS NULL) = (placed_at IS NULL))
);
