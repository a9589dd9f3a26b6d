//! Companies: where they are, who owns them, and which laws can reach them.

use std::collections::BTreeSet;

use crate::country::Country;
use crate::fact::Fact;
use crate::id::{EntityId, LawId};
use crate::reading::{Section, Sources};
use crate::word::words;

words! {
    /// What the list of the EU–US Data Privacy Framework says of an organisation.
    DpfListing, "a listing" {
        /// Active, data of employees included.
        Listed = "listed",
        /// Active, but not for data of employees.
        ListedWithoutHr = "listed_without_hr",
        /// Not there, or not active.
        NotListed = "not_listed",
    }
}

/// Somebody whom a law can reach: a company, an authority, a family that owns one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entity {
    /// Its id.
    pub id: EntityId,
    /// What it is called, with its form.
    pub name: String,
    /// Where it is established.
    pub country: Fact<Country>,
    /// Who controls it; nobody, if it has no owner that does.
    pub parents: Fact<BTreeSet<EntityId>>,
    /// Where else companies of its group are.
    pub affiliates: Fact<BTreeSet<Country>>,
    /// Laws that reach it for another reason than its or its owners' country.
    pub exposed_to: Fact<BTreeSet<LawId>>,
    /// Whether the Data Privacy Framework covers it.
    pub dpf: Fact<DpfListing>,
}

/// Text that is the id of no entity.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the registry knows no company `{}`{}", text.escape_debug(), nearest.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
pub struct UnknownEntity {
    /// The text as given, cut to 80 characters.
    pub text: String,
    /// The id that is nearest to it.
    pub nearest: Option<String>,
}

pub(super) fn entity(section: &Section<'_>, sources: &Sources) -> Option<Entity> {
    let (id, name) = (section.must::<EntityId>("id"), section.must("name"));
    let id = id?;
    let subject = format!("entity:{id}");
    let entity = Entity {
        country: section.fact(&subject, "country", sources),
        parents: section.fact(&subject, "parents", sources),
        affiliates: section.fact(&subject, "affiliates", sources),
        exposed_to: section.fact(&subject, "exposed_to", sources),
        dpf: section.fact(&subject, "dpf", sources),
        id,
        name: name?,
    };
    Some(entity)
}
