//! What the lines of a PgBouncer configuration mean: its databases, its users, its settings.
//!
//! Promises: as in PgBouncer, what is said twice counts as it is said last, and a section goes on over an include until the
//! next one. Every value that Holm goes by is typed here; the others are kept by name alone, since a value may be a secret.
//! Refuses what PgBouncer refuses (a section or text that it does not know, a number that is none), and counts in whole
//! numbers: what `atoi` would make of `20x` nobody means. A name that it does not know is told, since a newer one may know it.

use std::collections::{HashMap, HashSet};

use holm_core::secret::Secret;

use super::conninfo;
use super::ini::Item;

/// A line of a file, as people look for it: `pgbouncer.ini:12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A whole configuration, with all that it includes.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) databases: Vec<Database>,
    /// By name.
    pub(crate) users: HashMap<String, User>,
    /// How many other PgBouncers it knows.
    pub(crate) peers: usize,
    pub(crate) defaults: Defaults,
    /// What is set anywhere, each once, by section and name.
    pub(crate) set: Vec<Set>,
}

/// One line of `[databases]`.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// Where it was said before, if it was; that does not count.
    pub(crate) before: Option<Place>,
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    /// PostgreSQL's name for it.
    pub(crate) dbname: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret<String>>,
    pub(crate) pool_size: Option<u32>,
    pub(crate) reserve_pool_size: Option<u32>,
    pub(crate) max_db_connections: Option<u32>,
}

/// One line of `[users]`.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) pool_size: Option<u32>,
    pub(crate) reserve_pool_size: Option<u32>,
}

/// What of `[pgbouncer]` Holm goes by.
#[derive(Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) pool_size: Option<u32>,
    pub(crate) reserve_pool_size: Option<u32>,
    pub(crate) max_db_connections: Option<u32>,
    pub(crate) auth_file: Option<String>,
    pub(crate) sslmode: Option<String>,
    pub(crate) ca_file: Option<String>,
    pub(crate) cert_file: Option<String>,
    pub(crate) key_file: Option<String>,
}

/// Something that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) section: Section,
    pub(crate) name: String,
    /// Where it was said first.
    pub(crate) place: Place,
}

/// The sections that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Section {
    Pgbouncer,
    Databases,
    Users,
    Peers,
}

impl Section {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pgbouncer => "pgbouncer",
            Self::Databases => "databases",
            Self::Users => "users",
            Self::Peers => "peers",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Pgbouncer, Self::Databases, Self::Users, Self::Peers].into_iter().find(|section| section.as_str() == name)
    }
}

/// Why something that is said cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub(crate) struct Meaningless {
    pub(crate) place: Place,
    pub(crate) why: String,
}

/// PostgreSQL's own.
const PORT: u16 = 5432;

/// PgBouncer's own database.
const RESERVED: &str = "pgbouncer";

/// What entries mean so far.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    config: Config,
    section: Option<Section>,
    /// Where each stands in the configuration, by its name.
    databases: HashMap<String, usize>,
    seen: HashSet<(Section, String)>,
}

impl Reading {
    /// Takes one more; an include means what is in it and nothing here.
    ///
    /// # Errors
    /// [`Meaningless`].
    pub(crate) fn take(&mut self, item: Item, place: Place) -> Result<(), Meaningless> {
        let refused = |why: String| Meaningless { place: place.clone(), why };
        match item {
            Item::Include(_) => Ok(()),
            Item::Section(name) => {
                let known = Section::named(&name);
                self.section = Some(known.ok_or_else(|| refused(format!("PgBouncer has no section `{}`", shown(&name))))?);
                Ok(())
            }
            Item::Setting { name, value } => {
                let section = self.section.ok_or_else(|| refused("it stands before the first section".to_owned()))?;
                self.set(section, name, &value, &place).map_err(refused)
            }
        }
    }

    /// What they mean together.
    pub(crate) fn done(self) -> Config {
        self.config
    }

    fn set(&mut self, section: Section, name: String, value: &Secret<String>, place: &Place) -> Result<(), String> {
        match section {
            Section::Pgbouncer => {
                self.default_of(&name, value.expose())?;
                self.is_set(section, &name, place);
            }
            Section::Databases => self.database(name, value.expose(), place)?,
            Section::Users => self.user(name, value.expose(), place)?,
            Section::Peers => {
                conninfo::pairs(value.expose())?;
                self.config.peers += 1;
            }
        }
        Ok(())
    }

    fn default_of(&mut self, name: &str, value: &str) -> Result<(), String> {
        let defaults = &mut self.config.defaults;
        let text = || Some(value.to_owned()).filter(|text| !text.is_empty());
        match name {
            "default_pool_size" => defaults.pool_size = Some(number(name, value)?),
            "reserve_pool_size" => defaults.reserve_pool_size = Some(number(name, value)?),
            "max_db_connections" => defaults.max_db_connections = Some(number(name, value)?),
            "auth_file" => defaults.auth_file = text(),
            "server_tls_sslmode" => defaults.sslmode = text(),
            "server_tls_ca_file" => defaults.ca_file = text(),
            "server_tls_cert_file" => defaults.cert_file = text(),
            "server_tls_key_file" => defaults.key_file = text(),
            _ => {}
        }
        Ok(())
    }

    fn database(&mut self, name: String, value: &str, place: &Place) -> Result<(), String> {
        if name == RESERVED {
            return Err(format!("PgBouncer keeps the name `{RESERVED}` for its own database"));
        }
        let mut database = Database {
            dbname: name.clone(),
            name,
            place: place.clone(),
            before: None,
            host: None,
            port: PORT,
            user: None,
            password: None,
            pool_size: None,
            reserve_pool_size: None,
            max_db_connections: None,
        };
        for (key, value) in conninfo::pairs(value)? {
            let text = value.expose();
            match key.as_str() {
                "host" => database.host = Some(text.clone()),
                "port" => database.port = port(text)?,
                "dbname" => database.dbname.clone_from(text),
                "user" => database.user = Some(text.clone()),
                "pool_size" => database.pool_size = Some(number(&key, text)?),
                "reserve_pool_size" | "reserve_pool" => database.reserve_pool_size = Some(number(&key, text)?),
                "max_db_connections" => database.max_db_connections = Some(number(&key, text)?),
                "password" => database.password = Some(value),
                _ => {}
            }
            self.is_set(Section::Databases, &key, place);
        }
        let databases = &mut self.config.databases;
        if let Some(&known) = self.databases.get(&database.name) {
            database.before = Some(databases[known].place.clone());
            databases[known] = database;
        } else {
            self.databases.insert(database.name.clone(), databases.len());
            databases.push(database);
        }
        Ok(())
    }

    fn user(&mut self, name: String, value: &str, place: &Place) -> Result<(), String> {
        let mut user = User { pool_size: None, reserve_pool_size: None };
        for (key, value) in conninfo::pairs(value)? {
            match key.as_str() {
                "pool_size" => user.pool_size = Some(number(&key, value.expose())?),
                "reserve_pool_size" => user.reserve_pool_size = Some(number(&key, value.expose())?),
                _ => {}
            }
            self.is_set(Section::Users, &key, place);
        }
        self.config.users.insert(name, user);
        Ok(())
    }

    fn is_set(&mut self, section: Section, name: &str, place: &Place) {
        if self.seen.insert((section, name.to_owned())) {
            self.config.set.push(Set { section, name: name.to_owned(), place: place.clone() });
        }
    }
}

fn number(name: &str, text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("`{name}` is not set to a number"))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port != 0).ok_or_else(|| "`port` is not set to a port, 1 to 65535".to_owned())
}

/// Text of a file as a refusal repeats it.
fn shown(text: &str) -> String {
    text.chars().take(80).collect::<String>().escape_debug().to_string()
}
