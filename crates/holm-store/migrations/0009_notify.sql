-- Who is told what was done. New tables only: a Holm that does not know them goes on working, and tells nobody.

CREATE TABLE webhook (
    id              uuid PRIMARY KEY,
    name            text COLLATE "C" NOT NULL,
    url             text NOT NULL,
    sealed_secret   bytea NOT NULL,
    -- Signs as well until then, after a rotation.
    sealed_previous bytea,
    previous_until  timestamptz,
    -- Actions of the audit log, nouns with `.*`, or `*`.
    actions         text[] NOT NULL CHECK (cardinality(actions) > 0),
    environment_id  uuid REFERENCES environment (id),
    allow_private   boolean NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    disabled_at     timestamptz,
    -- The last entry of the audit log that was looked at for it.
    seq             bigint NOT NULL,
    -- One process at a time tells it anything; every write of that one is conditional on the epoch.
    lease_holder    text,
    lease_epoch     bigint NOT NULL DEFAULT 0,
    leased_until    timestamptz,
    -- Failures in a row, over all messages, and until when it is left alone for them.
    failures        integer NOT NULL DEFAULT 0,
    paused_until    timestamptz,
    -- Since when it misses what it is told; cleared when it takes something again.
    died_at         timestamptz,
    CONSTRAINT webhook_previous_whole CHECK (num_nulls(sealed_previous, previous_until) IN (0, 2))
);
-- A name is free again when its webhook is removed.
CREATE UNIQUE INDEX webhook_name ON webhook (name) WHERE disabled_at IS NULL;

CREATE TABLE webhook_delivery (
    -- Sent as `webhook-id`, the same in every attempt.
    id           uuid PRIMARY KEY,
    webhook_id   uuid NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    seq          bigint NOT NULL,
    action       text NOT NULL,
    state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts     integer NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    next_at      timestamptz NOT NULL DEFAULT now(),
    -- After this it is given up.
    until        timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    ended_at     timestamptz,
    -- Of the last attempt: the status, if there was an answer, and its first line or why there was none.
    last_status  integer,
    last_line    text CHECK (length(last_line) <= 200),
    CONSTRAINT webhook_delivery_once UNIQUE (webhook_id, seq),
    CONSTRAINT webhook_delivery_ended CHECK ((state = 'pending') = (ended_at IS NULL))
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_id, seq) WHERE state = 'pending';

-- One row: how far the mails have come. Addresses are in no table.
CREATE TABLE mail_head (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq          bigint NOT NULL,
    lease_holder text,
    lease_epoch  bigint NOT NULL DEFAULT 0,
    leased_until timestamptz,
    failures     integer NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL DEFAULT now(),
    sent_at      timestamptz,
    checked_at   timestamptz
);
INSERT INTO mail_head (seq) SELECT seq FROM audit_head;
