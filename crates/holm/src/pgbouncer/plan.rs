//! What each database of a PgBouncer configuration becomes: a tenant, or nothing yet and what has to be said first.
//!
//! Promises: no name is changed in silence and no role or server is guessed; what Holm would refuse and the files show is said
//! here, before anything is sent. Whoever is ready has all that adopting needs, its password included, which prints as
//! `[redacted]`. Refuses to look at a server.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use holm_core::cluster::tls::{InvalidServerTls, SslMode};
use holm_core::limits::CONNECTIONS_MAX;
use holm_core::role::{DatabaseName, RoleName};
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;

use super::config::{Config, Database, Defaults, Set, User};
use super::owners::Owners;
use super::userlist::Proof;

/// PgBouncer's `default_pool_size` where nobody says another.
const POOL_SIZE: u32 = 20;

/// The name in `[databases]` that stands for all others.
const FALLBACK: &str = "*";

/// What is said beside the configuration.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// By names of the file.
    pub(crate) renamed: HashMap<String, TenantSlug>,
    pub(crate) owners: Owners,
    /// By their name in `auth_file`.
    pub(crate) users: HashMap<String, Proof>,
    pub(crate) sslmode: Option<SslMode>,
    pub(crate) root_cert: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) databases: Vec<Planned>,
    pub(crate) set: Vec<Set>,
    pub(crate) notes: Vec<String>,
}

/// What becomes of one database.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Its name in PgBouncer.
    pub(crate) name: String,
    pub(crate) place: String,
    pub(crate) becomes: Becomes,
    /// What has to be done on its server before it is adopted, as SQL.
    pub(crate) before: Option<String>,
    pub(crate) notes: Vec<String>,
}

/// One of two.
#[derive(Debug)]
pub(crate) enum Becomes {
    Tenant(Box<Adoption>),
    NothingYet(Vec<Obstacle>),
}

/// All that adopting a database needs.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) slug: TenantSlug,
    pub(crate) at: At,
    pub(crate) role: RoleName,
    pub(crate) password: Secret<String>,
    pub(crate) sslmode: SslMode,
    pub(crate) root_cert: Option<PathBuf>,
    /// What the server is shown: files with a certificate and its key.
    pub(crate) shown: Option<(PathBuf, PathBuf)>,
    /// As many connections as it had; all that its server has, where PgBouncer set no limit.
    pub(crate) max: Option<u32>,
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct At {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: DatabaseName,
}

impl At {
    /// `db.example.com:5432`
    pub(crate) fn server(&self) -> String {
        if self.host.contains(':') { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }
}

/// Why something is not adopted, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) why: String,
    pub(crate) next: String,
}

fn obstacle(why: impl Into<String>, next: impl Into<String>) -> Obstacle {
    Obstacle { why: why.into(), next: next.into() }
}

/// Plans what becomes of the databases of a configuration, of those alone that are wanted.
pub(crate) fn plan(config: Config, beside: &Beside, wanted: impl Fn(&str) -> bool) -> Plan {
    let Config { databases, users, peers, defaults, set } = config;
    let databases: Vec<Database> = databases.into_iter().filter(|database| wanted(&database.name)).collect();
    let known: Vec<Planned> = databases.into_iter().map(|database| planned(database, &users, &defaults, beside)).collect();
    let databases = beside_each_other(known);
    let notes = notes(&databases, peers);
    Plan { databases, set, notes }
}

fn planned(database: Database, users: &HashMap<String, User>, defaults: &Defaults, beside: &Beside) -> Planned {
    let notes = database.before.as_ref().map(|before| format!("it is in the file twice; what stands at {before} does not count"));
    let becomes = match adoption(&database, users, defaults, beside) {
        Ok(adoption) => Becomes::Tenant(Box::new(adoption)),
        Err(obstacles) => Becomes::NothingYet(obstacles),
    };
    Planned { name: database.name, place: database.place.to_string(), becomes, before: None, notes: notes.into_iter().collect() }
}

/// Each question by itself, so that all that is missing is said at once.
fn adoption(database: &Database, users: &HashMap<String, User>, defaults: &Defaults, beside: &Beside) -> Result<Adoption, Vec<Obstacle>> {
    if database.name == FALLBACK {
        return Err(vec![obstacle(
            "it stands for every name that is not in the file, and Holm has no default tenant",
            "write a line in `[databases]` for each database that it is used for",
        )]);
    }
    let mut obstacles = Vec::new();
    let mut known = |obstacle| obstacles.push(obstacle);
    let slug = slug(database, beside).map_err(&mut known).ok();
    let at = at(database).map_err(&mut known).ok();
    let login = at.as_ref().and_then(|at| login(database, at, beside).map_err(&mut known).ok());
    let tls = at.as_ref().and_then(|at| tls(at, defaults, beside).map_err(&mut known).ok());
    match (slug, at, login, tls) {
        (Some(slug), Some(at), Some((role, password)), Some(Way { sslmode, root_cert, shown })) => {
            Ok(Adoption { slug, at, role, password, sslmode, root_cert, shown, max: max(database, users, defaults) })
        }
        _ => Err(obstacles),
    }
}

fn slug(database: &Database, beside: &Beside) -> Result<TenantSlug, Obstacle> {
    if let Some(slug) = beside.renamed.get(&database.name) {
        return Ok(slug.clone());
    }
    database.name.parse().map_err(|invalid: holm_core::slug::InvalidSlug| {
        let nearest = invalid.suggestion.map_or_else(|| "SLUG".to_owned(), String::from);
        let rename = shell(&format!("{}={nearest}", database.name));
        obstacle(format!("it is no name of a tenant: {}", invalid.refusal), format!("give it one: `--rename {rename}`"))
    })
}

fn at(database: &Database) -> Result<At, Obstacle> {
    let host = match database.host.as_deref() {
        None => Err("no `host` is given, and so it is reached by a Unix socket"),
        Some(host) if host.starts_with(['/', '@']) => Err("it is reached by a Unix socket"),
        Some(host) if host.contains(',') => {
            let next = "write the primary's alone in the file";
            return Err(obstacle("it has several hosts, and a tenant is on one server", next));
        }
        Some(host) => Ok(host.trim_start_matches('[').trim_end_matches(']')),
    };
    let next = "write `host=` in the file with an address by which Holm reaches its server over TCP";
    let host = host.map_err(|why| obstacle(why, next))?;
    let name = database.dbname.parse::<DatabaseName>();
    let name = name.map_err(|error| obstacle(error.to_string(), "give `dbname` as PostgreSQL has it"))?;
    Ok(At { host: host.to_owned(), port: database.port, database: name })
}

/// What is said of its owner counts; then the file's own `user`.
fn login(database: &Database, at: &At, beside: &Beside) -> Result<(RoleName, Secret<String>), Obstacle> {
    let said = beside.owners.of(&at.host, at.port, at.database.as_str());
    let owner = said.as_ref().and_then(|said| said.role);
    let line = |role: &str| {
        format!(
            "write a line in a file for `--owners`: `{}:{}:{}:{role}:PASSWORD`",
            escaped(&at.host),
            at.port,
            escaped(at.database.as_str())
        )
    };
    let role = owner.or(database.user.as_deref()).ok_or_else(|| {
        obstacle(
            "no `user` is given, and so every client logs in to the server as itself: who owns the database is not known",
            line("ROLE"),
        )
    })?;
    let name = role.parse::<RoleName>().map_err(|error| obstacle(error.to_string(), line("ROLE")))?;
    if let Some(said) = said {
        return Ok((name, said.password.clone()));
    }
    if let Some(password) = &database.password {
        return Ok((name, password.clone()));
    }
    let why = match beside.users.get(role) {
        Some(Proof::Password(password)) => return Ok((name, password.clone())),
        Some(Proof::Md5) => "`auth_file` has an MD5 hash, and Holm logs in to servers by SCRAM alone, for which it needs the password",
        Some(Proof::Scram) => "`auth_file` has a SCRAM secret, with which nobody can log in",
        Some(Proof::Nothing) | None => "no password is known",
    };
    Err(obstacle(format!("role `{role}`: {why}"), line(&escaped(role))))
}

/// In a password file.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:")
}

/// How a server is spoken to, and by which files.
struct Way {
    sslmode: SslMode,
    root_cert: Option<PathBuf>,
    shown: Option<(PathBuf, PathBuf)>,
}

fn tls(at: &At, defaults: &Defaults, beside: &Beside) -> Result<Way, Obstacle> {
    let next = "say `--sslmode verify-full`, with `--ssl-root-cert FILE`; `--sslmode disable` only where nobody else is on the way";
    // PgBouncer's default is `prefer`.
    let word = defaults.sslmode.as_deref().unwrap_or("prefer");
    let mode = match (beside.sslmode, word.parse::<SslMode>()) {
        (Some(mode), _) | (None, Ok(mode)) => mode,
        (None, Err(InvalidServerTls::Weak("allow" | "prefer"))) if is_this_machine(&at.host) => SslMode::Disable,
        (None, Err(InvalidServerTls::Weak(_))) if defaults.sslmode.is_none() => {
            return Err(obstacle("`server_tls_sslmode` is not set, which means `prefer`: whoever stands between decides about TLS", next));
        }
        (None, Err(error)) => return Err(obstacle(error.to_string(), next)),
    };
    let root_cert = beside.root_cert.as_deref().or(defaults.ca_file.as_deref().map(Path::new));
    let root_cert = root_cert.filter(|_| mode != SslMode::Disable).map(Path::to_owned);
    if mode == SslMode::VerifyCa && root_cert.is_none() {
        return Err(obstacle(InvalidServerTls::RootsMissing.to_string(), "say `--ssl-root-cert FILE`"));
    }
    let shown = match (&defaults.cert_file, &defaults.key_file) {
        (Some(chain), Some(key)) if mode != SslMode::Disable => Some((chain.into(), key.into())),
        (Some(_), None) | (None, Some(_)) if mode != SslMode::Disable => {
            let why = "`server_tls_cert_file` and `server_tls_key_file` are of no use without each other";
            return Err(obstacle(why, "set both in the file, or neither"));
        }
        _ => None,
    };
    Ok(Way { sslmode: mode, root_cert, shown })
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// As many connections as PgBouncer would open for a database that is used by one role.
fn max(database: &Database, users: &HashMap<String, User>, defaults: &Defaults) -> Option<u32> {
    let user = database.user.as_ref().and_then(|user| users.get(user));
    let first = |of_user: Option<u32>, of_database: Option<u32>, of_all: Option<u32>| of_user.or(of_database).or(of_all);
    let pool = first(user.and_then(|user| user.pool_size), database.pool_size, defaults.pool_size).unwrap_or(POOL_SIZE);
    let reserve = first(user.and_then(|user| user.reserve_pool_size), database.reserve_pool_size, defaults.reserve_pool_size).unwrap_or(0);
    let pool = (pool > 0).then(|| pool.saturating_add(reserve));
    // Of a database itself, 0 means as the others have it.
    let together = database.max_db_connections.filter(|max| *max > 0).or(defaults.max_db_connections).filter(|max| *max > 0);
    let both = [pool, together].into_iter().flatten().min();
    both.filter(|max| *max <= CONNECTIONS_MAX)
}

/// What cannot be seen of one database alone: names that meet, and tenants that would reach each other's databases.
fn beside_each_other(mut databases: Vec<Planned>) -> Vec<Planned> {
    let (mut slugs, mut ats, mut roles, mut servers) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
    for adoption in databases.iter().filter_map(Planned::adoption) {
        let server = (adoption.at.host.to_lowercase(), adoption.at.port);
        *slugs.entry(adoption.slug.clone()).or_insert(0_usize) += 1;
        *ats.entry((server.clone(), adoption.at.database.clone())).or_insert(0_usize) += 1;
        *roles.entry((server.clone(), adoption.role.clone())).or_insert(0_usize) += 1;
        *servers.entry(server).or_insert(0_usize) += 1;
    }
    for planned in &mut databases {
        let Some(adoption) = planned.adoption() else { continue };
        let At { host, port, database } = &adoption.at;
        let server = (host.to_lowercase(), *port);
        let mut obstacles = Vec::new();
        if slugs[&adoption.slug] > 1 {
            let next = format!("give one of them another: `--rename {}`", shell(&format!("{}=SLUG", planned.name)));
            obstacles.push(obstacle(format!("{} databases would be tenant `{}`", slugs[&adoption.slug], adoption.slug), next));
        }
        let same = ats[&(server.clone(), database.clone())];
        if same > 1 {
            let next = "leave all but one of them out, and have apps use that tenant's name: `--only NAME`";
            obstacles.push(obstacle(
                format!("{same} names lead to database `{database}` at {}, and a database is one tenant's", adoption.at.server()),
                next,
            ));
        }
        let owned = roles[&(server.clone(), adoption.role.clone())];
        if owned > 1 && same == 1 {
            let why = format!(
                "role `{}` would be {owned} tenants' at {}, each of whom could reach the others' databases",
                adoption.role,
                adoption.at.server()
            );
            let next = "make a role that owns this database and no other (docs/how-to/pgbouncer.md has the SQL), and write it in a file for `--owners`";
            obstacles.push(obstacle(why, next));
        }
        if servers[&server] > 1 {
            planned.before = Some(format!("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", database.as_ident()));
        }
        if !obstacles.is_empty() {
            planned.becomes = Becomes::NothingYet(obstacles);
        }
    }
    databases
}

impl Planned {
    pub(crate) fn adoption(&self) -> Option<&Adoption> {
        match &self.becomes {
            Becomes::Tenant(adoption) => Some(adoption),
            Becomes::NothingYet(_) => None,
        }
    }
}

fn notes(databases: &[Planned], peers: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let mut servers: BTreeMap<String, (usize, Option<u32>)> = BTreeMap::new();
    for adoption in databases.iter().filter_map(Planned::adoption) {
        let (count, sum) = servers.entry(adoption.at.server()).or_insert((0, Some(0)));
        *count += 1;
        *sum = sum.zip(adoption.max).map(|(sum, max)| sum.saturating_add(max));
    }
    for (server, (count, sum)) in servers.into_iter().filter(|(_, (count, _))| *count > 1) {
        let together = sum.map_or_else(|| "have no maximum".to_owned(), |sum| format!("may have {sum} connections together"));
        notes.push(format!(
            "each adopted database has a budget of its own: the {count} at {server} {together}; see that its `max_connections` is more"
        ));
    }
    if peers > 0 {
        notes.push("[peers]: a cancel request has to reach the node that its connection is to".to_owned());
    }
    notes
}

/// A word as a shell takes it.
pub(crate) fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
