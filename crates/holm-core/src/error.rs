//! Errors that leave the process: a code with a page, and a problem that says what, to what, why, whether anything
//! changed and what to do next.
//!
//! Promises: every code has a page in `docs/errors/` (a test compares). HTTP status, SQLSTATE and exit code are chosen
//! elsewhere, in one table each: `holm-api`, `holm-proxy`, `holm`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who has to act; a metric label.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorKind {
    /// The request: whoever sent it.
    Client,
    /// A limit: whoever sent it, later or with less.
    Quota,
    /// A rule that an operator set.
    Policy,
    /// A PostgreSQL server of a tenant.
    Cluster,
    /// Holm's own catalog, configuration or processes.
    Control,
    /// A fault in Holm.
    Bug,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal, $kind:ident;)*) => {
        /// The number of an error, with a page of its own: `HOLM-1101`.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum ErrorCode {
            $($(#[doc = $doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code, by number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The number, without the prefix.
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number),* }
            }

            /// Who has to act.
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$name => ErrorKind::$kind),* }
            }

            /// What it means, whatever it happened to: one sentence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_ascii()),* }
            }

            /// Its page, in Markdown.
            pub const fn page(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!("../../../docs/errors/HOLM-", stringify!($number), ".md"))),* }
            }
        }
    };
}

codes! {
    /// A value in a request is not acceptable.
    InvalidValue = 1001, Client;
    /// A request has a parameter or field that does not exist.
    UnknownParameter = 1002, Client;
    /// A request cannot be read at all.
    MalformedRequest = 1003, Client;
    /// There is nothing at a path of the API.
    PathNotFound = 1004, Client;
    /// A path of the API does not take that method.
    MethodNotAllowed = 1005, Client;
    /// A request's body is larger than the API reads.
    BodyTooLarge = 1006, Client;
    /// A request's body is not declared as JSON.
    NotJson = 1007, Client;
    /// A request was not answered before its deadline.
    RequestTooSlow = 1008, Control;
    /// A command wants a confirmation and there is no terminal to ask on.
    ConfirmationNeeded = 1009, Client;
    /// An idempotency key was used for another request.
    IdempotencyConflict = 1010, Client;
    /// The first request with an idempotency key is not answered yet.
    IdempotencyInProgress = 1011, Client;
    /// What was to be changed is not any more as the caller saw it.
    PreconditionFailed = 1012, Client;
    /// Too many requests in too short a time.
    RateLimited = 1013, Quota;
    /// A request was carried out before, and its answer cannot be given again.
    AnswerGone = 1014, Client;
    /// A condition was given for what has no version.
    NoVersion = 1015, Client;
    /// A tenant slug is not acceptable.
    InvalidSlug = 1101, Client;
    /// A tenant slug is in use in that environment.
    SlugTaken = 1102, Client;
    /// No such tenant in that environment.
    TenantNotFound = 1104, Client;
    /// No such environment.
    EnvironmentNotFound = 1105, Client;
    /// No such cluster in that environment.
    ClusterNotFound = 1106, Client;
    /// No such credential in that environment.
    CredentialNotFound = 1107, Client;
    /// A credential's name is in use.
    CredentialTaken = 1108, Client;
    /// The tenant is not in a state in which this can be done.
    TenantState = 1109, Client;
    /// The stored secret of a credential is not on this machine.
    SecretNotHere = 1110, Client;
    /// A tenant had that slug until lately, and it is kept for those who look for it there.
    SlugReserved = 1115, Client;
    /// A tenant with an end cannot be made there.
    EndNotAllowed = 1116, Policy;
    /// The minimums of a cluster's tenants would be more than it has for them.
    MinimumsTooMany = 1117, Quota;
    /// A paused tenant still has connections.
    NotDrained = 1118, Control;
    /// No bearer token, or one that is not known.
    NotSignedIn = 1201, Client;
    /// Signed in, and not allowed to do this there.
    NotAllowed = 1202, Policy;
    /// No tenant at that address.
    UnknownHost = 1203, Client;
    /// A request to the gateway cannot be read.
    BadGatewayRequest = 1204, Client;
    /// The app behind the gateway does not answer.
    AppUnreachable = 1205, Control;
    /// The tenant is suspended; its requests are not passed on.
    HostSuspended = 1206, Policy;
    /// The token was good until a time that is over.
    TokenExpired = 1207, Client;
    /// No such principal.
    PrincipalNotFound = 1208, Client;
    /// A principal's name is in use, or was.
    PrincipalTaken = 1209, Client;
    /// No such token, role or broken glass to take back.
    GrantNotFound = 1210, Client;
    /// The tenant at that address is deleted.
    HostDeleted = 1211, Policy;
    /// The tenant at that address has another one now.
    HostRenamed = 1212, Client;
    /// Nobody has agreed to this, or not in time.
    ApprovalMissing = 1301, Policy;
    /// What was approved is not what is to be done.
    ApprovalMismatch = 1302, Policy;
    /// Nobody decides a request of their own.
    OwnApproval = 1303, Policy;
    /// No such approval.
    ApprovalNotFound = 1304, Client;
    /// The request was decided already, or its time is over.
    ApprovalDecided = 1305, Client;
    /// The audit log is not as it was written.
    AuditBroken = 1401, Control;
    /// No such webhook, or nothing of that id was told to it.
    WebhookNotFound = 1501, Client;
    /// A webhook's name is in use.
    WebhookTaken = 1502, Client;
    /// A webhook's address is not one that Holm sends to.
    WebhookAddress = 1503, Policy;
    /// A receiver did not take what it was told.
    WebhookRefused = 1504, Client;
    /// Mail could not be handed to the mail server.
    MailNotSent = 1505, Control;
    /// A migrations directory cannot be used.
    InvalidMigrations = 2001, Client;
    /// A migration failed while the template was built.
    TemplateFailed = 2002, Client;
    /// A tenant's seed failed.
    SeedFailed = 2003, Client;
    /// No database was ready in time.
    NoDatabaseInTime = 2004, Cluster;
    /// A cluster does not answer.
    ClusterUnreachable = 2005, Cluster;
    /// A cluster is read-only.
    ClusterReadOnly = 2006, Cluster;
    /// A cluster has no room: disk or connections.
    ClusterFull = 2007, Cluster;
    /// A cluster belongs to another environment.
    ClusterElsewhere = 2008, Policy;
    /// A cluster refused a statement of Holm's.
    ClusterRefused = 2009, Cluster;
    /// A database's migration ledger does not allow it to go on.
    LedgerRefuses = 2010, Client;
    /// A server cannot do what it is wanted for.
    ServerUnsuitable = 2011, Client;
    /// That server, database or name is a cluster already.
    ClusterTaken = 2012, Client;
    /// That server, or database, is Holm's own catalog.
    CatalogItself = 2013, Policy;
    /// A cluster is not in a state in which this can be done.
    ClusterClosed = 2014, Client;
    /// Tenants are on a cluster that is to be removed.
    ClusterInUse = 2015, Client;
    /// A server lets a role in by something else than SCRAM.
    NotScram = 2016, Client;
    /// There is no TLS with a server, or not with the right one.
    TlsTowardsServer = 2017, Client;
    /// A role may do more than a tenant's role may.
    TooPowerful = 2018, Policy;
    /// A tenant's database has no role of that level.
    LevelNotThere = 2019, Client;
    /// A tenant's content cannot be copied.
    CopyRefused = 2021, Client;
    /// No such operation.
    OperationNotFound = 3001, Client;
    /// Another operation is at work on the same subject.
    OperationInProgress = 3002, Client;
    /// What was asked of an operation has no meaning where it stands.
    OperationCannot = 3003, Client;
    /// An operation did not do what it was for, and was undone.
    OperationUndone = 3004, Client;
    /// An operation is not over yet; it goes on.
    OperationGoesOn = 3005, Control;
    /// An operation's journal cannot be believed.
    OperationBroken = 3006, Bug;
    /// A copy of a tenant's data may not be where it is or would be, by the tenant's profile.
    ResidencyRefused = 4001, Policy;
    /// The installation has no such profile.
    ProfileNotFound = 4002, Client;
    /// A profile cannot be put in force.
    ProfileRefused = 4003, Client;
    /// Facts of an installation's own cannot be laid over the registry.
    FactsRefused = 4004, Client;
    /// No such paper, exception or text of facts.
    RecordNotFound = 4005, Client;
    /// What is in force in the catalog cannot be understood by this Holm.
    InForceUnreadable = 4007, Control;
    /// Name or password wrong.
    AuthenticationFailed = 5001, Client;
    /// No such tenant for this credential.
    UnknownTenant = 5002, Client;
    /// The tenant is suspended.
    TenantSuspended = 5003, Policy;
    /// The cluster's connections are all in use.
    NoConnectionLeft = 5004, Quota;
    /// Database name, options and server name mean different tenants.
    TenantNamesDisagree = 5005, Client;
    /// A client broke the protocol.
    ProtocolViolation = 5006, Client;
    /// The tenant's server cannot be reached.
    ServerUnreachable = 5007, Cluster;
    /// The listener wants TLS.
    TlsRequired = 5008, Client;
    /// A client did not finish its login in time.
    LoginTimeout = 5009, Client;
    /// A feature that the proxy does not carry.
    NotCarried = 5010, Client;
    /// A session was closed by a decision about its tenant or credential.
    SessionClosed = 5011, Policy;
    /// The proxy has as many clients as it may.
    TooManyClients = 5012, Quota;
    /// The proxy is shutting down.
    ShuttingDown = 5013, Control;
    /// The tenant is deleted.
    TenantDeleted = 5014, Policy;
    /// The tenant has another name now.
    TenantRenamed = 5015, Client;
    /// The tenant is paused.
    TenantPaused = 5016, Policy;
    /// A client was told that there is no channel binding, and there is.
    ChannelBindingLost = 5021, Client;
    /// Too many logins failed for a name or from an address.
    LoginsThrottled = 5022, Quota;
    /// A client's certificate is not for the credential that it names.
    CertificateForAnother = 5023, Client;
    /// A tenant's database may not be used where it is.
    PlacementWithheld = 5024, Policy;
    /// A server is not the one that a tenant's placement certificate is for, or there is no good certificate.
    PlacementUnproven = 5025, Cluster;
    /// The configuration cannot be used.
    InvalidConfig = 6001, Client;
    /// No PostgreSQL on this machine and none to be had.
    PostgresNotFound = 6002, Control;
    /// A PostgreSQL server of Holm's own did not start.
    PostgresNotStarted = 6003, Control;
    /// Another Holm uses the directory.
    DirectoryInUse = 6004, Client;
    /// The master key is missing or is not the one that sealed the secrets.
    WrongMasterKey = 6005, Control;
    /// An address cannot be listened on.
    CannotListen = 6006, Client;
    /// The master key is kept elsewhere, and cannot be used now.
    MasterKeyUnavailable = 6007, Control;
    /// A file is not a whole backup of a catalog.
    BackupDamaged = 6008, Client;
    /// A catalog that is to be restored has something in it already.
    CatalogNotEmpty = 6009, Client;
    /// The catalog was never made ready for use.
    CatalogNotReady = 6010, Client;
    /// The programs that copy a database are not where Holm was told.
    ProgramsNotFound = 6011, Control;
    /// One of PostgreSQL's programs failed on the catalog.
    ProgramFailed = 6012, Control;
    /// The catalog does not answer.
    CatalogUnavailable = 7001, Control;
    /// The catalog was migrated by a newer Holm.
    CatalogNewer = 7002, Control;
    /// No Holm server was found to talk to.
    ServerNotFound = 7003, Client;
    /// The data plane has not confirmed a change in time.
    DataPlaneSilent = 7004, Control;
    /// An older Holm, which could not go on afterwards, runs on the catalog.
    OlderHolmRuns = 7005, Control;
    /// A node of the data plane could not reach the catalog for as long as it may serve alone.
    AloneTooLong = 7006, Control;
    /// No such node.
    NodeNotFound = 7007, Client;
    /// A node was heard of too lately to be given up.
    NodeLives = 7008, Client;
    /// The routes that a node keeps on its disk cannot be used.
    KeptRoutesRefused = 7009, Control;
    /// The control plane does not take what a node of the data plane says.
    LinkRefused = 7010, Client;
    /// A node of the data plane was removed.
    NodeRemoved = 7011, Policy;
    /// A node of that name was let in before.
    NodeTaken = 7012, Client;
    /// No control plane answers a node of the data plane.
    ControlUnavailable = 7013, Control;
    /// A fault in Holm.
    Internal = 9001, Bug;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HOLM-{}", self.number())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is not the code of an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an error code")]
pub struct InvalidCode(String);

impl std::str::FromStr for ErrorCode {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        Self::ALL.iter().copied().find(|code| code.to_string() == text).ok_or_else(|| InvalidCode(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether anything is different from before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Changed {
    /// Nothing is.
    Nothing,
    /// Something is, and the text says what.
    Something,
    /// It could not be found out.
    Unknown,
}

/// What a person is told: `what` happened, to what, `why`, whether anything `changed`, what to do `next`.
///
/// Every text is one sentence without a final stop, lower-case, values in backticks; none carries a secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {what}")]
pub struct Problem {
    /// The code.
    pub code: ErrorCode,
    /// What was attempted and did not happen, and to what.
    pub what: String,
    /// The reason, where one is known beyond `what`.
    pub why: Option<String>,
    /// Whether anything changed.
    pub changed: Changed,
    /// What to do now, a command where there is one.
    pub next: Vec<String>,
}

impl Problem {
    /// A problem that changed nothing; the rest is added with the methods below.
    pub fn new(code: ErrorCode, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), why: None, changed: Changed::Nothing, next: Vec::new() }
    }

    /// Adds the reason.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    /// Adds a step that helps.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next.push(step.into());
        self
    }

    /// Says whether anything changed.
    #[must_use]
    pub fn changed(mut self, changed: Changed) -> Self {
        self.changed = changed;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors");

    #[test]
    fn no_two_errors_share_a_number() {
        let numbers: BTreeSet<u16> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn a_problem_reads_back_from_json() {
        let problem = Problem::new(ErrorCode::SlugTaken, "a tenant called `malmo` exists in `production`").next("choose another name");
        let text = serde_json::to_string(&problem).unwrap();
        assert!(text.contains("\"HOLM-1102\""), "{text}");
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
    }

    #[test]
    fn every_error_says_in_one_sentence_what_it_means() {
        for code in ErrorCode::ALL {
            let title = code.title();
            assert!(title.ends_with('.') && title.starts_with(char::is_uppercase), "{code}: {title}");
            assert!(code.page().starts_with(&format!("# {code}: ")), "{code}: its page");
        }
    }

    #[test]
    fn every_error_has_a_page_and_every_page_an_error() {
        let pages: BTreeSet<String> = std::fs::read_dir(PAGES)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("HOLM-"))
            .collect();
        let codes: BTreeSet<String> = ErrorCode::ALL.iter().map(|code| format!("{code}.md")).collect();
        assert_eq!(pages, codes);
    }

    #[test]
    fn every_page_answers_the_same_questions_and_the_index_lists_it() {
        let index = std::fs::read_to_string(format!("{PAGES}/README.md")).unwrap();
        for &code in ErrorCode::ALL {
            let page = std::fs::read_to_string(format!("{PAGES}/{code}.md")).unwrap();
            assert!(page.starts_with(&format!("# {code}: {code:?}\n\n")), "{code}: the heading");
            let questions = ["## What you see", "## Why", "## What to do", "## Has anything changed?"];
            let places: Vec<usize> = questions.map(|question| page.find(question).unwrap_or_else(|| panic!("{code}: {question}"))).into();
            assert!(places.is_sorted(), "{code}: the order of its questions");
            assert!(page.matches(&code.to_string()).count() > 1, "{code}: an example");
            assert!(index.contains(&format!("[{code}]({code}.md) {code:?} |")), "{code} is not in the index");
        }
    }
}
