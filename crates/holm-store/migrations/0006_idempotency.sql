-- Requests that may be sent twice and are carried out once: what was asked under a key, and what was answered.

CREATE TABLE idempotency (
    -- No foreign key: what was answered to a token is kept when the token goes.
    token_id      uuid NOT NULL,
    -- Of the key as it was sent; the key itself is part of what opens the answer, and is not here.
    key_hash      bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    -- Over method, path, parameters, preconditions and body.
    fingerprint   bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    -- As people know it: `POST /v1/environments/production/tenants`.
    request       text NOT NULL,
    -- Whoever carries it out; another may once the time is over.
    claim         uuid NOT NULL,
    claimed_until timestamptz NOT NULL,
    -- Sealed, since it may hold a secret.
    sealed_answer bytea,
    expires_at    timestamptz NOT NULL,
    PRIMARY KEY (token_id, key_hash)
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);
