//! Which nodes of the data plane are let in that have no way to the catalog: by the public half of a key that was made where
//! the node's own half stays.
//!
//! Promises: whoever is not here is told no route, and one that is let in for an environment nothing of another, for good; who is removed hears so with its next word, and stops. Refuses to make or see a
//! private key.

use std::fmt;
use std::str::FromStr;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{InstallationId, NodeId};
use holm_core::route::RouteVersion;
use holm_link::bundle::{self as sealing, PublicKey};
use holm_store::audit::record;
use holm_store::data_node::{self as store, Inserted, NewDataNode};
use uuid::Uuid;

use crate::control::Control;
use crate::environment;
use crate::key::bundle;

pub use holm_store::data_node::DataNode;

/// As long as a DNS label.
const NAME_LENGTH_MAX: usize = 63;

/// What a node of the data plane is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataNodeName(Box<str>);

/// Text that cannot be the name of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a node's name: 1 to {NAME_LENGTH_MAX} of `a` to `z`, `0` to `9` and `-`, beginning with a letter", .0.escape_debug())]
pub struct InvalidDataNodeName(String);

impl FromStr for DataNodeName {
    type Err = InvalidDataNodeName;

    fn from_str(text: &str) -> Result<Self, InvalidDataNodeName> {
        let fits = (1..=NAME_LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
        if fits { Ok(Self(text.into())) } else { Err(InvalidDataNodeName(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for DataNodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a node that was let in has to know beside its own key.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    /// Whose node it is.
    pub installation: InstallationId,
    /// Its identity.
    pub node: Uuid,
    /// The public half of the key of the control plane, whom it believes.
    pub control_key: [u8; 32],
}

/// Lets a node in; from now on it may ask for the routes of all tenants, or of those of one environment, for good: what was told of one
/// must not be where another's is, so that a node of another environment is another node.
///
/// # Errors
/// [`ErrorCode::NodeTaken`]; [`ErrorCode::EnvironmentNotFound`]; [`ErrorCode::InvalidValue`] for a public key that no node makes; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn add(
    control: &Control,
    by: &Actor,
    name: DataNodeName,
    public_key: [u8; 32],
    environment: Option<&EnvironmentName>,
) -> Result<Admitted, Problem> {
    let environment = match environment {
        Some(name) => Some(environment::show(control, name).await?),
        None => None,
    };
    let (installation, sender) = bundle::sender(control);
    let node = Uuid::new_v4();
    // A key that gives its secret away is noticed now, and not when there is something to tell.
    bundle::seal(control, sealing::NodeId(node.into_bytes()), &PublicKey(public_key), RouteVersion::default(), &[])?;
    let (catalog, by) = (control.catalog().clone(), by.clone());
    let act = async move {
        let mut tx = catalog.transaction().await?;
        let new = NewDataNode { id: node, name: name.to_string(), public_key, environment: environment.as_ref().map(|of| of.id) };
        if store::insert(&mut tx, &new).await? == Inserted::Taken {
            return Err(taken(&name));
        }
        record(
            &mut tx,
            NewEntry::new(&by, AuditAction::NodeAdd, environment.as_ref().map(|of| &of.name), Subject::Node(NodeId::from_uuid(node))),
        );
        tx.commit().await?;
        Ok(Admitted { installation, node, control_key: sender.0 })
    };
    control.tasks().finish("let a node in", act).await
}

/// Removes a node: it hears so with its next word, within seconds, and stops. One that reaches no control plane goes on with what it
/// knew until its time alone is over.
///
/// # Errors
/// [`ErrorCode::NodeNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn remove(control: &Control, by: &Actor, name: &str) -> Result<DataNode, Problem> {
    let (catalog, by, name) = (control.catalog().clone(), by.clone(), name.to_owned());
    let act = async move {
        let mut tx = catalog.transaction().await?;
        let removed = store::remove(&mut tx, &name).await?.ok_or_else(|| not_found(&name))?;
        record(
            &mut tx,
            NewEntry::new(&by, AuditAction::NodeRemove, removed.environment.as_ref(), Subject::Node(NodeId::from_uuid(removed.id))),
        );
        tx.commit().await?;
        Ok(removed)
    };
    control.tasks().finish("remove a node", act).await
}

/// Those that are let in, by name.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<DataNode>, Problem> {
    Ok(store::list(control.catalog()).await?)
}

fn taken(name: &DataNodeName) -> Problem {
    Problem::new(ErrorCode::NodeTaken, format!("a node called `{name}` was let in before, or a process of that name was heard of"))
        .next("choose another name")
        .next(format!("or remove that one, which then stops: `holm node remove {name}`; if it is gone for good: `holm node forget {name}`"))
}

fn not_found(name: &str) -> Problem {
    Problem::new(ErrorCode::NodeNotFound, format!("no node called `{}` was let in", name.escape_debug()))
        .next("see which were: `holm node keys`")
}
