-- Gives a tenant ($1) a ready member of its environment ($2), on one cluster ($3) if that was asked for.
WITH member AS (
    -- The oldest that nobody else is taking; not of a retired template, not on a cluster in trouble of a kind in $4.
    SELECT d.id
    FROM database d
    JOIN template p ON p.id = d.template_id
    JOIN cluster c ON c.id = d.cluster_id
    WHERE d.environment_id = $2
        AND d.state = 'ready'
        AND p.state <> 'retired'
        AND c.state = 'open'
        AND ($3::uuid IS NULL OR d.cluster_id = $3)
        AND (c.trouble IS NULL OR c.trouble ->> 'code' <> ALL ($4))
    ORDER BY d.ready_at, d.id
    LIMIT 1
    FOR UPDATE OF d SKIP LOCKED
), claimed AS (
    UPDATE database d
    SET state = 'claimed'
    FROM member
    WHERE d.id = member.id
    RETURNING d.id, d.cluster_id, d.environment_id, d.template_id, d.name, d.state, d.sealed_logins, d.next_sealed_logins, d.created_at, d.ready_at
), given AS (
    UPDATE tenant t
    SET database_id = claimed.id
    FROM claimed
    WHERE t.id = $1
)
SELECT claimed.*, c.name AS cluster
FROM claimed
JOIN cluster c ON c.id = claimed.cluster_id
