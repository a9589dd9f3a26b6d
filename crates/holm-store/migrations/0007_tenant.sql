-- Tenants that are renamed, that have an end, and that are copies.

-- When it is deleted by itself; only tenants for tests have an end.
ALTER TABLE tenant ADD COLUMN expires_at timestamptz;
CREATE INDEX tenant_expires ON tenant (expires_at) WHERE expires_at IS NOT NULL AND state IN ('creating', 'serving', 'suspended');

-- The operation that makes it, while one does: nobody else gives it a database, seeds it or lets sessions in. No foreign key:
-- operations are forgotten long before tenants are.
ALTER TABLE tenant ADD COLUMN made_by uuid;

-- A name that a tenant had, for those who look for it there, until a time.
CREATE TABLE tenant_alias (
    environment_id uuid NOT NULL REFERENCES environment (id),
    slug           text COLLATE "C" NOT NULL,
    tenant_id      uuid NOT NULL,
    until          timestamptz NOT NULL,
    -- Who renamed it, for those who want the name.
    renamed_by     jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (environment_id, slug),
    FOREIGN KEY (tenant_id, environment_id) REFERENCES tenant (id, environment_id)
);
CREATE INDEX tenant_alias_tenant ON tenant_alias (tenant_id);
CREATE INDEX tenant_alias_until ON tenant_alias (until);

-- A name is a living tenant's or an alias, never both. PostgreSQL has no unique index over two tables, so that each side
-- locks the name and looks at the other; a function that is not STABLE sees what was committed while it waited.
CREATE FUNCTION tenant_name_is_free() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.environment_id::text || NEW.slug, x'486f6c6d'::bigint));
    IF TG_TABLE_NAME = 'tenant' THEN
        PERFORM FROM tenant_alias WHERE environment_id = NEW.environment_id AND slug = NEW.slug;
    ELSE
        PERFORM FROM tenant
        WHERE environment_id = NEW.environment_id AND slug = NEW.slug AND state NOT IN ('failed', 'dropped') AND id <> NEW.tenant_id;
    END IF;
    IF FOUND THEN
        RAISE unique_violation USING MESSAGE = 'the name is taken', CONSTRAINT = 'tenant_name', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tenant_name_is_free BEFORE INSERT OR UPDATE OF slug ON tenant
    FOR EACH ROW WHEN (NEW.state NOT IN ('failed', 'dropped')) EXECUTE FUNCTION tenant_name_is_free();
CREATE TRIGGER tenant_name_is_free BEFORE INSERT OR UPDATE OF slug ON tenant_alias
    FOR EACH ROW EXECUTE FUNCTION tenant_name_is_free();
