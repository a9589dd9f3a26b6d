-- What Holm shows a server that asks who it is: a certificate in PEM, and its private key, sealed. And the one environment that a
-- node of the data plane is told of. Columns that may be empty: a Holm that does not know the first shows nothing, and is refused by a
-- server that asks; one that does not know the second would tell a node of every environment, and so must not go on beside it.
ALTER TABLE cluster
    ADD COLUMN client_cert text CHECK (length(client_cert) BETWEEN 1 AND 16384),
    ADD COLUMN sealed_client_key bytea,
    ADD CONSTRAINT cluster_client_cert_has_its_key CHECK ((client_cert IS NULL) = (sealed_client_key IS NULL)),
    ADD CONSTRAINT cluster_client_cert_has_a_use CHECK (client_cert IS NULL OR sslmode <> 'disable');

-- Null: all of them. For good: what a node was told of one environment it must not have beside another's.
ALTER TABLE data_node ADD COLUMN environment_id uuid REFERENCES environment (id);
