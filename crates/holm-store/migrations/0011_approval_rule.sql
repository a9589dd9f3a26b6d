-- What may be done in an environment only with an approval (R23); nothing, as long as nobody says so.
CREATE TABLE approval_rule (
    environment_id uuid NOT NULL REFERENCES environment (id),
    operation      text COLLATE "C" NOT NULL,
    set_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (environment_id, operation)
);

-- An approval is used once, in the transaction of what it lets be done; and whoever decides reads what its hash is of.
ALTER TABLE approval
    ADD COLUMN content text,
    ADD COLUMN used_at timestamptz,
    ADD COLUMN used_by uuid REFERENCES principal (id),
    ADD COLUMN used_for uuid,
    ADD CONSTRAINT approval_hash_is_of_content CHECK (content IS NULL OR hash = sha256(convert_to(content, 'UTF8'))),
    ADD CONSTRAINT approval_used_was_approved CHECK (used_at IS NULL OR verdict = 'approved');
