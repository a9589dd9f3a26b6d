-- How a cluster is spoken to, in PostgreSQL's words: in the clear, or over TLS with a certificate that leads to the roots given
-- here, or, where none are, to those of the operating system. A Holm that does not know the columns would speak in the clear
-- to everyone, and so must not go on beside them.
ALTER TABLE cluster
    ADD COLUMN sslmode text NOT NULL DEFAULT 'disable' CHECK (sslmode IN ('disable', 'verify-ca', 'verify-full')),
    ADD COLUMN ssl_root_cert text CHECK (length(ssl_root_cert) BETWEEN 1 AND 32768),
    ADD CONSTRAINT cluster_roots_have_a_use CHECK (
        CASE sslmode
            WHEN 'disable' THEN ssl_root_cert IS NULL
            WHEN 'verify-ca' THEN ssl_root_cert IS NOT NULL
            ELSE true
        END
    );
