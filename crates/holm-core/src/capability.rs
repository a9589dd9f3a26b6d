//! What a PostgreSQL server can be used for: dated facts, and what follows from them.
//!
//! Promises: the same facts give the same answer, with every reason that speaks against more; a difference between two
//! observations is told in words. Refuses to observe: that is the engine's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The oldest major version whose catalogs Holm's statements fit.
pub const MAJOR_MIN: u32 = 14;

/// How a server lets a role in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// SCRAM-SHA-256, the only one that stored keys can answer.
    Scram,
    /// MD5.
    Md5,
    /// The password in the clear.
    Password,
    /// Without asking for anything.
    Trust,
    /// Kerberos, LDAP, certificates and their kin.
    Other,
}

impl Authentication {
    /// As `pg_hba.conf` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scram => "scram-sha-256",
            Self::Md5 => "md5",
            Self::Password => "password",
            Self::Trust => "trust",
            Self::Other => "another method",
        }
    }
}

/// By what a server is known again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// The identifier that `initdb` gave it, whatever its address.
    SystemIdentifier,
    /// Address, database and role, since the identifier may not be read there.
    Address,
}

/// What was seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// `server_version_num`, 150020 for 15.20.
    pub server_version: u32,
    /// Whether Holm's role there is a superuser.
    pub superuser: bool,
    /// Whether it may create databases.
    pub createdb: bool,
    /// Whether it may create roles.
    pub createrole: bool,
    /// Whether it may replicate.
    pub replication: bool,
    /// `wal_level`; `logical` is what moves by replication need.
    pub wal_level: String,
    /// Names of the extensions that can be created there.
    pub extensions: Vec<String>,
    /// `max_connections`.
    pub connections_max: u32,
    /// Of these, kept for superusers and for `pg_use_reserved_connections`.
    pub connections_reserved: u32,
    /// Whether it is a standby.
    pub standby: bool,
    /// Whether it takes no writes by its settings.
    pub read_only: bool,
    /// Of the database that new ones are made like; of the adopted one.
    pub encoding: String,
    /// Likewise.
    pub collation: String,
    /// `libc`, `icu` or `builtin`.
    pub locale_provider: String,
    /// What PostgreSQL makes of a password that is set in the clear.
    pub password_encryption: String,
    /// How Holm's role was let in.
    pub authentication: Authentication,
    /// Methods in `pg_hba.conf` for connections over a network; none when it may not be read.
    pub hba_methods: Vec<String>,
    /// Whether it offers TLS.
    pub tls: bool,
    /// The SHA-256 of the public key that it showed over TLS (`SubjectPublicKeyInfo` in DER), in hex; none in the clear, or if an
    /// older Holm looked.
    #[serde(default)]
    pub tls_key: Option<String>,
    /// By what it is known again.
    pub known_by: KnownBy,
}

/// What a server is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suits {
    /// Holm can make databases there.
    Pool,
    /// Holm can make none, but it can route to one that exists.
    Adoption,
    /// Neither.
    Nothing,
}

impl Suits {
    /// As people are told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "databases of Holm's making",
            Self::Adoption => "databases that exist already, one by one",
            Self::Nothing => "nothing",
        }
    }
}

/// What was seen, when, and what follows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Capability {
    /// When.
    pub observed_at: Timestamp,
    /// What it is good for.
    pub suits: Suits,
    /// Why not for more.
    pub because: Vec<String>,
    /// What works less well than it could.
    pub notes: Vec<String>,
    /// What was seen.
    pub facts: Facts,
    /// How long an answer of the server's took at the least, in microseconds, from where Holm looked; none where nobody measured. Not one of
    /// the facts: it is never twice the same.
    #[serde(default)]
    pub round_trip_us: Option<u64>,
}

impl Facts {
    /// 15 for 15.20.
    pub const fn major(&self) -> u32 {
        self.server_version / 10_000
    }

    /// As people write it: 15.20.
    pub fn version(&self) -> String {
        format!("{}.{}", self.server_version / 10_000, self.server_version % 10_000)
    }

    /// Connections that are there for everyone.
    pub const fn connections(&self) -> u32 {
        self.connections_max.saturating_sub(self.connections_reserved)
    }

    /// What follows.
    pub fn judged(self, observed_at: Timestamp) -> Capability {
        let (never, no_pool) = (self.against_anything(), self.against_pool());
        let suits = match (never.is_empty(), no_pool.is_empty()) {
            (false, _) => Suits::Nothing,
            (true, false) => Suits::Adoption,
            (true, true) => Suits::Pool,
        };
        Capability { observed_at, suits, because: [never, no_pool].concat(), notes: self.notes(), facts: self, round_trip_us: None }
    }

    fn against_anything(&self) -> Vec<String> {
        let mut against = Vec::new();
        if self.major() < MAJOR_MIN {
            against.push(format!("it runs PostgreSQL {}, and Holm needs {MAJOR_MIN} or newer", self.version()));
        }
        if self.standby {
            against.push("it is a standby".to_owned());
        } else if self.read_only {
            against.push("it takes no writes: `default_transaction_read_only` is on".to_owned());
        }
        if self.authentication != Authentication::Scram {
            against
                .push(format!("it lets Holm's role in by {}, and stored keys answer only to scram-sha-256", self.authentication.as_str()));
        }
        against
    }

    fn against_pool(&self) -> Vec<String> {
        let mut against = Vec::new();
        if !self.superuser {
            against.push("Holm's role is not a superuser, and could not make databases that belong to other roles".to_owned());
        }
        // What `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0` accepts.
        let any_encoding = matches!(self.collation.as_str(), "C" | "POSIX") || self.encoding == "SQL_ASCII";
        if self.encoding != "UTF8" && !any_encoding {
            against.push(format!("new databases would have encoding {} there, which {} needs", self.encoding, self.collation));
        }
        against
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.wal_level != "logical" {
            notes.push(format!("`wal_level` is {}: tenants cannot leave it by logical replication", self.wal_level));
        }
        if self.password_encryption != "scram-sha-256" {
            notes.push(format!(
                "`password_encryption` is {}: a role that changes its own password locks the proxy out",
                self.password_encryption
            ));
        }
        let open: Vec<&str> =
            self.hba_methods.iter().map(String::as_str).filter(|method| matches!(*method, "trust" | "password")).collect();
        if !open.is_empty() {
            notes.push(format!("`pg_hba.conf` lets some in by {}", open.join(" and ")));
        }
        if self.known_by == KnownBy::Address {
            notes.push("its system identifier may not be read: it is known by address, database and role".to_owned());
        }
        notes
    }

    /// What is different from an earlier observation, in words.
    pub fn differences(&self, before: &Self) -> Vec<String> {
        let mut told = Vec::new();
        let mut tell = |what: &str, before: String, now: String| {
            if before != now {
                told.push(format!("{what} was {before} and is {now}"));
            }
        };
        let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        tell("PostgreSQL", before.version(), self.version());
        for (what, before, now) in [
            ("superuser", before.superuser, self.superuser),
            ("CREATEDB", before.createdb, self.createdb),
            ("CREATEROLE", before.createrole, self.createrole),
            ("REPLICATION", before.replication, self.replication),
            ("standby", before.standby, self.standby),
            ("read-only", before.read_only, self.read_only),
            ("TLS", before.tls, self.tls),
        ] {
            tell(what, word(before), word(now));
        }
        tell("`wal_level`", before.wal_level.clone(), self.wal_level.clone());
        tell("`max_connections`", before.connections_max.to_string(), self.connections_max.to_string());
        tell("reserved connections", before.connections_reserved.to_string(), self.connections_reserved.to_string());
        tell("encoding", before.encoding.clone(), self.encoding.clone());
        tell("collation", before.collation.clone(), self.collation.clone());
        tell("`password_encryption`", before.password_encryption.clone(), self.password_encryption.clone());
        tell("authentication", before.authentication.as_str().to_owned(), self.authentication.as_str().to_owned());
        // A way of speaking to it that was changed is no other key.
        if let (Some(before), Some(now)) = (&before.tls_key, &self.tls_key) {
            tell("TLS key (SHA-256)", before.clone(), now.clone());
        }
        let gone: Vec<&str> = before.extensions.iter().filter(|name| !self.extensions.contains(name)).map(String::as_str).collect();
        if !gone.is_empty() {
            told.push(format!("extensions are gone: {}", gone.join(", ")));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            server_version: 150_014,
            superuser: true,
            createdb: true,
            createrole: true,
            replication: true,
            wal_level: "logical".to_owned(),
            extensions: vec!["pg_trgm".to_owned()],
            connections_max: 100,
            connections_reserved: 3,
            standby: false,
            read_only: false,
            encoding: "UTF8".to_owned(),
            collation: "C.UTF-8".to_owned(),
            locale_provider: "libc".to_owned(),
            password_encryption: "scram-sha-256".to_owned(),
            authentication: Authentication::Scram,
            hba_methods: vec!["scram-sha-256".to_owned()],
            tls: false,
            tls_key: None,
            known_by: KnownBy::SystemIdentifier,
        }
    }

    fn judged(change: impl FnOnce(&mut Facts)) -> (Suits, Vec<String>, usize) {
        let mut facts = facts();
        change(&mut facts);
        let Capability { suits, because, notes, .. } = facts.judged(Timestamp::UNIX_EPOCH);
        (suits, because, notes.len())
    }

    #[test]
    fn what_a_server_suits_follows_from_its_facts_with_every_reason() {
        assert_eq!(judged(|_| {}), (Suits::Pool, vec![], 0));
        type Case = (fn(&mut Facts), Suits, &'static str);
        let cases: [Case; 8] = [
            (|facts| facts.server_version = 130_022, Suits::Nothing, "it runs PostgreSQL 13.22, and Holm needs 14 or newer"),
            (|facts| facts.superuser = false, Suits::Adoption, "Holm's role is not a superuser"),
            (|facts| facts.standby = true, Suits::Nothing, "it is a standby"),
            (|facts| facts.read_only = true, Suits::Nothing, "it takes no writes"),
            (|facts| facts.authentication = Authentication::Md5, Suits::Nothing, "by md5"),
            (|facts| facts.authentication = Authentication::Trust, Suits::Nothing, "by trust"),
            (|facts| facts.authentication = Authentication::Password, Suits::Nothing, "by password"),
            (
                |facts| (facts.encoding, facts.collation) = ("LATIN1".to_owned(), "sv_SE.ISO-8859-1".to_owned()),
                Suits::Adoption,
                "encoding LATIN1",
            ),
        ];
        for (change, suits, why) in cases {
            let (found, because, _) = judged(change);
            assert_eq!(found, suits, "{because:?}");
            assert!(because.len() == 1 && because[0].contains(why), "{because:?}");
        }
        let (suits, because, _) = judged(|facts| (facts.superuser, facts.standby) = (false, true));
        assert_eq!((suits, because.len()), (Suits::Nothing, 2));
    }

    #[test]
    fn what_works_less_well_is_noted_and_refuses_nothing() {
        let (suits, because, notes) = judged(|facts| {
            facts.wal_level = "replica".to_owned();
            facts.password_encryption = "md5".to_owned();
            facts.hba_methods = vec!["trust".to_owned()];
            facts.known_by = KnownBy::Address;
        });
        assert_eq!((suits, because, notes), (Suits::Pool, vec![], 4));
    }

    #[test]
    fn a_difference_is_told_in_words_and_sameness_in_none() {
        let before = facts();
        assert_eq!(before.differences(&before), Vec::<String>::new());
        let now = Facts { server_version: 150_015, superuser: false, extensions: vec![], ..before.clone() };
        assert_eq!(
            now.differences(&before),
            ["PostgreSQL was 15.14 and is 15.15", "superuser was yes and is no", "extensions are gone: pg_trgm"]
        );
    }

    #[test]
    fn another_tls_key_is_told_and_one_that_was_not_looked_at_is_not() {
        let key = |text: &str| Facts { tls: true, tls_key: Some(text.to_owned()), ..facts() };
        assert_eq!(key("b0").differences(&key("a0")), ["TLS key (SHA-256) was a0 and is b0"]);
        let unseen = Facts { tls: true, ..facts() };
        assert_eq!((key("b0").differences(&unseen), unseen.differences(&key("b0"))), (vec![], vec![]));
        let older = serde_json::to_string(&unseen).unwrap().replace("\"tls_key\":null,", "");
        assert!(!older.contains("tls_key") && serde_json::from_str::<Facts>(&older).unwrap() == unseen, "what an older Holm noted is read");
    }

    #[test]
    fn an_observation_reads_back_from_json() {
        let capability = facts().judged(Timestamp::UNIX_EPOCH);
        let text = serde_json::to_string(&capability).unwrap();
        assert_eq!(serde_json::from_str::<Capability>(&text).unwrap(), capability);
    }
}
