//! The places where a tenant's data lies: the roles that a copy can have, and who holds the keys to one.

use crate::word::words;

words! {
    /// What a copy is to its tenant. Each copy is judged by itself (R101).
    CopyRole, "a copy's role" {
        /// The database that serves.
        Primary = "primary",
        /// A standby of it.
        Replica = "replica",
        /// Its write-ahead log, on its way to or in an archive.
        Wal = "wal",
        /// A backup that the provider's service makes, or Holm.
        Backup = "backup",
        /// A snapshot of a volume.
        Snapshot = "snapshot",
        /// Files in object storage.
        Bucket = "bucket",
        /// Earlier versions of them.
        BucketVersion = "bucket_version",
        /// What was handed out: an export.
        Export = "export",
        /// Log lines, wherever they are shipped to.
        Log = "log",
        /// Measurements.
        Metric = "metric",
        /// Credentials and other secrets.
        Secret = "secret",
        /// Keys that decrypt other copies.
        Key = "key",
        /// A cache in front of the rest.
        Cache = "cache",
        /// The machines or functions of an app, which handle it and keep nothing.
        Processing = "processing",
        /// What a move makes on its way.
        TempMove = "temp_move",
        /// What a restore drill makes.
        RestoreDrill = "restore_drill",
    }
}

words! {
    /// Who can use the key that a copy is encrypted with.
    KeyHolder, "a key holder" {
        /// The provider.
        Provider = "provider",
        /// The customer, in the provider's own key service: the provider's software decrypts.
        CustomerInProviderKms = "customer_in_provider_kms",
        /// The customer, in a key service in the EEA that the provider cannot use.
        CustomerExternalEeaKms = "customer_external_eea_kms",
        /// The customer, before anything is sent.
        ClientSide = "client_side",
    }
}

words! {
    /// How far a tenant's data is kept from other tenants'; weakest first.
    Isolation, "an isolation" {
        /// Rows in shared tables.
        SharedSchema = "shared_schema",
        /// A schema each.
        SchemaPerTenant = "schema_per_tenant",
        /// A database each.
        DatabasePerTenant = "database_per_tenant",
        /// A PostgreSQL server each.
        InstancePerTenant = "instance_per_tenant",
    }
}

words! {
    /// What kind of service keeps a copy.
    ServiceKind, "a kind of service" {
        /// Managed PostgreSQL, or a server that Holm runs PostgreSQL on.
        Postgres = "postgres",
        /// S3-compatible storage.
        Object = "object",
        /// Machines or functions.
        Compute = "compute",
        /// Keys and secrets.
        Kms = "kms",
        /// Log lines.
        Logs = "logs",
        /// Measurements.
        Metrics = "metrics",
    }
}

impl CopyRole {
    /// Whether a running PostgreSQL serves it in clear: no key that a customer holds keeps it from who runs the server
    /// (EDPB Recommendations 01/2020, use case 6).
    pub const fn is_running_database(self) -> bool {
        matches!(self, Self::Primary | Self::Replica | Self::Wal)
    }

    /// Whether a key that only the customer holds can keep it from everybody else, since nothing has to read it in clear
    /// where it lies (EDPB Recommendations 01/2020, use case 1).
    pub const fn can_be_sealed(self) -> bool {
        matches!(self, Self::Backup | Self::Snapshot | Self::Bucket | Self::BucketVersion | Self::Export)
    }

    /// The kind of service that keeps it.
    pub const fn kept_by(self) -> ServiceKind {
        match self {
            Self::Primary | Self::Replica | Self::Wal | Self::Backup | Self::Snapshot | Self::TempMove | Self::RestoreDrill => {
                ServiceKind::Postgres
            }
            Self::Bucket | Self::BucketVersion | Self::Export => ServiceKind::Object,
            Self::Log => ServiceKind::Logs,
            Self::Metric => ServiceKind::Metrics,
            Self::Secret | Self::Key => ServiceKind::Kms,
            Self::Cache | Self::Processing => ServiceKind::Compute,
        }
    }
}

impl KeyHolder {
    /// Whether the provider cannot decrypt, whatever it is ordered to do.
    pub const fn is_beyond_the_provider(self) -> bool {
        matches!(self, Self::CustomerExternalEeaKms | Self::ClientSide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_runs_can_be_sealed() {
        for role in CopyRole::ALL {
            assert!(!(role.is_running_database() && role.can_be_sealed()), "{role}");
        }
        assert!(Isolation::SharedSchema < Isolation::InstancePerTenant);
        assert_eq!("bucket_versions".parse::<CopyRole>().unwrap_err().nearest, Some("bucket_version"));
    }
}
