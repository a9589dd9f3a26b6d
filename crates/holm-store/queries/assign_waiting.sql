-- Gives ready members of one cluster ($1) to the tenants that have waited longest for one; of those that are
-- judged by a profile, to none whose profile is not in $3.
WITH place AS (
    -- The cluster and its environment, unless the cluster is in a kind of trouble ($2) that makes its databases useless.
    SELECT id, environment_id
    FROM cluster
    WHERE id = $1 AND state = 'open' AND (trouble IS NULL OR trouble ->> 'code' <> ALL ($2))
), waiting AS (
    -- At most 100 tenants, so that one statement stays short; the caller repeats while it gets any.
    SELECT t.id, t.created_at
    FROM tenant t
    JOIN place ON place.environment_id = t.environment_id
    WHERE t.state = 'creating' AND t.database_id IS NULL AND (t.wanted_cluster_id IS NULL OR t.wanted_cluster_id = place.id)
        AND (t.profile IS NULL OR t.profile = ANY ($3))
    ORDER BY t.created_at, t.id
    LIMIT 100
    FOR UPDATE OF t SKIP LOCKED
), member AS (
    -- No more members than tenants: one that is locked in vain is one that a claim beside us would miss.
    SELECT d.id, d.ready_at
    FROM database d
    JOIN place ON place.id = d.cluster_id
    JOIN template p ON p.id = d.template_id
    WHERE d.state = 'ready' AND p.state <> 'retired'
    ORDER BY d.ready_at, d.id
    LIMIT (SELECT count(*) FROM waiting)
    FOR UPDATE OF d SKIP LOCKED
), pair AS (
    SELECT w.id AS tenant_id, m.id AS database_id
    FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS rank FROM waiting) w
    JOIN (SELECT id, row_number() OVER (ORDER BY ready_at, id) AS rank FROM member) m USING (rank)
), claimed AS (
    UPDATE database d
    SET state = 'claimed'
    FROM pair
    WHERE d.id = pair.database_id
)
UPDATE tenant t
SET database_id = pair.database_id, updated_at = now()
FROM pair
WHERE t.id = pair.tenant_id
RETURNING t.id, t.profile
