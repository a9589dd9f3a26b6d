//! The audit log: what an entry says, and the bytes that its hash is made of.
//!
//! Promises: an entry says who did what to what, where, why and when, in closed types: an id instead of a name that could
//! be a person's, and no free JSON. Its hash covers every column, its number, its time and the hash of the entry before it
//! ([`chain`]). The only free text is the reason, which an operator writes: bounded, on one line, and kept for ever, so
//! that people are told to keep personal data out of it.

pub mod chain;
pub mod checkpoint;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::access::Role;
use crate::actor::Actor;
use crate::approval::{ApprovalKind, ContentHash};
use crate::credential::Level;
use crate::environment::EnvironmentName;
use crate::id::{
    ApprovalId, BreakGlassId, ClusterId, CredentialId, EnvironmentId, NodeId, OperationId, PrincipalId, TenantId, TokenId, WebhookId,
};
use crate::statistics::By;

/// The encoding of [`Content::digest`]. A change of it is a new number; entries of old ones stay verifiable.
pub const VERSION: i16 = 1;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What was done: `<noun>.<verb>`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum AuditAction {
            $($(#[$doc])* $name,)*
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word that the log has.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

actions! {
    /// A tenant was begun; its database may be awaited.
    TenantCreate = "tenant.create",
    /// A tenant's transactions were made to wait.
    TenantPause = "tenant.pause",
    /// A tenant's sessions were stopped.
    TenantSuspend = "tenant.suspend",
    /// A tenant's sessions were let in again.
    TenantResume = "tenant.resume",
    /// A database that somebody brought is to be a tenant's.
    TenantAdopt = "tenant.adopt",
    /// A tenant's deletion was asked for.
    TenantDelete = "tenant.delete",
    /// A tenant's new name was asked for.
    TenantRename = "tenant.rename",
    /// A copy of a tenant was asked for.
    TenantCopy = "tenant.copy",
    /// A tenant that ends by itself ends later.
    TenantExtend = "tenant.extend",
    /// How many of its cluster's connections a tenant may have was changed.
    TenantLimit = "tenant.limit",
    /// A credential's rotation was asked for, and its new secret shown.
    CredentialRotate = "credential.rotate",
    /// An operation did what it was for.
    OperationSucceed = "operation.succeed",
    /// An operation did not, and was undone.
    OperationUndo = "operation.undo",
    /// An operation that can only go on does not get through; a person is needed.
    OperationAlert = "operation.alert",
    /// An operation was held.
    OperationPause = "operation.pause",
    /// An operation was let go on.
    OperationResume = "operation.resume",
    /// An operation is to be undone.
    OperationCancel = "operation.cancel",
    /// A wait of an operation was ended.
    OperationProceed = "operation.proceed",
    /// An operation was tried again.
    OperationRetry = "operation.retry",
    /// An operation was ended where it stood.
    OperationAbandon = "operation.abandon",
    /// New passwords for the roles of a tenant's database were asked for.
    TenantRotateRoles = "tenant.rotate-roles",
    /// The same for all tenants of a cluster.
    ClusterRotateRoles = "cluster.rotate-roles",
    /// Another master key was made the current one.
    KeyRotate = "key.rotate",
    /// Data keys were wrapped with the current master key.
    KeyRewrap = "key.rewrap",
    /// The catalog was written to a file.
    CatalogBackup = "catalog.backup",
    /// The catalog was restored from a file.
    CatalogRestore = "catalog.restore",
    /// An environment was made.
    EnvironmentCreate = "environment.create",
    /// An environment was changed.
    EnvironmentChange = "environment.change",
    /// A server was registered as a cluster.
    ClusterRegister = "cluster.register",
    /// The adding of a server as a cluster was asked for.
    ClusterAdd = "cluster.add",
    /// A cluster is to be emptied.
    ClusterDrain = "cluster.drain",
    /// A cluster is to be forgotten.
    ClusterRemove = "cluster.remove",
    /// A cluster's address, password or size was brought up to date.
    ClusterChange = "cluster.change",
    /// Another server was made a cluster: one that was made anew, with what had been on the former.
    ClusterReplace = "cluster.replace",
    /// A server that was known by its address told which it is.
    ClusterIdentify = "cluster.identify",
    /// Somebody said where a cluster is.
    ClusterPlace = "cluster.place",
    /// A version of a profile was put in force.
    ProfileKeep = "profile.keep",
    /// A tenant is judged by another profile.
    TenantProfile = "tenant.profile",
    /// New tenants of an environment are given another profile.
    EnvironmentProfile = "environment.profile",
    /// Facts of the installation's own were put in force.
    FactsKeep = "facts.keep",
    /// Facts of the installation's own are in force no more.
    FactsRemove = "facts.remove",
    /// A contract or clause was put on file.
    PaperKeep = "paper.keep",
    /// A contract or clause was taken off file.
    PaperRemove = "paper.remove",
    /// A copy that Holm neither makes nor sees was registered.
    CopyRegister = "copy.register",
    /// It is registered no more.
    CopyForget = "copy.forget",
    /// A rule does not count for a copy, for a time.
    ExceptionGrant = "exception.grant",
    /// And counts again.
    ExceptionRevoke = "exception.revoke",
    /// A difference between two environments is accepted, for a time.
    ParityWaive = "parity.waive",
    /// And is accepted no more.
    ParityRevoke = "parity.revoke",
    /// Numbers about the tenants of an environment were asked for; the reason is what for.
    StatisticsAsk = "statistics.ask",
    /// A copy of a tenant's data does not satisfy the tenant's profile any more.
    ResidencyBreach = "residency.breach",
    /// It does again, or is no more.
    ResidencySettle = "residency.settle",
    /// Other things may be done with a tenant's database than before, where it is.
    ResidencyEnforce = "residency.enforce",
    /// A credential was issued and its secret shown.
    CredentialIssue = "credential.issue",
    /// A credential was revoked.
    CredentialRevoke = "credential.revoke",
    /// A principal was made.
    PrincipalCreate = "principal.create",
    /// A principal was disabled, and all of its tokens with it.
    PrincipalDisable = "principal.disable",
    /// A role was given.
    RoleGrant = "role.grant",
    /// A role was taken away.
    RoleRevoke = "role.revoke",
    /// A token was issued and shown.
    TokenIssue = "token.issue",
    /// A token was revoked.
    TokenRevoke = "token.revoke",
    /// Somebody asked for an approval.
    ApprovalRequest = "approval.request",
    /// Somebody else agreed.
    ApprovalApprove = "approval.approve",
    /// Somebody else refused.
    ApprovalReject = "approval.reject",
    /// What somebody had agreed to was done.
    ApprovalUse = "approval.use",
    /// From then on something is done in an environment only with an approval.
    ApprovalDemand = "approval.demand",
    /// And from then on without.
    ApprovalWaive = "approval.waive",
    /// A node of the data plane was let in.
    NodeAdd = "node.add",
    /// It was told to stop, and is told nothing else any more.
    NodeRemove = "node.remove",
    /// A process that is gone for good was given up.
    NodeForget = "node.forget",
    /// Somebody took more than they have, for a time.
    BreakGlassOpen = "break_glass.open",
    /// It was given back before its time.
    BreakGlassClose = "break_glass.close",
    /// A principal asked for what it may not do.
    AccessDenied = "access.denied",
    /// A copy of the audit log was taken.
    AuditExport = "audit.export",
    /// A webhook was made.
    WebhookCreate = "webhook.create",
    /// A webhook was removed.
    WebhookDelete = "webhook.delete",
    /// A webhook's secret was replaced, and the new one shown.
    WebhookRotate = "webhook.rotate",
    /// Something is told to a webhook again.
    WebhookReplay = "webhook.replay",
    /// A webhook could not be told of something for a day: it has missed it.
    WebhookDie = "webhook.die",
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an action of the audit log, such as `tenant.create`", .0.escape_debug())]
pub struct InvalidAction(String);

impl FromStr for AuditAction {
    type Err = InvalidAction;

    fn from_str(text: &str) -> Result<Self, InvalidAction> {
        let known = Self::ALL.iter().copied().find(|action| action.as_str() == text);
        known.ok_or_else(|| InvalidAction(text.chars().take(40).collect()))
    }
}

/// What it was done to: an id, which says nothing of a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// The whole installation.
    Installation,
    /// An environment.
    Environment(EnvironmentId),
    /// A cluster.
    Cluster(ClusterId),
    /// A tenant.
    Tenant(TenantId),
    /// A credential.
    Credential(CredentialId),
    /// A principal.
    Principal(PrincipalId),
    /// A token.
    Token(TokenId),
    /// An approval.
    Approval(ApprovalId),
    /// A broken glass.
    BreakGlass(BreakGlassId),
    /// An operation.
    Operation(OperationId),
    /// A webhook.
    Webhook(WebhookId),
    /// A run of a process.
    Node(NodeId),
}

impl Subject {
    /// The noun.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Installation => "installation",
            Self::Environment(_) => "environment",
            Self::Cluster(_) => "cluster",
            Self::Tenant(_) => "tenant",
            Self::Credential(_) => "credential",
            Self::Principal(_) => "principal",
            Self::Token(_) => "token",
            Self::Approval(_) => "approval",
            Self::BreakGlass(_) => "break_glass",
            Self::Operation(_) => "operation",
            Self::Webhook(_) => "webhook",
            Self::Node(_) => "node",
        }
    }

    /// The id as people see it; empty for the installation, of which there is one.
    pub fn id(&self) -> String {
        match self {
            Self::Installation => String::new(),
            Self::Environment(id) => id.to_string(),
            Self::Cluster(id) => id.to_string(),
            Self::Tenant(id) => id.to_string(),
            Self::Credential(id) => id.to_string(),
            Self::Principal(id) => id.to_string(),
            Self::Token(id) => id.to_string(),
            Self::Approval(id) => id.to_string(),
            Self::BreakGlass(id) => id.to_string(),
            Self::Operation(id) => id.to_string(),
            Self::Webhook(id) => id.to_string(),
            Self::Node(id) => id.to_string(),
        }
    }
}

/// What else an entry says. Each shape is closed: a caller cannot put in what nobody thought about.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(untagged)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// Of a credential.
    Credential {
        /// What its sessions may do.
        level: Level,
        /// The only tenant it is for.
        tenant: Option<TenantId>,
    },
    /// Of a role that was given or taken.
    Role {
        /// The role.
        role: Role,
        /// When it ends by itself.
        until: Option<jiff::Timestamp>,
    },
    /// Of a token.
    Token {
        /// Whose it is.
        principal: PrincipalId,
        /// At most what this role may.
        role: Option<Role>,
        /// When it ends by itself.
        until: Option<jiff::Timestamp>,
    },
    /// Of an approval.
    Approval {
        /// What is to be done.
        approval: ApprovalKind,
        /// To exactly what.
        hash: ContentHash,
    },
    /// Of a demand for approvals.
    Demand {
        /// The operation that needs one.
        operation: ApprovalKind,
    },
    /// Of limits that were changed: `min=0 max=5 weight=1`.
    Limits {
        /// What they were.
        before: String,
        /// What they are.
        after: String,
    },
    /// Of what the place of data is judged by: `eea-jurisdiction 2`, `scalingo/osc-fr1`, `dpa scalingo-sas`.
    Judged {
        /// What counts from then on, or no more.
        what: String,
        /// What counted in its place before.
        before: Option<String>,
    },
    /// Of which server a cluster is: `7384912345678901234`, or `by address` of one that does not tell.
    Server {
        /// It was.
        before: String,
        /// It is.
        after: String,
    },
    /// Of a copy that was judged anew.
    Standing {
        /// Which copy of the tenant's.
        copy: String,
        /// What it came to: `deny`.
        outcome: String,
        /// The rules that speak against it.
        rules: Vec<String>,
    },
    /// Of what may be done with a database where it is.
    Placement {
        /// `all`, `reading`, `finishing`, `finishing_reading` or `nothing`.
        allows: String,
    },
    /// Of a request that was denied.
    Denied {
        /// What was asked.
        permission: &'static str,
    },
    /// Of numbers about many tenants.
    Statistics {
        /// By what they were put together.
        by: Option<By>,
        /// How many tenants a group had at the least.
        at_least: u16,
        /// How many tenants they were of.
        tenants: usize,
    },
    /// Of a copy of the log.
    Export {
        /// The first entry that was asked for.
        after: i64,
    },
}

impl Detail {
    fn text(&self) -> String {
        match self {
            Self::None => "{}".to_owned(),
            other => serde_json::to_string(other).expect("a struct of words, ids and times is JSON"),
        }
    }
}

/// Why somebody did it, in their words. It is kept for ever and cannot be edited: no names of customers or of people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Reason(Box<str>);

/// Two lines of a terminal, or a sentence and a ticket's number.
pub const REASON_LENGTH_MAX: usize = 300;

/// Text that cannot be a reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a reason must have 1 to {REASON_LENGTH_MAX} characters on one line")]
pub struct InvalidReason;

impl Reason {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = InvalidReason;

    fn from_str(text: &str) -> Result<Self, InvalidReason> {
        let text = text.trim();
        let fits = (1..=REASON_LENGTH_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.into())) } else { Err(InvalidReason) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> String {
        reason.0.into()
    }
}

impl TryFrom<String> for Reason {
    type Error = InvalidReason;

    fn try_from(text: String) -> Result<Self, InvalidReason> {
        text.parse()
    }
}

/// An entry to be written in the transaction of the act itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEntry {
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: AuditAction,
    /// Where, if in one environment.
    pub environment: Option<EnvironmentName>,
    /// To what.
    pub subject: Subject,
    /// Why, if somebody said.
    pub reason: Option<Reason>,
    /// What else.
    pub detail: Detail,
}

impl NewEntry {
    /// An entry without a reason and without details.
    pub fn new(actor: &Actor, action: AuditAction, environment: Option<&EnvironmentName>, subject: Subject) -> Self {
        Self { actor: actor.clone(), action, environment: environment.cloned(), subject, reason: None, detail: Detail::None }
    }

    /// Adds the reason.
    #[must_use]
    pub fn because(mut self, reason: &Reason) -> Self {
        self.reason = Some(reason.clone());
        self
    }

    /// Adds the details.
    #[must_use]
    pub fn with(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }
}

/// What the catalog keeps of an entry, column by column. Texts are not parsed: an entry of a newer Holm, or one that was
/// tampered with, must be readable too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Content {
    /// `principal` or `system`.
    pub actor_kind: String,
    /// The principal.
    pub actor_id: Option<Uuid>,
    /// Its name at that time, or the part of Holm.
    pub actor_name: String,
    /// [`AuditAction::as_str`].
    pub action: String,
    /// The environment's name.
    pub environment: Option<String>,
    /// [`Subject::kind`].
    pub subject_kind: String,
    /// [`Subject::id`].
    pub subject_id: String,
    /// [`Reason`].
    pub reason: Option<String>,
    /// [`Detail`] as JSON, byte by byte as it was hashed.
    pub detail: String,
}

impl From<&NewEntry> for Content {
    fn from(new: &NewEntry) -> Self {
        let (kind, id) = match &new.actor {
            Actor::Principal { id, .. } => ("principal", Some(id.as_uuid())),
            Actor::System { .. } => ("system", None),
        };
        Self {
            actor_kind: kind.to_owned(),
            actor_id: id,
            actor_name: new.actor.name().to_owned(),
            action: new.action.as_str().to_owned(),
            environment: new.environment.as_ref().map(ToString::to_string),
            subject_kind: new.subject.kind().to_owned(),
            subject_id: new.subject.id(),
            reason: new.reason.as_ref().map(ToString::to_string),
            detail: new.detail.text(),
        }
    }
}

impl Content {
    /// SHA-256 of every column in this order, each as one byte that says whether it is there, its length in four bytes, and
    /// its bytes: no two contents have one encoding.
    pub fn digest(&self) -> [u8; 32] {
        let id = self.actor_id.map(Uuid::into_bytes);
        let columns: [Option<&[u8]>; 9] = [
            Some(self.actor_kind.as_bytes()),
            id.as_ref().map(<[u8; 16]>::as_slice),
            Some(self.actor_name.as_bytes()),
            Some(self.action.as_bytes()),
            self.environment.as_deref().map(str::as_bytes),
            Some(self.subject_kind.as_bytes()),
            Some(self.subject_id.as_bytes()),
            self.reason.as_deref().map(str::as_bytes),
            Some(self.detail.as_bytes()),
        ];
        let mut hash = Sha256::new();
        for column in columns {
            let bytes = column.unwrap_or_default();
            let length = u32::try_from(bytes.len()).expect("PostgreSQL's text is shorter than 1 GiB");
            hash.update([u8::from(column.is_some())]);
            hash.update(length.to_be_bytes());
            hash.update(bytes);
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests;
