-- Differences between the servers of two environments that somebody accepts for a time. A new table: a Holm that does not know it
-- goes on working.

CREATE TABLE parity_waiver (
    id             uuid PRIMARY KEY,
    environment_id uuid NOT NULL REFERENCES environment (id),
    -- The other one; it makes no difference which is which.
    with_id        uuid NOT NULL REFERENCES environment (id),
    difference     text COLLATE "C" NOT NULL CHECK (length(difference) BETWEEN 1 AND 200),
    -- What the servers of each had then: it is for that and for nothing else. Each an array of texts; null is what nobody knew.
    values_here    jsonb NOT NULL CHECK (jsonb_typeof(values_here) = 'array'),
    values_there   jsonb NOT NULL CHECK (jsonb_typeof(values_there) = 'array'),
    -- A principal's name or an office, as it was given.
    owner          text NOT NULL CHECK (length(owner) BETWEEN 1 AND 200),
    reason         text NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
    until          timestamptz NOT NULL,
    granted_at     timestamptz NOT NULL DEFAULT now(),
    -- The row stays: what was accepted can be told later.
    removed_at     timestamptz,
    CHECK (environment_id <> with_id)
);
CREATE INDEX parity_waiver_in_force ON parity_waiver (environment_id, with_id) WHERE removed_at IS NULL;
