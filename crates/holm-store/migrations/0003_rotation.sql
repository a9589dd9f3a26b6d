-- Rotation with two keys good at once (R59). `next` waits to be activated, `retiring` is the one that is being replaced;
-- both belong to the salt and the iterations that the credential has.
ALTER TABLE credential
    ADD COLUMN second_is text CHECK (second_is IN ('next', 'retiring')),
    ADD COLUMN second_stored_key bytea CHECK (octet_length(second_stored_key) = 32),
    ADD COLUMN second_server_key bytea CHECK (octet_length(second_server_key) = 32),
    ADD COLUMN rotated_at timestamptz,
    ADD CONSTRAINT credential_second_is_whole
        CHECK ((second_is IS NULL) = (second_stored_key IS NULL) AND (second_is IS NULL) = (second_server_key IS NULL));

-- The logins of a database's roles while they are being replaced.
ALTER TABLE database
    ADD COLUMN next_sealed_logins bytea,
    ADD COLUMN rotated_at timestamptz;
