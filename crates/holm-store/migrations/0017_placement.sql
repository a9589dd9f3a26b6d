-- What the control plane says of each tenant's database on its server: certificates are made of it when routes are given out.
-- A new table, and a column that may be empty: a Holm that does not know them goes on working, and gives out no certificates.

CREATE TABLE placement_certificate (
    tenant_id     uuid PRIMARY KEY REFERENCES tenant (id),
    -- Where it was judged; a database that is elsewhere since has none.
    cluster_id    uuid NOT NULL REFERENCES cluster (id),
    -- Which server that was, where it tells.
    server        bigint,
    -- By what it was judged; both are empty for a tenant that no profile is for.
    profile_hash  bytea CHECK (length(profile_hash) = 32),
    registry_hash bytea CHECK (length(registry_hash) = 32),
    -- `nothing` is that it is withheld.
    allows        text COLLATE "C" NOT NULL CHECK (allows IN ('all', 'reading', 'finishing', 'finishing_reading', 'nothing')),
    issued_at     timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX placement_certificate_expiry ON placement_certificate (expires_at);

-- Of all that was known when copies were judged last.
ALTER TABLE residency ADD COLUMN registry_hash bytea CHECK (length(registry_hash) = 32);

-- For how long a copy has been denied, whatever was not known between.
ALTER TABLE residency_standing ADD COLUMN denied_since timestamptz;
UPDATE residency_standing SET denied_since = since WHERE outcome = 'deny';

-- Who is there already was let in until now, and is until somebody has judged, which is due at once.
INSERT INTO placement_certificate (tenant_id, cluster_id, server, allows, issued_at, expires_at)
SELECT t.id, d.cluster_id, CASE WHEN c.capability -> 'facts' ->> 'known_by' = 'address' THEN NULL ELSE c.system_identifier END,
    'all', now(), now() + interval '48 hours' - random() * interval '12 hours'
FROM tenant t
JOIN database d ON d.id = t.database_id
JOIN cluster c ON c.id = d.cluster_id
WHERE t.state NOT IN ('creating', 'failed', 'dropped');
UPDATE residency SET judged = 0;
