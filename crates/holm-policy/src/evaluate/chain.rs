//! Who has a copy in their hands: the company that signs, whose machines it lies on, and whoever processes for them.

use std::collections::BTreeSet;

use crate::country::Territory;
use crate::evaluate::Bench;
use crate::evaluate::evidence::Inquiry;
use crate::evaluate::location::Lies;
use crate::id::EntityId;
use crate::registry::entity::Entity;
use crate::registry::provider::Provider;

/// Somebody besides the company that signs, and from where they work, if that is not only where the machines are.
pub(super) struct Linked<'a> {
    pub(super) entity: &'a Entity,
    pub(super) works_from: Option<&'a BTreeSet<Territory>>,
}

/// Everybody who can see content of a copy.
pub(super) struct Chain<'a> {
    /// What was asked to find them: a list that nobody knows is a doubt.
    pub(super) inquiry: Inquiry,
    /// Who signs, and what was asked to know it.
    pub(super) contracting: Option<&'a Entity>,
    pub(super) contracting_inquiry: Inquiry,
    pub(super) links: Vec<Linked<'a>>,
    /// The providers whose staff can see it.
    pub(super) providers: Vec<&'a Provider>,
}

pub(super) fn chain<'a>(bench: &Bench<'a>, lies: &Lies<'a>) -> Chain<'a> {
    let mut chain = Chain {
        inquiry: lies.inquiry.clone(),
        contracting: None,
        contracting_inquiry: Inquiry::default(),
        links: Vec::new(),
        providers: vec![bench.provider],
    };
    chain.contracting = chain.contracting_inquiry.ask(bench, &bench.provider.contracting).and_then(|id| bench.registry.entities.get(id));
    let mut level: Vec<&EntityId> = Vec::new();
    for (provider, region) in &lies.regions {
        level.extend(chain.inquiry.ask(bench, &region.infrastructure).into_iter().flatten());
        if !chain.providers.iter().any(|known| known.id == provider.id) {
            chain.providers.push(provider);
            level.extend(chain.inquiry.ask(bench, &provider.contracting));
        }
    }
    let mut seen = BTreeSet::new();
    let mut next: Vec<&EntityId> = level;
    for id in &next {
        link(bench, &mut chain, id, None);
    }
    seen.extend(next.iter().copied());
    let depth = bench.profile.control.depth.unwrap_or(u32::MAX);
    if depth == 0 {
        return chain;
    }
    next.extend(sub_processors(bench, &mut chain, bench.provider, &mut seen));
    for _ in 1..depth {
        let mut further = Vec::new();
        for id in next {
            match bench.registry.providers.values().find(|provider| provider.contracting.claimed() == Some(id)) {
                None => chain.inquiry.doubt(format!("the registry does not say who processes for `{id}`")),
                Some(provider) => further.extend(sub_processors(bench, &mut chain, provider, &mut seen)),
            }
        }
        if further.is_empty() {
            break;
        }
        next = further;
    }
    chain
}

/// Adds who processes for a provider, and says which of them were not in the chain before.
fn sub_processors<'a>(
    bench: &Bench<'a>,
    chain: &mut Chain<'a>,
    provider: &'a Provider,
    seen: &mut BTreeSet<&'a EntityId>,
) -> Vec<&'a EntityId> {
    let mut added = Vec::new();
    for part in chain.inquiry.ask(bench, &provider.sub_processors).into_iter().flatten() {
        if !part.sees(bench.placement.role) {
            continue;
        }
        link(bench, chain, &part.entity, Some(&part.countries));
        if seen.insert(&part.entity) {
            added.push(&part.entity);
        }
    }
    added
}

fn link<'a>(bench: &Bench<'a>, chain: &mut Chain<'a>, id: &EntityId, works_from: Option<&'a BTreeSet<Territory>>) {
    match bench.registry.entities.get(id) {
        None => chain.inquiry.doubt(format!("the registry knows no entity `{id}`")),
        Some(entity) => chain.links.push(Linked { entity, works_from }),
    }
}
