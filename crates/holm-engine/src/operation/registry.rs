//! Every operation that this Holm can run.

use std::sync::LazyLock;

use holm_core::operation::OperationKind;
use holm_store::operation::claim::Known;

use super::definition::Definition;
use crate::{cluster, credential, tenant};

static ALL: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    vec![
        Definition::of::<cluster::add::Add>(),
        Definition::of::<cluster::drain::Drain>(),
        Definition::of::<cluster::remove::Remove>(),
        Definition::of::<cluster::rotate_roles::RotateRoles>(),
        Definition::of::<credential::rotate::Rotate>(),
        Definition::of::<tenant::adopt::Adopt>(),
        Definition::of::<tenant::copy::Copy>(),
        Definition::of::<tenant::delete::Delete>(),
        Definition::of::<tenant::rename::Rename>(),
        Definition::of::<tenant::rotate_roles::RotateRoles>(),
    ]
});

/// All of them.
pub(crate) fn all() -> &'static [Definition] {
    &ALL
}

/// The one of a kind and version, if this Holm has it.
pub(crate) fn find(kind: &OperationKind, version: u32) -> Option<&'static Definition> {
    all().iter().find(|definition| definition.kind == *kind && definition.version == version)
}

/// As the catalog is asked for them.
pub(crate) fn known() -> Vec<Known> {
    let known = |definition: &Definition| Known { kind: definition.kind.clone(), version: definition.version, at_once: definition.at_once };
    all().iter().map(known).collect()
}
