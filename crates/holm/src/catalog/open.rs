//! Where the catalog and the master key are, as every command says it that goes to the catalog.

use std::path::PathBuf;

use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::secret::master_keys::MasterKeys;
use holm_store::address::CatalogAddress;
use holm_store::catalog::Catalog;
use holm_store::standing::{self, Standing};

use crate::master_keys::{self, Settings};
use crate::root_certificates;

/// The catalog and the key.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CatalogArgs {
    /// The catalog, `postgresql://user:password@host:port/database?sslmode=verify-full`; better by the environment, since others
    /// see arguments
    #[arg(long, value_name = "URL", env = "HOLM_CATALOG_URL", hide_env_values = true)]
    catalog_url: Option<String>,
    /// A file with the catalog's URL
    #[arg(long, value_name = "FILE", env = "HOLM_CATALOG_URL_FILE")]
    catalog_url_file: Option<PathBuf>,
    /// The file with the certificates, in PEM, that the catalog's server's must lead to [default: those of the operating system]
    #[arg(long, value_name = "FILE", env = "HOLM_CATALOG_SSL_ROOT_CERT")]
    catalog_ssl_root_cert: Option<PathBuf>,
    /// The master key's file, unless `HOLM_MASTER_KEY` or `HOLM_VAULT_KEY` says otherwise (see docs/how-to/keys.md)
    #[arg(long, value_name = "FILE", env = "HOLM_MASTER_KEY_FILE", default_value = "/var/lib/holm/master.key")]
    master_key_file: PathBuf,
}

impl CatalogArgs {
    /// The catalog's URL, flag and variable before file.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidConfig`]: none was given, or its file cannot be read.
    fn url(&self) -> Result<Secret<String>, Problem> {
        let given = self.catalog_url.as_deref().map(str::trim).filter(|url| !url.is_empty());
        let text = match (given, &self.catalog_url_file) {
            (Some(url), _) => url.to_owned(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map_err(|error| {
                    Problem::new(ErrorCode::InvalidConfig, format!("the catalog's URL in `{}` cannot be read", path.display()))
                        .because(error)
                })?
                .trim()
                .to_owned(),
            (None, None) => {
                return Err(Problem::new(ErrorCode::InvalidConfig, "no catalog was named")
                    .next("set `HOLM_CATALOG_URL_FILE` (or `HOLM_CATALOG_URL`) to `postgresql://user:password@host:port/database`"));
            }
        };
        Ok(Secret::new(text))
    }

    /// A pool on it; whether it answers shows at the first use.
    ///
    /// # Errors
    /// As with [`url`](Self::url), or the URL cannot be used.
    pub(crate) fn open(&self, connections: usize) -> Result<Catalog, Problem> {
        Ok(Catalog::at(self.address()?, connections))
    }

    /// Where it is and how it is spoken to.
    ///
    /// # Errors
    /// As with [`url`](Self::url), or it cannot be used.
    pub(crate) fn address(&self) -> Result<CatalogAddress, Problem> {
        if self.catalog_ssl_root_cert.as_deref().is_some_and(|path| path.as_os_str() == "-") {
            return Err(Problem::new(ErrorCode::InvalidConfig, "the catalog's root certificates cannot be read from stdin")
                .because("they are read more than once")
                .next("name a file: `--catalog-ssl-root-cert FILE`"));
        }
        let roots = self.catalog_ssl_root_cert.as_deref().map(root_certificates::read).transpose()?;
        Ok(CatalogAddress::read(self.url()?.expose(), roots)?)
    }

    /// Where master keys come from.
    ///
    /// # Errors
    /// As with [`master_keys::of`].
    pub(crate) fn master_keys(&self) -> Result<MasterKeys, Problem> {
        master_keys::of(&Settings::from_environment(), self.master_key_file.clone())
    }
}

/// Refuses a database that has tables of something else; says whether it is a catalog already.
///
/// # Errors
/// [`ErrorCode::InvalidConfig`], or the catalog does not answer.
pub(crate) async fn is_catalog(catalog: &Catalog) -> Result<bool, Problem> {
    match standing::look(catalog).await? {
        Standing::Catalog => Ok(true),
        Standing::Empty => Ok(false),
        Standing::Foreign => Err(Problem::new(ErrorCode::InvalidConfig, "the catalog's database has tables that are not Holm's")
            .next("give Holm an empty database of its own: `CREATE DATABASE holm OWNER holm`")),
    }
}
