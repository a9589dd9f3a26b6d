-- Near what somebody wished a tenant's database to be. A column that may be empty: a Holm that does not know it goes on working, and
-- places without it.
ALTER TABLE tenant ADD COLUMN near text COLLATE "C" CHECK (near ~ '^[A-Z]{2}$' OR near ~ '^[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_/-]{1,64}$');
