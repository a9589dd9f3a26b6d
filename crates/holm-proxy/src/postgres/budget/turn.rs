//! Whose turn it is among the tenants that wait for an opening.
//!
//! Promises: a tenant below its minimum goes before all others, one without any connection before those that want more;
//! inside each of the three it goes round, and among those that want more a turn is as many openings as the tenant's
//! weight. Enter, leave and next are O(1).

use holm_core::id::TenantId;

use super::line::{Line, Spot};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    BelowMinimum,
    HasNone,
    WantsMore,
}

/// A tenant's place among those who wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) need: Need,
    spot: Spot,
    /// How many openings are left of this turn.
    openings: u32,
}

#[derive(Debug, Default)]
pub(super) struct Turns {
    below_minimum: Line<TenantId>,
    has_none: Line<TenantId>,
    wants_more: Line<TenantId>,
}

impl Turns {
    pub(super) fn first(&self, need: Need) -> Option<TenantId> {
        self.line(need).first()
    }

    /// How many tenants need one urgently.
    pub(super) fn urgent(&self) -> usize {
        self.below_minimum.len() + self.has_none.len()
    }

    pub(super) fn enter(&mut self, tenant: TenantId, need: Need, weight: u32) -> Turn {
        Turn { need, spot: self.line_mut(need).enter(tenant), openings: weight.max(1) }
    }

    pub(super) fn leave(&mut self, turn: Turn) {
        self.line_mut(turn.need).leave(turn.spot);
    }

    /// To the back, with a whole turn.
    pub(super) fn again(&mut self, turn: Turn, weight: u32) -> Turn {
        let tenant = self.line_mut(turn.need).leave(turn.spot);
        self.enter(tenant, turn.need, weight)
    }

    /// One opening of the turn is used.
    pub(super) fn used(&mut self, turn: Turn, weight: u32) -> Turn {
        if turn.openings > 1 { Turn { openings: turn.openings - 1, ..turn } } else { self.again(turn, weight) }
    }

    const fn line(&self, need: Need) -> &Line<TenantId> {
        match need {
            Need::BelowMinimum => &self.below_minimum,
            Need::HasNone => &self.has_none,
            Need::WantsMore => &self.wants_more,
        }
    }

    const fn line_mut(&mut self, need: Need) -> &mut Line<TenantId> {
        match need {
            Need::BelowMinimum => &mut self.below_minimum,
            Need::HasNone => &mut self.has_none,
            Need::WantsMore => &mut self.wants_more,
        }
    }
}
