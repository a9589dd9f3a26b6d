-- Several processes on one catalog: who they are, what each data plane uses, and what has to be done now and then (ADR-0009).
-- New tables, and columns with defaults: a Holm that does not know them goes on working.

CREATE TABLE node (
    id             uuid PRIMARY KEY,
    name           text NOT NULL CHECK (name <> ''),
    role           text NOT NULL CHECK (role IN ('all', 'control', 'data')),
    holm_version   text NOT NULL,
    -- The newest migration that it knows, and so what a newer Holm must not break while it runs.
    schema_version integer NOT NULL,
    -- The routes that its data plane uses; 0 before it uses any.
    route_version  bigint NOT NULL DEFAULT 0,
    started_at     timestamptz NOT NULL DEFAULT now(),
    seen_at        timestamptz NOT NULL DEFAULT now()
);

-- `membership` grows when a node joins, under the same lock as a change of routes gets its version: whoever changed
-- something knows from it whether there is a node that it has not heard of. `incarnation` changes when the catalog is
-- restored from a backup: what a node knows of the former one is not to be added to.
ALTER TABLE route_clock
    ADD COLUMN membership bigint NOT NULL DEFAULT 0,
    ADD COLUMN incarnation uuid NOT NULL DEFAULT gen_random_uuid();

CREATE TABLE schedule (
    name     text PRIMARY KEY,
    -- When it is done next, or taken up by another process if whoever has it in hand did not finish.
    due_at   timestamptz NOT NULL DEFAULT now(),
    -- Grows whenever a process takes it in hand; only that process may say that it is done.
    turn     bigint NOT NULL DEFAULT 0,
    runner   text,
    begun_at timestamptz,
    ended_at timestamptz,
    problem  jsonb
);
